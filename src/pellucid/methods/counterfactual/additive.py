"""Whether a model is a sum over the columns of its frame, as read off its parts: then recourse is solved exactly.

A linear model behind scalers, one-hot encoders and whatever else works on each column by itself is such a sum on the scale of
its margin,
m(z) = b + sum_j g_j(z_j), with a table of values for g_j where column j is encoded. The tables are asked of the model itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import logit

from pellucid.core.target import Class, Pick
from pellucid.methods.counterfactual.goal import Goal
from pellucid.models.adapter import BlackBox
from pellucid.models.tabular import final

LINEAR = {
    *(
        "LogisticRegression",
        "LogisticRegressionCV",
        "RidgeClassifier",
        "RidgeClassifierCV",
        "SGDClassifier",
        "LinearSVC",
    ),
    *(
        "Perceptron",
        "LinearDiscriminantAnalysis",
        "LinearRegression",
        "Ridge",
        "RidgeCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
    ),
    *(
        "ElasticNet",
        "ElasticNetCV",
        "SGDRegressor",
        "LinearSVR",
        "HuberRegressor",
        "BayesianRidge",
        "ARDRegression",
        "Lars",
    ),
}
COLUMNWISE = {
    *(
        "StandardScaler",
        "MinMaxScaler",
        "MaxAbsScaler",
        "RobustScaler",
        "OneHotEncoder",
        "OrdinalEncoder",
        "SimpleImputer",
    ),
    *("KBinsDiscretizer", "QuantileTransformer", "PowerTransformer", "SplineTransformer", "Binarizer", "TargetEncoder"),
}


def additive(model: Any) -> bool:
    """Whether the model's margin is known to be a sum over columns."""
    if hasattr(model, "best_estimator_"):
        return additive(model.best_estimator_)
    kind = type(model).__name__
    if type(model).__module__.startswith("torch.nn"):
        children = list(model.children()) if kind == "Sequential" else [model]
        return bool(children) and all(type(child).__name__ in ("Linear", "Identity", "Flatten") for child in children)
    if hasattr(model, "steps"):
        return all(_columnwise(step) for _, step in model.steps[:-1]) and additive(model.steps[-1][1])
    return type(final(model)).__name__ in LINEAR


def _columnwise(step: Any) -> bool:
    """Whether a transformer's outputs each come from one column alone."""
    if step is None or isinstance(step, str):
        return step in (None, "passthrough", "drop")
    if hasattr(step, "steps"):
        return all(_columnwise(part) for _, part in step.steps)
    if hasattr(step, "transformers_"):
        return all(_columnwise(part) for _, part, _ in step.transformers_)
    name = type(step).__name__
    return name in COLUMNWISE or (name == "FunctionTransformer" and getattr(step, "func", 0) is None)


@dataclass(frozen=True, eq=False)
class Additive:
    """A number that is a sum over columns, and the ends between which it has to come for the wanted answer."""

    f: BlackBox
    ends: tuple[float, float]

    def __call__(self, rows: np.ndarray, z: np.ndarray) -> np.ndarray:
        """z (m, p), changed rows (m,) -> (m,)"""
        return self.f.take(rows)(z.astype(self.f.inputs.x.dtype, copy=False))

    @classmethod
    def of(cls, model: Any, adapter: Any, f: BlackBox, goal: Goal) -> Additive | None:
        """For a bound goal; None where the model is not known to be a sum, or the goal asks for more than one sum at once."""
        if goal.rivals > 1 or not additive(model) or ((goal.sign < 0).any() and not _two(adapter)):
            return None
        scale = next((one for one in ("margin", "raw") if one in adapter.scales), None)
        if scale is None:
            return None
        if goal.low is None or goal.high is None:
            return cls(replace(f, scale=scale), (goal.slack, np.inf))
        plain = Pick(Class(0), goal.columns)
        if adapter.classes is None:
            return cls(replace(f, scale=scale, pick=plain), (goal.low, goal.high))
        if type(final(model)).__name__.startswith("LogisticRegression") and _two(adapter) and f.scale == "probability":
            low, high = (float(logit(min(max(end, 0.0), 1.0))) for end in (goal.low, goal.high))
            return cls(replace(f, scale="margin", pick=plain), (low, high))
        return None


def _two(adapter: Any) -> bool:
    """Whether to be not in one class is to be in the other."""
    return adapter.classes is None or len(adapter.classes) == 2
