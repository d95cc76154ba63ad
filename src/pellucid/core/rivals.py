"""Would a model that needs no explaining do?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.fidelity import Fidelity
from pellucid.core.model_card import RuleCard
from pellucid.core.records import Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Rivals(Record):
    """The model and simple ones on the same cross-validation folds; larger scores are better, a loss has its sign turned.

    `scores` (k, folds), the model's own first. `behind` (k, 3): how far each is behind the model, with a 95 % interval that
    knows that folds share training rows (Nadeau & Bengio 2003). `enough` (k,): at most `margin` behind with that confidence.
    """

    names: tuple[str, ...]
    scores: np.ndarray
    behind: np.ndarray
    enough: np.ndarray
    margin: float
    metric: str
    rules: tuple[str, ...]  # each simple model in words, as fitted on all rows; empty for the model itself
    stand_in: RuleCard | None = None  # in an audit: a tree fitted to what the model itself says
    fidelity: Fidelity | None = None  # of that tree, on rows that it was not fitted to

    @property
    def best(self) -> str | None:
        """The simple model with the highest score among those that are good enough; None if none is."""
        ranked = np.argsort(-self.scores.mean(axis=1), kind="stable")
        return next((self.names[i] for i in ranked if i and self.enough[i]), None)

    @property
    def verdict(self) -> str:
        """One sentence."""
        own = self.scores[0].mean()
        if self.best is None:
            return f"no simple model is known to come within {self.margin:g} of the model's {self.metric} of {own:.3g}"
        i = self.names.index(self.best)
        return (
            f"a {self.best} reaches {self.scores[i].mean():.3g} ({self.metric}) where the model reaches {own:.3g}: "
            "it needs no explaining, so consider it first"
        )

    def to_frame(self) -> pd.DataFrame:
        """One line a model: name, mean score, how far behind, its interval, enough."""
        import pandas as pd

        away, low, high = self.behind.T
        facts = {"model": self.names, "score": self.scores.mean(axis=1), "behind": away, "low": low, "high": high}
        return pd.DataFrame({**facts, "enough": self.enough})
