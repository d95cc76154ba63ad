"""TracIn: what training on an example did to a query's loss, followed through the checkpoints of training.

Pruthi, Liu, Kale & Sundararajan, "Estimating Training Data Influence by Tracing Gradient Descent" (NeurIPS 2020). A step of
size eta on example i changes a measurement m by -eta grad m' grad l_i to first order. Summed over checkpoints theta_k, which stand
for the steps around them (TracInCP),

    score_i = sum_k eta_k grad m(theta_k)' grad l_i(theta_k)

positive where training on i lowered m. `layer` names one linear layer whose gradients alone are looked at: they are outer
products of the layer's input a and the gradient b at its output, so that their product is (a' a_i)(b' b_i) and none is made.
The scores count a visit of the example at each checkpoint; what one visit of many did is that times the visits in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card
from pellucid.methods.influence.base import Found, InfluenceMethod, Progress, alike, check_parameters, query_gradients

if TYPE_CHECKING:
    from pellucid.models.training.gradients import Training


@dataclass(frozen=True)
class TracIn(InfluenceMethod):
    """`layer` names one linear layer to look at; `parameters` are patterns of names to look at instead, None for all."""

    layer: str | None = None
    parameters: tuple[str, ...] | None = None

    unit: ClassVar[Literal["loss", "none"]] = "loss"
    checkpointed: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        question="How much did training on this example lower this query's loss?",
        scope="local",
        access="training data",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one signed number for every query and training example",
        cost="one gradient per example and checkpoint; with `layer`, one backward pass to it",
        strengths="needs no minimum and no inverse: follows the training that really took place",
        weaknesses="needs checkpoints and their learning rates; first order in the step; momentum and batches are left out",
        paper="Pruthi, Liu, Kale & Sundararajan 2020",
        rows=1,
        verb="influence",
    )

    def __post_init__(self) -> None:
        check_parameters(self)
        if self.layer is not None and self.parameters is not None:
            raise MethodError("TracIn(layer=..., parameters=...): the layer's parameters are looked at; leave one out.")

    def score(self, training: Training, progress: Progress) -> Found:
        scores, own = np.zeros((training.q, training.n)), np.zeros(training.n)
        for state, rate in training.checkpoints:
            with training.at(state):
                products, size = self._products(training, progress)
            scores += rate * products
            own += rate * size
        return Found(scores, own)

    def _products(self, training: Training, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
        """The products of gradients (q, n), and each training example's with itself (n,), at one checkpoint."""
        if self.layer is None:
            return alike(training, query_gradients(training), progress)
        scores, own = np.empty((training.q, training.n)), np.empty(training.n)
        a_query, b_query = _sides(training, "query", self.layer)
        for rows in training.blocks("train"):
            a, b = training.sides("train", rows, self.layer)
            scores[:, rows] = (a_query @ a.T) * (b_query @ b.T)
            own[rows] = (a**2).sum(axis=1) * (b**2).sum(axis=1)
            progress(len(rows))
        return scores, own


def _sides(training: Training, of: str, layer: str) -> tuple[np.ndarray, np.ndarray]:
    found = [training.sides(of, rows, layer) for rows in training.blocks(of)]
    return np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found])
