"""How good are the predictions? A scikit-learn scorer by its name, or a function of truth and prediction with its direction."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, MethodError, ModelError, PellucidError
from pellucid.methods.effect.scorers import Judge
from pellucid.methods.effect.scores import QUICK
from pellucid.models.adapter import Adapter, first_line, missing
from pellucid.models.tabular import EstimatorAdapter


@dataclass(frozen=True, eq=False)
class Metric:
    """A number for a model's answers on rows (n, p) with truth y; `sign` is 1 where greater is better, else -1."""

    name: str
    sign: int
    judge: Callable[[np.ndarray, np.ndarray], Iterator[Any]]  # tables (s, n, p), y -> one value each
    names: Sequence[str] | None = None  # of the columns

    def qualities(self, tables: np.ndarray, y: np.ndarray) -> np.ndarray:
        """tables (s, n, p), y (n,) or (n, k) -> (s,), larger = better; the model is asked about all tables at once"""
        return self.sign * np.array([self._number(value, y) for value in self._judged(tables, y)])

    def _number(self, value: Any, y: np.ndarray) -> float:
        value = np.asarray(value)
        if value.size != 1 or value.dtype.kind not in "fiub" or not np.isfinite(value).all():
            raise MethodError(
                f"metric {self.name!r} gave {value!r} on {len(y)} rows: expected one finite number; "
                "check that it suits this y."
            )
        return float(value.reshape(()))

    def _judged(self, tables: np.ndarray, y: np.ndarray) -> list[Any]:
        try:
            return list(self.judge(tables, y))
        except PellucidError:
            raise
        except AttributeError as error:
            raise MethodError(
                f"metric {self.name!r} asks the model for what it does not have ({error}): "
                "choose a metric of what it predicts, such as 'accuracy' or 'r2'."
            ) from error
        except Exception as error:
            raise self._explained(error, tables, y) from error

    def _explained(self, error: Exception, tables: np.ndarray, y: np.ndarray) -> PellucidError:
        said = first_line(error)
        if "nan" in str(error).lower():  # any other error is not for want of values
            if y.dtype.kind == "f" and np.isnan(y).any():
                return InputError(
                    f"y holds NaN in {int(np.isnan(y).sum())} of {len(y)} rows ({said}): drop those rows."
                )
            if (where := missing(tables[0], self.names)) is not None:
                return InputError(
                    f"{where} and the model refused it ({said}): impute it, best in the model's own pipeline, or drop those rows."
                )
        return ModelError(
            f"measuring {self.name!r} on a table of shape {tables.shape[1:]} raised {said} "
            "Check that the model takes these rows and that the metric suits this y."
        )


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

    def judge(tables: np.ndarray, y: np.ndarray) -> Iterator[Any]:
        answers = predict(tables.reshape(-1, tables.shape[-1]))
        for answer in np.split(answers, len(tables)):
            # a single column comes in the shape of y, so that y - outputs is no table
            yield function(y, answer.reshape(y.shape) if estimator is None and answer.size == y.size else answer)

    return Metric(name, 1 if greater else -1, judge, adapter.names)


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
    return Metric(name, 1, Judge(get_scorer(name), QUICK.get(name), estimator, meter), estimator.names)


def _predictions(estimator: EstimatorAdapter, meter: Meter) -> Callable[[np.ndarray], np.ndarray]:
    """What `predict` says: classes or values."""

    def predict(x: np.ndarray) -> np.ndarray:
        made = np.asarray(estimator.model.predict(estimator.rows(x)))
        meter.add(forward=len(x))
        return made

    return predict


def _outputs(adapter: Adapter, meter: Meter) -> Callable[[np.ndarray], np.ndarray]:
    """What a function or a network returns."""
    return lambda x: adapter.outputs(x, adapter.scales[0], {}, meter, None)
