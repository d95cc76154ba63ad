"""The nearest row with the wanted answer.

Wachter, Mittelstadt & Russell, "Counterfactual explanations without opening the black box" (2017): among all rows z with the wanted
answer, the one with the smallest distance to x. They minimise max over lambda of

    lambda (f(z) - y')^2 + d(x, z),      d(x, z) = sum_j |z_j - x_j| / MAD_j

which for growing lambda is the problem solved here, minimise d(x, z) subject to f(z) being the wanted answer, and every
answer is held to it: what is handed back *has* the wanted answer. Four things differ from a descent on that sum. The border is
reached by solving the linearised problem exactly, over and over (`polish.py`), by the network's gradients or by differences of
a black box's answers; where there are no slopes (trees, levels, whole numbers), changes found otherwise are undone and drawn
in (`search.py`). The search begins at many places: single changes, the best of them together, rows of the background that have
the answer. All rows are searched in step, so that each round is one call of the model. And columns of levels count 1 where
they changed, as in Mothilal, Sharma & Tan (DiCE, 2020), from whom the wish for several answers that differ comes as well.

The price of an answer is d + `sparsity` times the number of changes + `plausible` times the penalty of `density`. Further
answers are those of the lowest price less `diversity` times the distance to the nearest answer already chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, check_positive
from pellucid.core.schema import Column
from pellucid.methods.counterfactual.base import ColumnMethod, Outcome
from pellucid.methods.counterfactual.distance import Distance, parse, units

if TYPE_CHECKING:
    from pellucid.methods.counterfactual.problem import Problem


@dataclass(frozen=True)
class Wachter(ColumnMethod):
    """`distance` is a norm ("l1", "l2", "linf"), alone or with the unit of its columns ("l1-mad", "l2-std", "l1-range").

    `answers` is how many a row gets; `diversity` how much they are to differ; `sparsity` the price of each change; `plausible`
    the weight of `density`, where one is given; `starts` how many places the search of a row begins at; `points` how many
    values of a number are tried alone; `probes` how many directions are tried inside of the distance of the best answer;
    `queries` how many model rows the search of one row may take.
    """

    distance: str = "l1-mad"
    answers: int = 1
    diversity: float = 0.5
    sparsity: float = 0.0
    plausible: float = 1.0
    starts: int = 6
    points: int = 12
    probes: int = 32
    queries: int = 20_000

    card: ClassVar[Card] = Card(
        question="What is the smallest change that gives another answer?",
        scope="local",
        access="black box",
        inputs=("table",),
        output="the nearest rows with the wanted answer, or why there are none",
        cost="hundreds to thousands of rows: more for many columns",
        strengths="every answer is checked on the model and against the constraints; mixed columns; several answers at once",
        weaknesses="nearest is not easiest: what can be acted on has to be said; finds no proof that there is no answer",
        paper="Wachter, Mittelstadt & Russell 2017",
        rows=1000,
        verb="counterfactual",
    )

    def __post_init__(self) -> None:
        parse(self.distance)
        check_positive(self, "answers", "starts", "points", "queries", *["probes"] * bool(self.probes))
        for name in ("answers", "starts", "points", "probes", "queries"):
            if not isinstance(getattr(self, name), int):
                raise MethodError(f"Wachter({name}={getattr(self, name)!r}): expected a whole number.")
        for name in ("diversity", "sparsity", "plausible"):
            if not (isinstance(getattr(self, name), int | float) and getattr(self, name) >= 0):
                raise MethodError(f"Wachter({name}={getattr(self, name)!r}): expected a number from 0 on.")

    def measured(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> Distance:
        coded = np.array([column.kind == "level" for column in columns])
        norm, unit = parse(self.distance)
        return Distance(norm, units(unit, background, coded), coded)

    def search(self, problem: Problem) -> Outcome:
        from pellucid.methods.counterfactual.nearest import find  # what only reads the fields is not to wait for it

        return find(self, problem)
