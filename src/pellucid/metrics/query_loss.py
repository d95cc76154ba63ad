"""How wrong is a model on each query? Log loss where it classifies, squared error where it says one number.

A network's outputs are logits, and so is its only output where all labels are whole numbers 0 and 1; otherwise that is a value. A
function's outputs are a value, or the probabilities of the classes 0, 1, ...
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_expit, log_softmax

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, ModelError
from pellucid.models.adapter import Adapter
from pellucid.models.prepare import prepare

_LEAST = float(np.finfo(float).eps)  # probabilities below it count as this, as in scikit-learn


def losses(model: Any, X: Any, y: np.ndarray, meter: Meter) -> np.ndarray:
    """X (q, ...), y (q,) true labels or values -> (q,)"""
    ready = prepare(model, X)
    adapter, inputs = ready.adapter, ready.inputs
    if adapter.classes is not None and "log loss" not in adapter.scales:
        raise ModelError("this classifier gives no probabilities, so its loss is unknown: give one with predict_proba.")
    scale = adapter.scales[0] if adapter.classes is None else "log loss"
    with adapter.session():
        outputs = adapter.outputs(inputs.x, scale, inputs.extra, meter, None)
    if outputs.ndim != 2:
        raise ModelError(f"the model's output has shape {outputs.shape}, not (n, k): there is no loss of it.")
    if adapter.classes is not None:
        return _of_classes(outputs, y, list(adapter.classes))
    binary = "probability" in adapter.scales and y.dtype.kind in "iub" and np.isin(y, (0, 1)).all()
    if outputs.shape[1] == 1 and not binary:
        return np.asarray((outputs[:, 0] - _values(y)) ** 2)
    if outputs.shape[1] == 1:
        outputs = np.concatenate([-outputs, outputs], axis=1)
        return -log_expit(outputs[np.arange(len(y)), y.astype(int)])
    return _of_classes(_negative_logs(adapter, outputs), y, list(range(outputs.shape[1])))


def _of_classes(logs: np.ndarray, y: np.ndarray, classes: list[Any]) -> np.ndarray:
    """logs (q, k) of each class -> (q,) that of the true one; a class that the model has never seen has no probability"""
    known = {one.item() if isinstance(one, np.generic) else one: column for column, one in enumerate(classes)}
    columns = np.array([known.get(label, -1) for label in y.tolist()])
    return np.where(columns < 0, -np.log(_LEAST), logs[np.arange(len(y)), columns])


def _negative_logs(adapter: Adapter, outputs: np.ndarray) -> np.ndarray:
    """outputs (q, k) -> minus the logarithm of each class's probability"""
    if "probability" in adapter.scales:
        return np.asarray(-log_softmax(outputs, axis=1))
    if (outputs < 0).any() or np.abs(outputs.sum(axis=1) - 1).max() > 1e-3:
        raise ModelError(
            "this function returns several numbers that are no probabilities, so its loss is unknown: let it return probabilities "
            "(n, k), or one value (n,)."
        )
    return -np.log(np.maximum(outputs, _LEAST))


def _values(y: np.ndarray) -> np.ndarray:
    try:
        return y.astype(float)
    except ValueError as error:
        raise InputError(f"the model says one number, and a label is {y.tolist()[0]!r}: give numbers.") from error
