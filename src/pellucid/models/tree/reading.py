"""What a reader makes of a fitted model, and the table of readers by class name.

An estimator's outputs on a scale are linear in its forest's: `outputs = forest outputs @ readout.T`. Scales behind a link
(a boosted classifier's probability) are not linear in the leaves: they have a `Link` in place of a readout.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.core.errors import ModelError
from pellucid.models.tree.forest import Forest
from pellucid.models.tree.link import Link, log_loss

Encode = Callable[[Any], np.ndarray]  # rows as the estimator takes them -> (n, columns) float64


@dataclass(frozen=True, eq=False)
class Reading:
    """A forest, how its outputs make the estimator's on each scale, and how rows become its columns.

    `source` names for each column of the forest the input column that it is made of; None is one to one.
    `links` are for scales without a readout; `reasons` say why a scale has neither.
    """

    forest: Forest
    readout: dict[str, np.ndarray]  # scale -> (estimator's outputs, forest's outputs)
    encode: Encode
    source: np.ndarray | None = None
    links: dict[str, Link] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def numbers(rows: Any) -> np.ndarray:
    """An array or a frame of numbers -> (n, columns) float64."""
    if hasattr(rows, "toarray"):
        rows = rows.toarray()
    return np.asarray(rows.to_numpy() if hasattr(rows, "to_numpy") else rows, dtype=float)


def classifier(forest: Forest, encode: Encode, probability: Link | str, source: np.ndarray | None = None) -> Reading:
    """A boosted classifier: margins are sums of leaves, probabilities stand behind a link, or cannot be told for a reason."""
    readout = {"margin": both_sides() if forest.outputs == 1 else identity(forest.outputs)}
    if isinstance(probability, str):
        return Reading(forest, readout, encode, source, {}, dict.fromkeys(("probability", "log loss"), probability))
    return Reading(forest, readout, encode, source, {"probability": probability, "log loss": log_loss(probability)})


def identity(outputs: int) -> np.ndarray:
    """A readout that takes outputs as they are."""
    return np.eye(outputs)


def both_sides() -> np.ndarray:
    """One margin for two classes: its negative is the first class's."""
    return np.array([[-1.0], [1.0]])


_SKLEARN, _LIGHTGBM, _XGBOOST = (f"pellucid.models.tree.{name}" for name in ("sklearn", "lightgbm", "xgboost"))
READERS = {
    **dict.fromkeys(
        ["DecisionTreeRegressor", "DecisionTreeClassifier", "ExtraTreeRegressor", "ExtraTreeClassifier"],
        (_SKLEARN, "single_tree"),
    ),
    **dict.fromkeys(
        ["RandomForestRegressor", "RandomForestClassifier", "ExtraTreesRegressor", "ExtraTreesClassifier"],
        (_SKLEARN, "averaged"),
    ),
    "IsolationForest": (_SKLEARN, "isolation"),
    **dict.fromkeys(["GradientBoostingRegressor", "GradientBoostingClassifier"], (_SKLEARN, "boosted")),
    **dict.fromkeys(["HistGradientBoostingRegressor", "HistGradientBoostingClassifier"], (_SKLEARN, "histogram")),
    **dict.fromkeys(["LGBMRegressor", "LGBMClassifier", "LGBMRanker"], (_LIGHTGBM, "lightgbm")),
    **dict.fromkeys(["XGBRegressor", "XGBClassifier", "XGBRFRegressor", "XGBRFClassifier"], (_XGBOOST, "xgboost")),
}
_REFUSED = {
    "CatBoost": "its categorical statistics change with the rows seen before",
    "AdaBoost": "its vote is not linear in the leaves",
}


def read(estimator: Any) -> Reading:
    """The reading of a fitted estimator (the last step of a pipeline)."""
    name = type(estimator).__name__
    if name not in READERS:
        why = next((f" ({why})" for start, why in _REFUSED.items() if name.startswith(start)), "")
        raise ModelError(
            f"TreeShap does not read {name}{why}: it reads scikit-learn's trees, forests and boosting, LightGBM and XGBoost. "
            "Use KernelShap(), which only asks for predictions."
        )
    module, function = READERS[name]
    made: Reading = getattr(importlib.import_module(module), function)(estimator)
    return made


def fitted(estimator: Any, attribute: str) -> Any:
    """An attribute that fitting makes."""
    if not hasattr(estimator, attribute):
        raise ModelError(f"this {type(estimator).__name__} is not fitted: call fit before explaining it.")
    return getattr(estimator, attribute)
