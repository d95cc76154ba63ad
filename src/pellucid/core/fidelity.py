"""How far a model that can be read stands for the one that it was distilled from, on rows that it was not fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.core.records import Record


@dataclass(frozen=True, eq=False, kw_only=True)
class Fidelity(Record):
    """`fresh (3,)` is the agreement on rows that were kept from the fit, or the R² of scores, and its 95 % interval;
    `mixed (3,)` the same on rows whose cells come from two of them, of which the data hold few or none. `chance` is
    what one answer for all rows gets.
    """

    measure: Literal["agreement", "R²"]
    fresh: np.ndarray
    mixed: np.ndarray
    chance: float
    rows_fitted: int
    rows_fresh: int

    @property
    def sentence(self) -> str:
        """What may be said."""
        said = "gives the same answer in" if self.measure == "agreement" else "reaches an R² of"
        spelled = [self._spelled(values) for values in (self.fresh, self.mixed)]
        alone = f"{self.chance:.1%}" if self.measure == "agreement" else f"{self.chance:.3f}"
        return (
            f"on {self.rows_fresh:,} fresh rows it {said} {spelled[0]}, on rows mixed of two {spelled[1]}; one answer for all rows "
            f"would get {alone}"
        )

    def _spelled(self, values: np.ndarray) -> str:
        here, low, high = values.tolist()
        return (
            f"{here:.1%} ({low:.1%} to {high:.1%})"
            if self.measure == "agreement"
            else f"{here:.3f} ({low:.3f} to {high:.3f})"
        )
