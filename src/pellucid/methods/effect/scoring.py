"""How good are the predictions? A scikit-learn scorer by its name, or a function of truth and prediction with its direction."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, MethodError, ModelError, PellucidError
from pellucid.models.adapter import Adapter
from pellucid.models.tabular import EstimatorAdapter


@dataclass(frozen=True, eq=False)
class Metric:
    """A number for a model's answers on rows (n, p) with truth y; `sign` is 1 where greater is better, else -1."""

    name: str
    sign: int
    judge: Callable[[np.ndarray, np.ndarray], Any]

    def quality(self, x: np.ndarray, y: np.ndarray) -> float:
        """x (n, p), y (n,) or (n, k) -> larger = better"""
        return self.sign * self(x, y)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> float:
        """The metric as it is."""
        value = np.asarray(self._judged(x, y))
        if value.size != 1 or value.dtype.kind not in "fiub" or not np.isfinite(value).all():
            raise MethodError(
                f"metric {self.name!r} gave {value!r} on {len(x)} rows: expected one finite number; "
                "check that it suits this y."
            )
        return float(value.reshape(()))

    def _judged(self, x: np.ndarray, y: np.ndarray) -> Any:
        try:
            return self.judge(x, y)
        except PellucidError:
            raise
        except AttributeError as error:
            raise MethodError(
                f"metric {self.name!r} asks the model for what it does not have ({error}): "
                "choose a metric of what it predicts, such as 'accuracy' or 'r2'."
            ) from error
        except Exception as error:
            raise ModelError(
                f"measuring {self.name!r} on a table of shape {x.shape} raised {type(error).__name__}: {error} "
                "Check that the model takes these rows and that the metric suits this y."
            ) from error


def as_metric(metric: Any, adapter: Adapter, meter: Meter) -> Metric:
    """A metric of what a user may give: None (accuracy or r2), a scorer's name, or (function, greater_is_better)."""
    estimator = adapter if isinstance(adapter, EstimatorAdapter) else None
    if metric is None:
        metric = _default(estimator)
    if isinstance(metric, str):
        return _scorer(metric, estimator, meter)
    try:
        function, greater = metric
    except (TypeError, ValueError):
        function, greater = None, None
    if not callable(function) or not isinstance(greater, bool | np.bool_):
        raise MethodError(
            f"metric {metric!r} is none: give a scikit-learn scorer's name, or (function(y, prediction), greater_is_better) "
            "with True for a score and False for a loss."
        )
    predict = _outputs(adapter, meter) if estimator is None else _predictions(estimator, meter)
    name = getattr(function, "__name__", type(function).__name__)
    return Metric(name, 1 if greater else -1, lambda x, y: function(y, predict(x, y)))


def as_truth(y: Any, rows: int) -> np.ndarray:
    """y as an array (rows,) or (rows, k), whatever it holds."""
    if y is None:
        raise InputError(
            "importance compares predictions with the truth and got y=None: give the true labels or values."
        )
    if hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    truth = np.asarray(y.to_numpy() if hasattr(y, "to_numpy") else y)
    if truth.ndim < 1 or len(truth) != rows:
        raise InputError(f"y has shape {truth.shape} for {rows} rows of X: give one true label or value a row.")
    return truth


def _default(estimator: EstimatorAdapter | None) -> str:
    from sklearn.base import is_classifier, is_regressor

    if estimator is not None and is_classifier(estimator.model):
        return "accuracy"
    if estimator is not None and is_regressor(estimator.model):
        return "r2"
    raise MethodError(
        "this model does not say whether it classifies or regresses, so there is no default metric: "
        "give metric=(function(y, outputs), greater_is_better)."
    )


def _scorer(name: str, estimator: EstimatorAdapter | None, meter: Meter) -> Metric:
    from sklearn.metrics import get_scorer, get_scorer_names

    if name not in get_scorer_names():
        near = difflib.get_close_matches(name, get_scorer_names(), n=3)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "see sklearn.metrics.get_scorer_names()."
        raise MethodError(f"metric {name!r} is no scorer of scikit-learn: {hint}")
    if estimator is None:
        raise MethodError(
            f"metric {name!r} is a scorer of scikit-learn and needs an estimator with predict: for a function or a network "
            "give metric=(function(y, outputs), greater_is_better)."
        )
    scorer = get_scorer(name)

    def judge(x: np.ndarray, y: np.ndarray) -> Any:
        value = scorer(estimator.model, estimator.rows(x), y)
        meter.add(forward=len(x))
        return value

    return Metric(name, 1, judge)


def _predictions(estimator: EstimatorAdapter, meter: Meter) -> Callable[[np.ndarray, np.ndarray], Any]:
    """What `predict` says: classes or values."""

    def predict(x: np.ndarray, y: np.ndarray) -> Any:
        made = estimator.model.predict(estimator.rows(x))
        meter.add(forward=len(x))
        return made

    return predict


def _outputs(adapter: Adapter, meter: Meter) -> Callable[[np.ndarray, np.ndarray], Any]:
    """What a function or a network returns; a single column comes in the shape of y, so that y - outputs is no table."""

    def predict(x: np.ndarray, y: np.ndarray) -> Any:
        outputs = adapter.outputs(x, adapter.scales[0], {}, meter, None)
        return outputs.reshape(y.shape) if outputs.size == y.size else outputs

    return predict
