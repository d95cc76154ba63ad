"""Recourse: what a person could do, at least cost, to get the wanted decision.

Ustun, Spangher & Liu, "Actionable Recourse in Linear Classification" (FAT* 2019): actions are steps to values on a grid of the
background's percentiles, in the columns that may change, and the cheapest combination of them that flips the decision is
wanted; cost is the total log-percentile shift or the largest percentile shift (`shift.py`).

    minimise cost(a; x)   subject to   f(x + a) is the wanted answer,   a in A(x)

Three ways, by what the model is. A sum over columns (linear models, also behind scalers and encoders, `additive.py`): a
mixed-integer
program, exact, and a proof where there is no recourse. A grid of at most `enumerated` combinations: all of them are asked,
exact and
a proof as well. Any other model: a linear surrogate is fitted around the row to `samples` combinations, as LIME does, and the
program
solved on it; its answer is asked of the model, and where that does not agree the surrogate is fitted again with the answer in
it and
a margin that is tightened, until the model flips; what is found so, or by trying changes directly, is then drawn in on the grid.
There, no answer is "none found", not a proof. The flipset, `answers` of them, changes another set of columns each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, check_positive
from pellucid.core.schema import Column
from pellucid.methods.counterfactual.actions import Grid
from pellucid.methods.counterfactual.base import ColumnMethod, Outcome
from pellucid.methods.counterfactual.exact import enumerated, programmed
from pellucid.methods.counterfactual.exchange import exchange
from pellucid.methods.counterfactual.problem import Answers, Problem, Spent, cheapest, signature
from pellucid.methods.counterfactual.search import draw_in, undo
from pellucid.methods.counterfactual.shift import Shift
from pellucid.methods.counterfactual.starts import begin
from pellucid.methods.counterfactual.surrogate import tightened

_FINE = 4  # rounds of eighths in drawing in on a grid
_STARTS = 6


@dataclass(frozen=True)
class Recourse(ColumnMethod):
    """`cost` is "total" (log-percentile shift) or "maximum" (percentile shift); `answers` how many ways a row gets; `points`
    how many
    percentiles a number's grid has; `samples` how many combinations a surrogate is fitted to; `enumerated` how many combinations
    are asked one and all; `queries` how many model rows one row may take.
    """

    cost: str = "total"
    answers: int = 1
    points: int = 25
    samples: int = 200
    enumerated: int = 1000
    queries: int = 20_000

    card: ClassVar[Card] = Card(
        question="What could a person do, at least cost, to get another decision?",
        scope="local",
        access="black box",
        inputs=("table",),
        output="the cheapest actions that flip the decision, or a proof that there are none",
        cost="for linear models hundreds of rows and a small program; for others thousands",
        strengths="exact for linear models; proves that there is no recourse; costs in percentiles compare columns",
        weaknesses="as fine as the grid; what can be acted on has to be said; for other models the cheapest found, no proof",
        paper="Ustun, Spangher & Liu 2019",
        rows=1000,
        verb="counterfactual",
    )

    def __post_init__(self) -> None:
        if self.cost not in ("total", "maximum"):
            raise MethodError(f"Recourse(cost={self.cost!r}): expected 'total' or 'maximum'.")
        names = ("answers", "points", "samples", "enumerated", "queries")
        check_positive(self, *names)
        for name in names:
            if not isinstance(getattr(self, name), int):
                raise MethodError(f"Recourse({name}={getattr(self, name)!r}): expected a whole number.")

    def measured(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> Shift:
        coded = np.array([column.kind == "level" for column in columns])
        return Shift.of(background, coded, np.array([c.ordered for c in columns]), self.cost == "maximum")

    def values(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> dict[int, np.ndarray]:
        """The grid: percentiles of the background in every column of numbers."""
        assert background is not None
        shares, made = np.linspace(0.01, 0.99, self.points), {}
        for j, column in enumerate(columns):
            known = background[~np.isnan(background[:, j]), j]
            if column.kind != "level" and len(known):
                few = np.unique(known)
                made[j] = few if len(few) <= self.points else np.unique(np.quantile(known, shares, method="nearest"))
        return made

    def search(self, problem: Problem) -> Outcome:
        outcome = Outcome(Answers.none(problem.x.shape[1]))
        grids = [Grid.of(problem, row) for row in range(len(problem.x))]
        try:
            rest = self._exactly(problem, grids, outcome)
            if len(rest):
                self._otherwise(problem, grids, rest)
        except Spent:
            pass  # what was found by then stands
        outcome.answers = cheapest(problem.found, self.answers, signature(problem, problem.found))
        return outcome

    def _exactly(self, problem: Problem, grids: list[Grid], outcome: Outcome) -> np.ndarray:
        """Rows solved by programs or by asking all combinations; -> the rows that are left."""
        if problem.additive is not None:
            return programmed(problem, grids, self.answers, outcome)
        few = [row for row, grid in enumerate(grids) if grid.size <= self.enumerated]
        enumerated(problem, [grids[row] for row in few], outcome)
        return np.setdiff1d(np.arange(len(grids)), few)

    def _otherwise(self, problem: Problem, grids: list[Grid], rest: np.ndarray) -> None:
        """By a surrogate that is tightened, and by trying changes."""
        limits = problem.space.limits
        fast = limits.frozen.copy()
        fast[np.setdiff1d(np.arange(len(fast)), rest)] = True
        problem.space.limits = limits.with_frozen(fast)
        try:
            first = tightened(problem, [grids[row] for row in rest], self.samples)
            first = first + begin(problem, self.points, 4 * _STARTS)
            near = undo(problem, draw_in(problem, undo(problem, cheapest(first, _STARTS + self.answers)), _FINE))
            exchange(problem, grids, cheapest(near, 2 + self.answers))
        finally:
            problem.space.limits = limits
