"""What a method that finds label errors is: labelled rows and a model in, one number for each label out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.method import Method

_LEAST = 1e-9  # smaller probabilities count as this one: a forest often says 0


@dataclass(frozen=True, eq=False)
class Labelled:
    """Rows X with labels: as they were given `(n,)`, and as columns of the model's output; the model's probabilities (n, k)."""

    model: Any
    X: Any
    labels: np.ndarray
    columns: np.ndarray
    probabilities: np.ndarray
    classes: tuple[Any, ...] | None  # an estimator's, in the order of the columns
    trusted: Any  # (X, columns) that are known to be right, or None
    checkpoints: Any
    meter: Meter


@dataclass(frozen=True, eq=False)
class Suspicion:
    """`scores (n,)`, and the probabilities (n, k) that suggest another label; None takes the model's own."""

    scores: np.ndarray
    probabilities: np.ndarray | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class LabelMethod(Method):
    """One number per row, larger where the label is more likely to be wrong."""

    @abstractmethod
    def suspect(self, rows: Labelled) -> Suspicion: ...


def loss(probabilities: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(n, k), (n,) -> (n,) minus the log-probability of each label"""
    return -np.log(np.maximum(probabilities[np.arange(len(columns)), columns], _LEAST))
