"""What a change costs in percentiles of the background (Ustun, Spangher & Liu 2019).

    total:    sum_j |log((1 - Q_j(x_j)) / (1 - Q_j(z_j)))|        the log-percentile shift: from .9 to .95 costs as much as
    from 0 to .5 maximum:  max_j |Q_j(z_j) - Q_j(x_j)|

Q_j(v) is the share of background rows with a value of at most v, held half a row below 1, so that the last step has a price as
well. Levels without an order have no percentiles: going to one costs -log of its share in the background, and shifts by what is
left of it; 1 - Q above is the share of those who have more, and here of those who have it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import InputError
from pellucid.methods.counterfactual.distance import Distance, units


@dataclass(frozen=True, eq=False)
class Shift(Distance):
    """Sorted background values of each column, and which of the two costs is meant; `ordered (p,)` where levels have an order."""

    known: tuple[np.ndarray, ...] = ()
    ordered: np.ndarray | None = None
    maximum: bool = False

    @classmethod
    def of(cls, background: np.ndarray | None, coded: np.ndarray, ordered: np.ndarray, maximum: bool) -> Shift:
        if background is None:
            raise InputError(
                "Recourse measures changes in percentiles of the data: pass background=, for example 1,000 training rows."
            )
        known = tuple(np.sort(column[~np.isnan(column)]) for column in background.T)
        return cls("linf" if maximum else "l1", units("std", background, coded), coded, known, ordered, maximum)

    def parts(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """x, z (m, p) -> (m, p) what each column costs"""
        return np.stack([self.column(j, x[:, j], z[:, j]) for j in range(len(self.known))], axis=1)

    def column(self, j: int, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.broadcast_arrays(a, b)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        return np.where(same, 0.0, self._column(j, self.known[j], a, b))

    def _column(self, j: int, values: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        count = max(1, len(values))
        if self.coded[j] and not (self.ordered is not None and self.ordered[j]):
            has = np.searchsorted(values, b, side="right") - np.searchsorted(values, b, side="left")
            share = np.maximum(has, 0.5) / count
            return np.asarray(1 - share if self.maximum else -np.log(share))
        before, after = self.percentile(j, a), self.percentile(j, b)
        if self.maximum:
            return np.asarray(np.abs(after - before))
        return np.abs(np.log((1 - before) / (1 - after)))

    def percentile(self, j: int, values: np.ndarray) -> np.ndarray:
        """Q_j, (m,)"""
        known = self.known[j]
        count = max(1, len(known))
        share = np.searchsorted(known, values, side="right") / count
        return np.asarray(np.minimum(share, 1 - 0.5 / count))
