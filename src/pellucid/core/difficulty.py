"""Difficulty: how likely a model is to be wrong about each row, and, where the truth is known, how true that turned out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pellucid.core.ranking import Ranking
from pellucid.core.records import per_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Difficulty(Ranking):
    """`scores (n,)`, larger where an error is more likely; `predicted (n,)`; `wrong (n,)` where the true labels were given."""

    truth_from: ClassVar[str] = "hardest(..., y=)"

    predicted: np.ndarray = per_row()
    method: Any = None

    def to_frame(self) -> pd.DataFrame:
        """One line per row, the hardest first."""
        import pandas as pd

        order = self.order
        wrong = {} if self.wrong is None else {"wrong": self.wrong[order]}
        return pd.DataFrame({"row": order, "score": self.scores[order], "predicted": self.predicted[order], **wrong})
