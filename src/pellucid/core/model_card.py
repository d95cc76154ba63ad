"""A model that can be read, on one page: its rules as sentences, or its terms with their points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from pellucid.core.records import Record
from pellucid.core.rules import Condition

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Rule:
    """One rule: what it asks for (nothing: it decides about all that is left), what it says, and the rows it rests on.

    `shares (k,)` are the probabilities that it gives to the classes, none for a regression. `rows` is the weight of the training
    rows that it decided about.
    """

    conditions: tuple[Condition, ...]
    answer: str
    shares: tuple[float, ...]
    rows: float

    @property
    def words(self) -> str:
        """What it asks for: "Education <= High School and Hours <= 40"."""
        return " and ".join(str(condition) for condition in self.conditions)


@dataclass(frozen=True, eq=False, kw_only=True)
class RuleCard(Record):
    """A rule list (`ordered`: the first rule that holds decides), a decision set or a tree, whose last rule may be the default.

    `objective` is what the search minimised or, for a decision set, maximised, and `bound` what no model of its kind can beat; None
    where nothing was proven or searched.
    """

    kind: str
    classes: tuple[str, ...]
    rules: tuple[Rule, ...]
    ordered: bool = False
    objective: float | None = None
    bound: float | None = None

    def sentences(self) -> tuple[str, ...]:
        """One a rule, with how often it is right and how many rows it decided about."""
        return tuple(self._sentence(i, rule) for i, rule in enumerate(self.rules))

    def __str__(self) -> str:
        return "\n".join(self.sentences())

    def _sentence(self, i: int, rule: Rule) -> str:
        start = f"{'else if' if self.ordered and i else 'if'} {rule.words} then" if rule.conditions else "otherwise"
        start = "always" if not rule.conditions and len(self.rules) == 1 else start
        sure = f"{max(rule.shares):.0%} of " if rule.shares else ""
        return f"{start} {rule.answer} ({sure}{rule.rows:,.6g} rows)"

    def to_frame(self) -> pd.DataFrame:
        """One line a rule."""
        import pandas as pd

        made = {"rule": [rule.words for rule in self.rules], "answer": [rule.answer for rule in self.rules]}
        shares = {f"p({name})": [rule.shares[k] for rule in self.rules] for k, name in enumerate(self.classes)}
        return pd.DataFrame({**made, **shares, "rows": [rule.rows for rule in self.rules]})


@dataclass(frozen=True, eq=False, kw_only=True)
class PointsCard(Record):
    """Terms with points that are added up, and what the sum means for `answer`.

    `points (t,)` are whole numbers in a scoring system and weights in a linear model. `totals (s,)` are the sums that training rows
    have, `risks (s,)` what the model makes of them, `observed (s,)` the share of `answer` among the `rows (s,)` that have this sum;
    all empty for a linear model.
    """

    kind: str
    answer: str
    terms: tuple[str, ...]
    points: np.ndarray
    intercept: float
    totals: np.ndarray
    risks: np.ndarray
    observed: np.ndarray
    rows: np.ndarray
    objective: float | None = None
    bound: float | None = None

    def sentences(self) -> tuple[str, ...]:
        """One a term: "+2 points if age > 40"."""
        whole = self.kind == "scoring system"
        spelled = [f"{point:+.0f}" if whole else f"{point:+.3g}" for point in self.points.tolist()]
        units = [f"point{'s' if abs(point) != 1 else ''} if" if whole else "x" for point in self.points.tolist()]
        return tuple(f"{a} {unit} {term}" for a, unit, term in zip(spelled, units, self.terms, strict=True))

    def __str__(self) -> str:
        totals = (f"score {t:.0f}: {r:.0%} {self.answer}" for t, r in zip(self.totals, self.risks, strict=True))
        return "\n".join([*self.sentences(), *totals])

    def to_frame(self) -> pd.DataFrame:
        """One line a term."""
        import pandas as pd

        return pd.DataFrame({"term": self.terms, "points": self.points})


@runtime_checkable
class Readable(Protocol):
    """A fitted model that can be read."""

    def on_a_page(self) -> RuleCard | PointsCard:
        """The model as a record that is drawn, printed and kept."""
