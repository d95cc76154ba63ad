"""Values with their standard errors while a sampled method goes on, and the rule by which each row stops by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import stdtrit

from pellucid.core.method import Parts

_NORMAL = 1.959963984540054  # half the width of a 95 % interval, in standard errors


@dataclass(frozen=True, eq=False)
class Estimate:
    """values, stderr (n, p), of pairs (n, p, p); a standard error that is not known is NaN."""

    values: np.ndarray
    stderr: np.ndarray

    @classmethod
    def even(cls, change: np.ndarray, p: int) -> Self:
        """What is known before anything is asked: `change (n,)` divided evenly. One player takes it all, for certain."""
        values = np.repeat(change[:, None] / p, p, axis=1)
        return cls(values, np.full(values.shape, 0.0 if p == 1 else np.nan))

    def reached(self, tolerance: float | None) -> np.ndarray:
        """(n,) whether every standard error of the row is within tolerance; without one, never."""
        if tolerance is None:
            return np.zeros(len(self.values), bool)
        return np.asarray((self.stderr <= tolerance).reshape(len(self.values), -1).all(axis=1))

    def refined(self, other: Self, tolerance: float | None) -> Self:
        """`other` for the rows that have not stopped: a row's answer never depends on how long others go on."""
        stopped = self.reached(tolerance).reshape(-1, *[1] * (self.values.ndim - 1))
        return type(self)(np.where(stopped, self.values, other.values), np.where(stopped, self.stderr, other.stderr))

    def parts(self, base: np.ndarray, tolerance: float | None) -> Parts:
        """What a method hands back; base (n,)"""
        converged = None if tolerance is None else self.reached(tolerance)
        return Parts(self.values, base_values=base, stderr=self.stderr, converged=converged)


def widened(variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Standard errors such that +- 1.96 of them is Student's 95 % interval with so many degrees of freedom."""
    quantile = stdtrit(np.maximum(freedom, 1), 0.975) / _NORMAL
    return np.where(variance > 0, np.sqrt(np.maximum(variance, 0)) * quantile, 0.0)
