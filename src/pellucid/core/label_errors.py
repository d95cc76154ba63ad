"""Label errors: which labels are likely to be wrong, what the model says instead, and where the truth is known how right it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pellucid.core.ranking import Ranking
from pellucid.core.records import per_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelErrors(Ranking):
    """`scores (n,)`, larger where the label is more suspect; `labels (n,)` as they were given.

    `suggested (n,)` is the most likely class, of probability `confidence (n,)`, and `support (n,)` the probability of the label
    itself. `wrong (n,)` says which labels differ from the truth, where that was given. `classes` are all labels there are.
    """

    truth_from: ClassVar[str] = "label_errors(..., truth=)"

    labels: np.ndarray = per_row()
    suggested: np.ndarray = per_row()
    confidence: np.ndarray = per_row()
    support: np.ndarray = per_row()
    classes: tuple[Any, ...] = ()
    method: Any = None

    def to_frame(self) -> pd.DataFrame:
        """One line per row, the most suspect first."""
        import pandas as pd

        order = self.order
        facts = {
            "label": self.labels,
            "suggested": self.suggested,
            "confidence": self.confidence,
            "support": self.support,
        }
        wrong = {} if self.wrong is None else {"wrong": self.wrong[order]}
        columns = {name: values[order] for name, values in facts.items()}
        return pd.DataFrame({"row": order, "score": self.scores[order], **columns, **wrong})
