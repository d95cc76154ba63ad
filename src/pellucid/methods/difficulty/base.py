"""What a method that finds hard rows is, and how class probabilities are had from any classifier."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, ModelError
from pellucid.core.method import Method

if TYPE_CHECKING:
    from pellucid.models.adapter import Adapter
    from pellucid.models.prepare import Prepared

_SUM = 1e-3  # how far from 1 the probabilities of a row may add up


@dataclass(frozen=True, eq=False)
class Hard:
    """Rows, and what may be asked about them: the model, its class probabilities (n, k), the reference rows."""

    model: Any
    x: Any
    ready: Prepared
    probabilities: np.ndarray
    background: Any
    meter: Meter


class DifficultyMethod(Method):
    """One number per row, larger where the model is more likely to be wrong."""

    @abstractmethod
    def difficulty(self, hard: Hard) -> tuple[np.ndarray, tuple[str, ...]]:
        """-> (n,) and plain facts of how it went"""


def probabilities(ready: Prepared, meter: Meter) -> np.ndarray:
    """(n, k), k at least 2, of a model on its rows"""
    adapter, inputs = ready.adapter, ready.inputs
    check_classes(adapter)
    scale = "probability" if "probability" in adapter.scales else _other(adapter)
    return as_probabilities(adapter.outputs(inputs.x, scale, inputs.extra, meter, inputs.batch_size))


def check_classes(adapter: Adapter) -> None:
    """Refuse a classifier that was fitted on one class alone."""
    if adapter.classes is not None and len(adapter.classes) == 1:
        raise ModelError(
            f"the model knows one class, {adapter.classes[0]!s}, and gives it to every row: fit it on rows of at least two classes."
        )


def as_probabilities(outputs: np.ndarray) -> np.ndarray:
    """(n, k) scores or probabilities -> (n, k); one column is that of the second of two classes"""
    from scipy.special import softmax

    if outputs.ndim != 2:
        raise InputError(f"the model's output has shape {outputs.shape}: expected (n, k), one column per class.")
    shares = outputs.min() >= 0 and outputs.max() <= 1
    if outputs.shape[1] == 1:
        second = outputs if shares else 1 / (1 + np.exp(-outputs))
        return np.hstack([1 - second, second])
    if shares and np.abs(outputs.sum(axis=1) - 1).max() < _SUM:
        return outputs
    return np.asarray(softmax(outputs, axis=1))


def _other(adapter: Adapter) -> str:
    if adapter.kind == "estimator" and adapter.classes is None:
        raise InputError("this estimator is no classifier: hardest finds rows whose class is likely to be wrong.")
    return adapter.scale_of(adapter.default_target(np.zeros((1, 2))))
