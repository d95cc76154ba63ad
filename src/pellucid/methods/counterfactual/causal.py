"""Counterfactuals in a world where columns follow from each other: acts at least cost, and what they bring about.

Karimi, von Kuegelgen, Schoelkopf & Valera, "Algorithmic recourse under imperfect causal knowledge" (2020), and Karimi,
Schoelkopf & Valera
(2021): recourse is an act, and the features downstream of it follow; so the cheapest *act* is wanted whose counterfactual,
by abduction, action and prediction (`structure.py`), has the wanted answer,

    minimise cost(a)   subject to   f(x_SCF(a)) is the wanted answer

Mahajan, Tan & Sharma, "Preserving causal constraints in counterfactual explanations" (2019), ask the same of the distance. An
act moves a
column by a_j from where the structural model would have it, and costs what the held method's distance or cost says of moving it so
far; following costs nothing. (Karimi's hard interventions set a column to a value and cost its distance from x; the two
agree unless an act is upstream of another.) The held method searches; where the structural model matters, slopes are taken by
differences through it. `Immutable` columns stay whatever happens; with `Actionable(...)` the others may follow, but nobody
acts on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card
from pellucid.core.schema import Column
from pellucid.methods.counterfactual.base import ColumnMethod, Outcome
from pellucid.methods.counterfactual.distance import Distance
from pellucid.methods.counterfactual.fits import Fit, check_fit
from pellucid.methods.counterfactual.problem import Problem
from pellucid.methods.counterfactual.recourse import Recourse
from pellucid.methods.counterfactual.variational import VariationalCounterfactual
from pellucid.methods.counterfactual.wachter import Wachter


@dataclass(frozen=True)
class CausalCounterfactual(ColumnMethod):
    """`method` searches for acts and prices them: Wachter(...) by a distance, Recourse(...) by percentiles on a grid,
    VariationalCounterfactual(...) by a generator that is trained. `fit` is how a column is fitted of which the structural
    model names only parents: "linear", "splines" or "trees"."""

    method: Wachter | Recourse | VariationalCounterfactual = Wachter()
    fit: Fit = "linear"

    card: ClassVar[Card] = Card(
        question="What would change it, where acting on one column moves others?",
        scope="local",
        access="black box",
        inputs=("table",),
        output="the cheapest acts that flip the decision, and the rows that they lead to",
        cost="as the method that it holds",
        strengths="downstream columns follow; does not ask for what would come by itself; partial graphs are enough",
        weaknesses="as right as the structural model; noise is added, so levels cannot follow",
        paper="Karimi, Schoelkopf & Valera 2021; Mahajan, Tan & Sharma 2019",
        rows=1000,
        verb="counterfactual",
    )

    def __post_init__(self) -> None:
        check_fit("CausalCounterfactual", self.fit)

    @property
    def answers(self) -> int:  # type: ignore[override]
        return self.method.answers

    @property
    def queries(self) -> int:  # type: ignore[override]
        return self.method.queries

    @property
    def sparsity(self) -> float:  # type: ignore[override]
        return self.method.sparsity

    @property
    def plausible(self) -> float:  # type: ignore[override]
        return self.method.plausible

    def measured(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> Distance:
        return self.method.measured(background, columns)

    def values(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> dict[int, np.ndarray]:
        return self.method.values(background, columns)

    def search(self, problem: Problem) -> Outcome:
        return self.method.search(problem)
