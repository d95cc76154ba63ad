"""What a method of influence is: a network's training in, one score for every query and training example out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Method

if TYPE_CHECKING:
    from pellucid.models.training.gradients import Training

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Found:
    """`scores (q, n)`, positive where training on the example lowers the query's loss."""

    scores: np.ndarray
    self_influence: np.ndarray | None = None  # (n,)
    stderr: np.ndarray | None = None  # (q, n)
    residual: np.ndarray | None = None  # (q,)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class InfluenceMethod(Method):
    """Has a field `parameters`, patterns of names such as ("head.*",), or None for all of the network's."""

    parameters: tuple[str, ...] | None
    unit: ClassVar[Literal["loss", "none"]]
    checkpointed: ClassVar[bool] = False  # whether it reads the states of the network during training

    @abstractmethod
    def score(self, training: Training, progress: Progress) -> Found:
        """`progress` hears of training examples that are done."""


def check_parameters(method: InfluenceMethod) -> None:
    """Refuse what is no tuple of patterns, when the method is made."""
    given = method.parameters
    if given is not None and not (isinstance(given, tuple) and given and all(isinstance(p, str) for p in given)):
        raise MethodError(
            f"{type(method).__name__}(parameters={given!r}): expected patterns of parameters' names, such as ('head.*',), or None."
        )


def products(training: Training, solved: np.ndarray, progress: Progress) -> np.ndarray:
    """solved (P, q) -> (q, n) its product with the gradient of every training example"""
    scores = np.empty((solved.shape[1], training.n))
    for rows in training.blocks("train"):
        scores[:, rows] = (training.gradients("train", rows) @ solved).T
        progress(len(rows))
    return scores


def alike(training: Training, query: np.ndarray, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """query (P, q) -> its products with the gradients of training examples (q, n), and of each of these with itself (n,)"""
    scores, own = np.empty((training.q, training.n)), np.empty(training.n)
    for rows in training.blocks("train"):
        g = training.gradients("train", rows)
        scores[:, rows], own[rows] = (g @ query).T, np.einsum("bp,bp->b", g, g)
        progress(len(rows))
    return scores, own


def query_gradients(training: Training) -> np.ndarray:
    """(P, q)"""
    return np.concatenate([training.gradients("query", rows) for rows in training.blocks("query")]).T
