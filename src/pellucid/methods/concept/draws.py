"""Which examples a run uses: weights (N, r) over all examples, positive for the concept, negative for the random set."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Plan:
    """Where the examples of each concept and of each random set lie among all N; one random set is a pool to draw from."""

    total: int
    concepts: dict[str, np.ndarray]
    random: tuple[np.ndarray, ...]
    relative: bool  # whether the examples of the other concepts stand for random ones

    def against(self, name: str) -> tuple[np.ndarray, ...]:
        """The random sets that this concept meets."""
        if not self.relative:
            return self.random
        return (np.concatenate([rows for other, rows in self.concepts.items() if other != name]),)

    def weights(self, name: str, runs: int, seed: int) -> np.ndarray:
        """(N, r): the concept's examples drawn with replacement, against one random set a run."""
        own, sets = self.concepts[name], self.against(name)
        rng, others = _stream(seed, name), _stream(seed, "random")
        made = np.zeros((self.total, runs))
        for run in range(runs):
            drawn = own[rng.integers(len(own), size=len(own))]
            np.add.at(made[:, run], drawn, 0.5 / len(own))
            met = _met(sets, run, len(own), others)
            made[met, run] = -0.5 / len(met)
        return made

    def reference(self, runs: int, seed: int) -> np.ndarray | None:
        """(N, r): random sets against each other; None where there are no random examples."""
        if self.relative:
            return None
        size = int(np.median([len(rows) for rows in self.concepts.values()]))
        rng, made = _stream(seed, "reference"), np.zeros((self.total, runs))
        for run in range(runs):
            one, two = _apart(self.random, size, rng)
            made[one, run], made[two, run] = 0.5 / len(one), -0.5 / len(two)
        return made


def _stream(seed: int, name: str) -> np.random.Generator:
    """A stream for each name, so that no concept depends on its company."""
    return np.random.default_rng((seed, zlib.crc32(b"TCAV"), zlib.crc32(name.encode())))


def _met(sets: tuple[np.ndarray, ...], run: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """The random examples of a run: the next set, or as many as the concept has, at most half of the pool."""
    if len(sets) > 1:
        return sets[run % len(sets)]
    return rng.choice(sets[0], min(size, len(sets[0]) // 2), replace=False)


def _apart(sets: tuple[np.ndarray, ...], size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two random sets that share nothing."""
    if len(sets) > 1:
        one, two = rng.choice(len(sets), 2, replace=False)
        return sets[one], sets[two]
    drawn = rng.permutation(sets[0])
    few = min(size, len(drawn) // 2)
    return drawn[:few], drawn[few : 2 * few]
