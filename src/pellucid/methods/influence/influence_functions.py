"""Influence functions: what would change if training had left an example out, to first order, without training again.

Koh & Liang, "Understanding Black-box Predictions via Influence Functions" (ICML 2017). At a minimum theta of the mean training
loss L = mean_i l_i + (l2 / 2) |theta|^2 with Hessian H, giving example i a weight of epsilon more moves a measurement m by

    d m / d epsilon = - grad m' H^-1 grad l_i

That formula is the change when the example counts *more*: for a loss, negative is helpful. Leaving the example out is
epsilon = -1/n, so that the scores here,

    score_i = grad m' (H + damping)^-1 grad l_i / n

are by how much the query's loss would *rise* without it, and positive means that training on it lowers the loss. For ridge
regression and a measurement linear in theta, score_i / (1 - h_i) is exactly the change on leaving i out, with h_i the leverage.

`l2` is the penalty of training that per-example losses do not show. `damping` is added to the Hessian for the sake of the
inverse alone, and biases the scores towards those of plain gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card
from pellucid.methods.influence.base import (
    Found,
    InfluenceMethod,
    Progress,
    check_parameters,
    products,
    query_gradients,
)
from pellucid.methods.influence.solvers import Exact, Solved, Solver

if TYPE_CHECKING:
    from pellucid.models.training.gradients import Training


@dataclass(frozen=True)
class InfluenceFunctions(InfluenceMethod):
    """`solver` is Exact(), ConjugateGradients() or LiSSA(); `l2` the penalty of training; `damping` what is added for the inverse.

    `parameters` are patterns of names to look at, None for all.
    """

    solver: Solver = Exact()
    l2: float = 0.0
    damping: float = 0.0
    parameters: tuple[str, ...] | None = None

    unit: ClassVar[Literal["loss", "none"]] = "loss"
    card: ClassVar[Card] = Card(
        question="By how much would this query's loss rise if training had left this example out?",
        scope="local",
        access="training data",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one signed number for every query and training example",
        cost="one gradient per training example; exactly, as many curvature products as there are parameters",
        strengths="predicts leaving out and training again, with the loss's own unit, where the loss is convex",
        weaknesses="assumes a minimum that moves smoothly: for deep networks it ranks examples at best",
        paper="Koh & Liang 2017",
        rows=100,
        verb="influence",
    )

    def __post_init__(self) -> None:
        check_parameters(self)
        if not isinstance(self.solver, Solver):
            raise MethodError(
                f"InfluenceFunctions(solver={self.solver!r}): expected Exact(), ConjugateGradients() or LiSSA()."
            )
        for name in ("l2", "damping"):
            if not getattr(self, name) >= 0:
                raise MethodError(f"InfluenceFunctions({name}={getattr(self, name)!r}): expected a number from 0 on.")

    def score(self, training: Training, progress: Progress) -> Found:
        solved = self.solver.solve(training, query_gradients(training), self.l2 + self.damping)
        sides = solved.v[None] if solved.draws is None else solved.draws  # (r, P, q)
        scores, own = self._scores(training, solved, sides, progress)
        return Found(
            scores.mean(axis=0) / training.n,
            None if own is None else own / training.n,
            None if len(sides) == 1 else scores.std(axis=0, ddof=1) / np.sqrt(len(sides)) / training.n,
            solved.residual,
            solved.warnings,
            ()
            if own is not None
            else ("self-influence: by the solver Exact(), or with the training examples as queries",),
        )

    def _scores(
        self, training: Training, solved: Solved, sides: np.ndarray, progress: Progress
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """sides (r, P, q) -> scores (r, q, n), and self-influence (n,) where more right-hand sides cost little"""
        if solved.solve is None:
            repeats, _, q = sides.shape
            stacked = products(training, sides.transpose(1, 0, 2).reshape(training.size, -1), progress)
            return stacked.reshape(repeats, q, training.n), None
        scores, own = np.empty((1, sides.shape[2], training.n)), np.empty(training.n)
        for rows in training.blocks("train"):
            g = training.gradients("train", rows)
            scores[0, :, rows] = g @ sides[0]
            own[rows] = np.einsum("bp,pb->b", g, solved.solve(g.T))
            progress(len(rows))
        return scores, own
