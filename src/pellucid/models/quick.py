"""A few rows answered by a model's own trees, without the toll of its front door.

Asked for one row, a forest spends its time on starting threads and a boosted model on validating its input: up to a hundred times
what the trees take. Here the library's own compiled trees are asked in the order in which the library's `predict` asks and adds
them up, so answers are the same to the bit. Only models of the library's own classes are asked so, never a class derived from one
or a model with a `predict` of its own; what is not known for certain to be the same goes through the front door (None).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

MOST = 16  # rows; the toll is soon lost among more

Answer = Callable[[Any, np.ndarray], np.ndarray | None]


def answer(model: Any, x: Any, scale: str) -> np.ndarray | None:
    """x (b, p) -> outputs on the scale as `predict` and its kin give them, (b,) or (b, k), or None: ask the front door."""
    if not (isinstance(x, np.ndarray) and len(x) <= MOST and x.dtype.kind == "f"):
        return None
    kind = type(model)
    ask = _KNOWN.get((kind.__module__.partition(".")[0], kind.__name__, scale))
    if ask is None or not _FRONT.isdisjoint(vars(model)):
        return None
    try:
        return ask(model, x)
    except (AttributeError, TypeError, ValueError):  # another version of the library, or a model that is not fitted
        return None


def _averaged(model: Any, x: np.ndarray) -> np.ndarray | None:
    """A forest: the mean of its trees, one after the other."""
    rows = _single(x)
    if rows is None or not np.isscalar(model.n_outputs_) or model.n_outputs_ != 1:
        return None
    classes = getattr(model, "n_classes_", None)
    total = np.zeros(len(x) if classes is None else (len(x), classes))
    for member in model.estimators_:
        found = member.tree_.predict(rows)
        total += found[:, 0] if classes is None else found[:, :classes]
    total /= len(model.estimators_)
    return total


def _boosted(model: Any, x: np.ndarray) -> np.ndarray | None:
    """Gradient boosting: a start that is the same for all rows, and its stages."""
    from sklearn.ensemble._gradient_boosting import predict_stages

    rows = _single(x)
    if rows is None or type(model.init_).__name__ != "DummyRegressor":
        return None
    start = np.full((len(x), 1), float(model.init_.constant_.item()))
    predict_stages(model.estimators_, rows, model.learning_rate, start)
    return np.asarray(start.ravel())


def _histogram(model: Any, x: np.ndarray) -> np.ndarray | None:
    """Histogram gradient boosting of numbers, on one thread."""
    if model._preprocessor is not None:
        return None
    rows = np.ascontiguousarray(x, np.float64)
    total = np.zeros((len(x), model.n_trees_per_iteration_), model._baseline_prediction.dtype, order="F")
    total += model._baseline_prediction
    sets, places = model._bin_mapper.make_known_categories_bitsets()
    for stage in model._predictors:
        for k, tree in enumerate(stage):
            total[:, k] += tree.predict(rows, sets, places, 1)
    return total.ravel() if total.shape[1] == 1 else total


def _histogram_value(model: Any, x: np.ndarray) -> np.ndarray | None:
    """A regressor's value, behind the link of its loss."""
    sums = _histogram(model, x)
    return None if sums is None else np.asarray(model._loss.link.inverse(sums))


def _lightgbm(raw: bool) -> Answer:
    """LightGBM's booster on one thread, where none of the estimator's further parameters may change how it predicts."""

    def ask(model: Any, x: np.ndarray) -> np.ndarray | None:
        if not _SILENT.issuperset(model._other_params):
            return None
        return np.asarray(model.booster_.predict(x, raw_score=raw, num_threads=1))

    return ask


def _single(x: np.ndarray) -> np.ndarray | None:
    """Rows as scikit-learn's trees compare them, None where it would refuse them or follow missing values."""
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(x, np.float32)
    return rows if np.isfinite(rows).all() else None


def steady(model: Any) -> bool:
    """Whether this is a library's own tree ensemble, which draws no random numbers when it is asked."""
    kind = type(model)
    known = (kind.__module__.partition(".")[0], kind.__name__) in _STEADY
    return known and _FRONT.isdisjoint(vars(model))


_FRONT = frozenset({"predict", "predict_proba", "decision_function"})
# further parameters of LightGBM that speak of training only
_SILENT = frozenset(
    {"verbose", "verbosity", "deterministic", "force_col_wise", "force_row_wise", "max_bin", "metric", "seed"}
    | {"min_data_in_leaf", "feature_fraction", "bagging_fraction", "bagging_freq", "lambda_l1", "lambda_l2"}
)
_FORESTS = ("RandomForest", "ExtraTrees")
_KNOWN: dict[tuple[str, str, str], Answer] = {
    **{("sklearn", f"{name}Regressor", "raw"): _averaged for name in _FORESTS},
    **{("sklearn", f"{name}Classifier", "probability"): _averaged for name in _FORESTS},
    ("sklearn", "GradientBoostingRegressor", "raw"): _boosted,
    ("sklearn", "HistGradientBoostingRegressor", "raw"): _histogram_value,
    ("sklearn", "HistGradientBoostingClassifier", "margin"): _histogram,
    ("lightgbm", "LGBMRegressor", "raw"): _lightgbm(raw=False),
    ("lightgbm", "LGBMClassifier", "margin"): _lightgbm(raw=True),
}
_STEADY = {(library, name) for library, name, _ in _KNOWN} | {
    ("sklearn", "GradientBoostingClassifier"),
    ("lightgbm", "LGBMRanker"),
    ("xgboost", "XGBRegressor"),
    ("xgboost", "XGBClassifier"),
}
