"""Estimators and pipelines of the scikit-learn kind, on arrays or on frames whose columns are the players.

Frames reach the model with the user's own columns, order and dtypes; encoders inside a pipeline stay invisible.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from pellucid.core.errors import InputError, ModelError
from pellucid.core.frames import Codec
from pellucid.core.target import Class, Target
from pellucid.models import quick
from pellucid.models.adapter import Adapter, Extra
from pellucid.models.text import Texts

_BOOSTED = ("GradientBoosting", "HistGradientBoosting", "XGB", "LGBM", "CatBoost")


class EstimatorAdapter(Adapter):
    """A fitted estimator: probabilities or margins of a classifier, values of a regressor."""

    kind = "estimator"
    packages = ("scikit-learn",)
    batch_rows = 65_536  # looking at what it is given takes an estimator longer than 16,384 rows take a cheap one

    def __init__(self, model: Any, codec: Codec | Texts | None = None, order: Sequence[str] | None = None) -> None:
        self.model, self.codec, self.order = model, codec, order
        found = getattr(model, "classes_", None)
        self.classes = None if found is None or isinstance(found, list) else list(found)
        self.scales = _scales(model)

    def default_target(self, outputs: np.ndarray) -> Target:
        if self.classes is not None and len(self.classes) == 2:
            return Class(1)
        return super().default_target(outputs)

    def scale_of(self, target: Target) -> str:
        if not self.scales:
            raise ModelError(
                f"{type(final(self.model)).__name__} gives class labels only: explain one with predict_proba or "
                "decision_function, or wrap it in a function that returns scores (n, k)."
            )
        return super().scale_of(target)

    def rows(self, x: np.ndarray) -> Any:
        """x (b, p) -> what the model takes: a frame as the user's own, a list of texts, or the array itself."""
        return x if self.codec is None else self.codec.decode(x, self.order)

    def forward(self, x: np.ndarray, scale: str, extra: Extra) -> Any:
        if extra:
            raise InputError(
                f"extra inputs ({', '.join(extra)}) are for functions and networks; wrap the estimator in a function."
            )
        rows = self.rows(x)
        if (known := quick.answer(self.model, rows, scale)) is not None:
            return known if scale != "margin" else _both_sides(known)
        if scale == "probability":
            return self.model.predict_proba(rows)
        if scale == "margin":
            margin = np.asarray(_margin(self.model, rows))
            return margin if self.classes is None else _both_sides(margin)
        if scale == "log loss":
            return _log_loss(self.model, rows)
        if scale == "depth":
            return -np.log2(-np.asarray(self.model.score_samples(rows)))
        return np.asarray(self.model.predict(rows), dtype=float)


def is_estimator(model: Any) -> bool:
    """Whether this is a model of the scikit-learn kind."""
    return hasattr(model, "predict") and hasattr(model, "fit")


def used_columns(model: Any) -> list[str] | None:
    """The columns that a model was fitted with, if it remembers them."""
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def final(model: Any) -> Any:
    """The estimator at the end of pipelines and searches."""
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "steps"):
            model = model.steps[-1][1]
        else:
            return model


def _scales(model: Any) -> tuple[str, ...]:
    probability, margin = hasattr(model, "predict_proba"), hasattr(model, "decision_function")
    boosted = type(final(model)).__name__.startswith(_BOOSTED)
    if boosted and probability:
        return ("margin", "probability", "log loss")
    if type(final(model)).__name__ == "IsolationForest":
        return ("margin", "depth")
    found = ("probability",) * probability + ("margin",) * margin + ("log loss",) * probability
    labels_only = not found and getattr(model, "classes_", None) is not None
    return () if labels_only else found or ("raw",)


def _margin(model: Any, rows: Any) -> Any:
    name = type(final(model)).__name__
    if name.startswith("LGBM"):
        return model.predict_proba(rows, raw_score=True)
    if name.startswith("XGB"):
        return model.predict(rows, output_margin=True)
    if name.startswith("CatBoost"):
        return model.predict(rows, prediction_type="RawFormulaVal")
    return model.decision_function(rows)


def _log_loss(model: Any, rows: Any) -> np.ndarray:
    """(n, k): minus the logarithm of each class's probability, which scikit-learn clips in the same way."""
    if getattr(final(model), "objective", None) == "binary:logistic":  # probabilities come in float32 there
        likely = expit(_both_sides(np.asarray(_margin(model, rows), dtype=float)))
    else:
        likely = np.asarray(model.predict_proba(rows), dtype=float)
    return -np.log(np.maximum(likely, np.finfo(float).eps))


def _both_sides(margin: np.ndarray) -> np.ndarray:
    """A binary margin (n,) is that of classes_[1]; its negative is that of classes_[0]: (n, 2)."""
    return np.stack([-margin, margin], axis=1) if margin.ndim == 1 else margin
