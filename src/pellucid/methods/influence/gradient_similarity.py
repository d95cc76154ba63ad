"""The plain reference: how alike the gradients of a query and of a training example are.

The product grad m' grad l_i is the first-order fall of the measurement per unit of learning rate if one step were taken on
example i now (Charpiat et al., "Input Similarity from the Neural Network Perspective", NeurIPS 2019); the cosine leaves out
how large the example's gradient is, so that outliers do not lead every list.
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
class GradientSimilarity(InfluenceMethod):
    """`measure` is "dot" or "cosine"; `parameters` are patterns of names to look at, None for all."""

    measure: Literal["dot", "cosine"] = "dot"
    parameters: tuple[str, ...] | None = None

    unit: ClassVar[Literal["loss", "none"]] = "none"
    card: ClassVar[Card] = Card(
        question="Which training examples pull the network the way this query does?",
        scope="local",
        access="training data",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one signed number for every query and training example",
        cost="one gradient per training example and query",
        strengths="cheap, no inverse; a reference that better methods have to beat",
        weaknesses="looks at the trained network alone, where examples that were learned have no gradient left",
        paper="Charpiat, Girard, Felardos & Tarabalka 2019",
        rows=1,
        verb="influence",
    )

    def __post_init__(self) -> None:
        check_parameters(self)
        if self.measure not in ("dot", "cosine"):
            raise MethodError(f"GradientSimilarity(measure={self.measure!r}): expected 'dot' or 'cosine'.")

    def score(self, training: Training, progress: Progress) -> Found:
        query = query_gradients(training)
        scores, own = alike(training, query, progress)
        if self.measure == "dot":
            return Found(scores, own)
        size = np.linalg.norm(query, axis=0)[:, None] * np.sqrt(own)
        return Found(scores / np.maximum(size, 1e-300))
