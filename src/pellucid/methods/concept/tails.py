"""The level that each unit exceeds at a given share of all places, found while activations pass by.

The m = floor(q N) + 1 largest of a unit's N values are kept; the smallest of them is exceeded by a share q of all values: exactly,
while m fits into `KEPT`. Beyond, each place is looked at with probability f = KEPT / m, the same places for all units, and the
share that exceeds the level has a standard error of about q sqrt((1 - f) / KEPT), 1.1 % of q at most.
"""

from __future__ import annotations

import numpy as np

KEPT = 8192  # values of each unit that are held at most
_SPARE = 1024  # more of them, as how many places are looked at is random


class Tails:
    """The largest values of u units out of `total` places."""

    def __init__(self, units: int, total: int, quantile: float, rng: np.random.Generator) -> None:
        wanted = int(np.floor(quantile * total)) + 1
        self.share = min(1.0, KEPT / wanted)  # of places that are looked at
        self._room = wanted if self.share == 1 else KEPT + _SPARE
        self._largest = np.empty((units, 0), np.float32)
        self._quantile, self._rng, self._seen = quantile, rng, 0

    def add(self, values: np.ndarray) -> None:
        """values (u, places)"""
        if self.share < 1:
            values = values[:, self._rng.random(values.shape[1]) < self.share]
        self._seen += values.shape[1]
        joined = np.concatenate([self._largest, values], axis=1)
        extra = joined.shape[1] - self._room
        self._largest = np.partition(joined, extra, axis=1)[:, extra:] if extra > 0 else joined

    def levels(self) -> np.ndarray:
        """(u,)"""
        rank = min(int(np.floor(self._quantile * self._seen)) + 1, self._largest.shape[1])
        place = self._largest.shape[1] - rank
        return np.asarray(np.partition(self._largest, place, axis=1)[:, place])

    @property
    def note(self) -> tuple[str, ...]:
        """How far the levels can be trusted, where they are not exact"""
        if self.share == 1:
            return ()
        error = np.sqrt((1 - self.share) / KEPT)
        return (
            f"levels from {self.share:.1%} of all places: the share above them is off by {error:.1%} of itself (standard error)",
        )
