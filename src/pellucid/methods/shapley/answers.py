"""What complement pairs answered: their odd parts (v(S) - v(not S)) / 2 tell of players, their even parts of pairs of players."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pellucid.core.masking import Game
from pellucid.methods.shapley.design import Level


@dataclass(frozen=True, eq=False)
class Answers:
    """Levels with room for more pairs, and the odd and even parts (n, asked) of the first of each."""

    levels: Sequence[Level]
    odd: Sequence[np.ndarray]
    even: Sequence[np.ndarray]

    @property
    def asked(self) -> int:
        return sum(u.shape[1] for u in self.odd)

    @property
    def alone(self) -> Answers:
        """Without the pairs that were not asked."""
        levels = [level.first(u.shape[1]) for level, u in zip(self.levels, self.odd, strict=True)]
        return Answers(levels, self.odd, self.even)

    def grown(self, game: Game, asked: Sequence[int]) -> Answers:
        """With the answers of so many pairs in each level; those that are known are not asked again."""
        fresh = [level.z[u.shape[1] : m] for level, u, m in zip(self.levels, self.odd, asked, strict=True)]
        z = np.concatenate(fresh)  # (m, p)
        v = game(np.concatenate([z, ~z]))  # (n, 2 m)
        there, gone, ends = v[:, : len(z)], v[:, len(z) :], np.cumsum([len(f) for f in fresh])[:-1]
        odd, even = (np.split(parts, ends, axis=1) for parts in ((there - gone) / 2, (there + gone) / 2))
        return Answers(self.levels, _joined(self.odd, odd), _joined(self.even, even))


def _joined(known: Sequence[np.ndarray], more: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [np.concatenate(pair, axis=1) for pair in zip(known, more, strict=True)]
