"""What LIME has found so far, and the rule by which each row stops by itself: its largest standard error is small enough.

LIME gives other coefficients under other seeds, its best-known fault: the standard error says by how much, and `tolerance`
how much is allowed. Zhou, Hooker & Wang, "S-LIME" (KDD 2021), draw more samples for the same reason, until the order of
the features is settled; here the coefficients themselves are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from pellucid.core.method import Parts
from pellucid.methods.removal.lime_fit import Surrogate

_FIRST = 256  # samples at the first look at the tolerance
_POOR = 0.5  # an R2 below that is no description


@dataclass(frozen=True, eq=False)
class Found:
    """The surrogates of n rows."""

    values: np.ndarray  # (n, p)
    stderr: np.ndarray  # (n, p)
    intercept: np.ndarray  # (n,)
    fit: np.ndarray  # (n,) weighted R2
    effective: np.ndarray  # (n,) how many samples count

    @classmethod
    def nothing(cls, n: int, p: int) -> Self:
        """Before anything is asked."""
        return cls(
            np.full((n, p), np.nan), np.full((n, p), np.inf), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
        )

    @classmethod
    def of(cls, made: Surrogate) -> Self:
        """From surrogates on samples that all rows share."""
        effective = np.full(len(made.r2), made.effective)
        return cls(made.coefficients, made.stderr, made.intercept, made.r2, effective)

    def placed(self, rows: np.ndarray, other: Self) -> None:
        """Fill in what was found of some rows."""
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def reached(self, tolerance: float) -> np.ndarray:
        """(n,) whether no known standard error of the row exceeds the tolerance"""
        return np.asarray(~(self.stderr > tolerance).any(axis=1))

    def refined(self, other: Self, tolerance: float) -> Self:
        """`other` for the rows that have not stopped: a row's answer never depends on how long others go on."""
        stopped = self.reached(tolerance)
        mine, its = ([getattr(which, field.name) for field in fields(self)] for which in (self, other))
        return type(self)(
            *(np.where(stopped.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(mine, its, strict=True))
        )

    def parts(self, tolerance: float | None, base_values: np.ndarray | None, warnings: tuple[str, ...]) -> Parts:
        """What a method hands back."""
        converged = None if tolerance is None else self.reached(tolerance)
        return Parts(
            self.values,
            base_values=base_values,
            stderr=self.stderr,
            converged=converged,
            fit=self.fit,
            warnings=(*warnings, *self._missed(tolerance)),
        )

    def doubts(self, y: np.ndarray, samples: int, what: str, drawn: str = "neighbours") -> list[str]:
        """What a reader must know before believing these values; y (m, n) the answers; `what`: columns, players."""
        found, (n, p) = [], self.values.shape
        flat = int((y.max(axis=0) == y.min(axis=0)).sum())
        if flat:
            found.append(f"the score is the same for all neighbours of {flat} of {n} rows: their values are 0")
        poor = int((self.fit < _POOR).sum())
        if poor:
            found.append(
                f"the linear surrogate follows less than half of the score's variation around {poor} of {n} rows "
                f"(smallest R2 {self.fit.min():.2g})"
            )
        if self.effective.min() < 5 * (p + 1):
            found.append(
                f"the {len(y)} neighbours of a row count like {self.effective.min():.3g} for {p} {what}: take more samples "
                "or a larger kernel_width"
            )
        if len(y) < samples:
            found.append(f"only {len(y):,} of {samples:,} {drawn} a row were asked")
        return found

    def _missed(self, tolerance: float | None) -> list[str]:
        if tolerance is None or self.reached(tolerance).all():
            return []
        away = int((~self.reached(tolerance)).sum())
        return [
            f"the standard error stayed above tolerance={tolerance:g} in {away} of {len(self.fit)} rows: take more samples"
        ]


def goals(samples: int, least: int, tolerance: float | None) -> list[int]:
    """Growing numbers of samples that end with all; without a tolerance there is nothing to look at before."""
    made = [samples]
    while tolerance is not None and made[0] >= 2 * max(_FIRST, 2 * least):
        made.insert(0, made[0] // 2)
    return made
