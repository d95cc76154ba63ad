"""Rankings: a number for each row that says which to look at first, and, where the truth is known, how true that turned out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.stats import rankdata

from pellucid.core.errors import InputError
from pellucid.core.records import Record, per_row

_Z95 = 1.959963984540054


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking(Record):
    """`scores (n,)`, the larger the sooner to be looked at; `wrong (n,)`, which rows deserved it, where that is known."""

    truth_from: ClassVar[str]  # the call that tells what is true

    scores: np.ndarray = per_row()
    wrong: np.ndarray | None = per_row(None)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def order(self) -> np.ndarray:
        """(n,) rows, the first to look at first; equal ones in the order of the data"""
        return np.argsort(-self.scores, kind="stable")

    def top(self, k: int = 5) -> list[tuple[int, float]]:
        """The first k rows with their scores."""
        return [(int(row), float(self.scores[row])) for row in self.order[:k]]

    def found(self, share: float) -> float:
        """The share of all wrong ones that lie among this share of the rows, the first ones; chance finds `share`."""
        wrong = self._known()
        return float(wrong[self.order[: round(share * len(self))]].sum() / max(wrong.sum(), 1))

    def precision(self) -> np.ndarray:
        """(n,) the share of wrong ones among the first 1, 2, ... n rows"""
        return np.asarray(self._known()[self.order].cumsum() / np.arange(1, len(self) + 1))

    def auroc(self) -> tuple[float, float, float]:
        """How often a wrong row scores above a right one, and the ends of its 95 % interval; 0.5 is chance.

        The interval is that of DeLong, DeLong & Clarke-Pearson (Biometrics 1988), cut at 0 and 1.
        """
        wrong = self._known()
        m, k = int(wrong.sum()), int((~wrong).sum())
        if not m or not k:
            raise InputError(f"{m} of {len(self)} rows are wrong: how well scores tell right from wrong needs both.")
        ranks = rankdata(self.scores)
        above = (ranks[wrong] - rankdata(self.scores[wrong])) / k  # of each wrong row, the share of right ones below it
        below = 1 - (ranks[~wrong] - rankdata(self.scores[~wrong])) / m
        area = float(above.mean())
        reach = _Z95 * np.sqrt(sum(part.var(ddof=1) / len(part) for part in (above, below) if len(part) > 1))
        return area, max(0.0, area - float(reach)), min(1.0, area + float(reach))

    def _known(self) -> np.ndarray:
        if self.wrong is None:
            raise InputError(f"nothing is known of the true labels: give {self.truth_from}.")
        return self.wrong
