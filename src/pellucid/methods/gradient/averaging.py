"""The mean of a method's values over several references or noisy copies, and its standard error, in one pass.

Blocks are merged as by Chan, Golub & LeVeque (1983), which is Welford's update for blocks of one: with d = mean_b - mean_a,

    mean = mean_a + d n_b / n        S = S_a + S_b + d^2 n_a n_b / n        standard error = sqrt(S / (n - 1) / n)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Running:
    """The mean of all that was added, and S, the sum of squares around it; nothing else is kept."""

    count: int = 0
    mean: np.ndarray = field(default_factory=lambda: np.zeros(()))
    spread: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def add(self, block: np.ndarray) -> None:
        """block (k, ...) of k values"""
        k, middle = len(block), block.mean(axis=0, dtype=float)
        away, total = middle - self.mean, self.count + k
        self.mean = self.mean + away * (k / total)
        self.spread = self.spread + ((block - middle) ** 2).sum(axis=0) + away**2 * (self.count * k / total)
        self.count = total

    @property
    def stderr(self) -> np.ndarray:
        """Of the mean; NaN of a single value."""
        if self.count < 2:
            return np.full(self.mean.shape, np.nan)
        return np.asarray(np.sqrt(self.spread / (self.count - 1) / self.count))


def averaged(values: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """Values per reference, all of one shape -> their mean, and the standard error of it (None for a single reference).

    The error says how far the mean would move with other references from the same source.
    """
    running = Running()
    for one in values:
        running.add(one[None])
    return running.mean, running.stderr if running.count > 1 else None
