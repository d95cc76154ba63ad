"""Where two explanations of the same outputs disagree, and which of them the evidence is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Evidence:
    """One metric on the disputed rows: the first's advantage less the second's, paired, with its 95 % interval.

    `side` is the name of the one that the interval speaks for; None where it holds 0 or where there are fewer than two rows.
    """

    metric: str
    difference: float
    low: float
    high: float
    rows: int
    side: str | None


@dataclass(frozen=True, eq=False)
class Dispute:
    """Two methods, the rows that they rank differently, what they rank most differently there, and the evidence.

    `rows (r,)` are those whose rank correlation is `below` a bound; `places` (r, k) names what lies furthest apart in each of
    them, `apart (r, k)` how far: the first's rank less the second's, as a share of all ranks, positive where the first
    ranks it higher. `features` (k,) are the names that lie furthest apart over all these rows.
    """

    first: str
    second: str
    below: float
    judged: int  # rows where both have a pattern
    rows: np.ndarray
    places: tuple[tuple[str, ...], ...]
    apart: np.ndarray
    features: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    @property
    def side(self) -> str | None:
        """The method that all metrics which take a side are for; None if none does, or if they contradict each other."""
        sides = {evidence.side for evidence in self.evidence if evidence.side is not None}
        return sides.pop() if len(sides) == 1 else None

    @property
    def sentence(self) -> str:
        """In words: how often, about what, and who is supported."""
        pair = f"{self.first} and {self.second}"
        if not self.judged:
            return f"{pair}: no row where both have a pattern"
        if not len(self.rows):
            return f"{pair} rank alike in every row (rank correlation at least {self.below:g})"
        found = (
            f"{pair} rank differently in {len(self.rows)} of {self.judged} rows, most of all {', '.join(self.features)}"
        )
        return f"{found}; {self._support()}"

    def _support(self) -> str:
        if not self.evidence:
            return "no metric that measures against random was asked"
        taken = [evidence for evidence in self.evidence if evidence.side is not None]
        if not taken:
            if max(evidence.rows for evidence in self.evidence) < 2:
                return "a single row gives no interval, so the evidence takes no side"
            return "the evidence takes no side"
        told = [_told(evidence, evidence.side == self.first) for evidence in taken]
        if self.side is None:
            each = (f"{words} for {evidence.side}" for words, evidence in zip(told, taken, strict=True))
            return f"the metrics contradict each other: {', '.join(each)}"
        return f"there the evidence is for {self.side}: {', '.join(told)}"

    def to_frame(self) -> pd.DataFrame:
        """One line per disputed row and place: row, place, apart."""
        import pandas as pd

        k = self.apart.shape[1] if self.apart.ndim == 2 else 0
        names = [name for row in self.places for name in row]
        return pd.DataFrame({"row": np.repeat(self.rows, k), "place": names, "apart": self.apart.reshape(-1)})


def _told(evidence: Evidence, forward: bool) -> str:
    """A difference as the advantage of the one that it is for."""
    low, high = (evidence.low, evidence.high) if forward else (-evidence.high, -evidence.low)
    return f"{evidence.metric} by {abs(evidence.difference):.3g} ({low:.3g} to {high:.3g})"
