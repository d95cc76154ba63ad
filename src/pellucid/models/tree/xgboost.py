"""Reader of XGBoost, from the JSON of its model (format of versions 1.6 to 3).

Splits ask `x < threshold` in float32, which is `x <= the next float32 below`. A missing value follows the node's default; the
categories listed at a categorical split go right. Covers are sums of the hessian, as in XGBoost's own contributions.
Predictions are summed in float32 there, so they miss the float64 sum of the leaves by a few roundings.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, ModelError
from pellucid.models.tree import link
from pellucid.models.tree.forest import NUMBER, SET_RIGHT, RawTree, assemble
from pellucid.models.tree.reading import Encode, Reading, classifier, identity, numbers

_PLAIN = ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "binary:logitraw")
_EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie")
_FORMATS = (1, 2, 3)  # major versions whose files are read


def xgboost(model: Any) -> Reading:
    """XGBRegressor, XGBClassifier and their random forests."""
    try:
        booster = model.get_booster()
    except Exception as error:
        raise ModelError(f"this {type(model).__name__} is not fitted: call fit before explaining it.") from error
    learner = _learner(model, booster)
    held, facts = learner["gradient_booster"]["model"], learner["learner_model_param"]
    outputs = max(1, int(facts["num_class"]), int(facts.get("num_target", 1)))
    last = _trees_used(model, held)
    raw = [_tree(tree, k) for tree, k in zip(held["trees"][:last], held["tree_info"][:last], strict=True)]
    objective = learner["objective"]["name"]
    base = _base(str(facts["base_score"]), objective, outputs)
    forest = assemble(raw, base, columns=int(facts["num_feature"]), single=True)
    encode = _encoder(held.get("cats"))
    if hasattr(model, "classes_"):
        return classifier(forest, encode, _probability(objective))
    why = f"objective {objective!r} transforms the sum of the leaves"
    if objective in _EXPONENTIAL:
        return Reading(forest, {}, encode, links={"raw": link.exponential(why)})
    if objective in ("reg:logistic", "binary:logistic"):
        return Reading(forest, {}, encode, links={"raw": link.sigmoid(why)})
    if objective not in _PLAIN:
        return Reading(forest, {}, encode, reasons={"raw": why})
    return Reading(forest, {"raw": identity(forest.outputs)}, encode)


def _probability(objective: str) -> link.Link | str:
    known = {
        "binary:logistic": link.logistic(),
        "multi:softprob": link.normalised(),
        "multi:softmax": link.normalised(),
    }
    return known.get(objective, f"objective {objective!r} has probabilities that are no function of margins known here")


def _learner(model: Any, booster: Any) -> Any:
    """The part of the JSON that holds the model, once it is known to be one that is read."""
    missing = getattr(model, "missing", np.nan)
    if missing is not None and not np.isnan(missing):
        raise ModelError(f"this model reads {missing!r} as missing: fit it with missing=nan, or use KernelShap().")
    document = json.loads(booster.save_raw("json"))
    version = document.get("version", [0])
    if version[0] not in _FORMATS or "gradient_booster" not in document.get("learner", {}):
        raise ModelError(
            f"this XGBoost model has format {'.'.join(map(str, version))}, and versions 1 to 3 are read: use KernelShap()."
        )
    learner = document["learner"]
    name = learner["gradient_booster"]["name"]
    if name != "gbtree":
        raise ModelError(f"XGBoost's booster {name!r} is no plain sum of trees: use KernelShap().")
    return learner


def _trees_used(model: Any, held: Any) -> int:
    """How many trees predictions use: up to the best iteration of early stopping."""
    best = getattr(model, "best_iteration", None) if getattr(model, "early_stopping_rounds", None) else None
    return len(held["trees"]) if best is None else int(held["iteration_indptr"][best + 1])


def _base(text: str, objective: str, outputs: int) -> np.ndarray:
    """The margin that sums start from: the file holds it behind the link."""
    score = np.array([float(part) for part in text.strip("[]").split(",")])
    if objective in ("binary:logistic", "reg:logistic"):
        score = np.log(score / (1 - score))
    if objective in _EXPONENTIAL:
        score = np.log(score)
    return np.broadcast_to(score, (outputs,)).copy()


def _tree(tree: dict[str, Any], output: int) -> RawTree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise ModelError("this XGBoost model has vector leaves: fit it with multi_strategy='one_output_per_tree'.")
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    keep = _reachable(left, right)
    place = np.cumsum(keep) - 1
    category = np.array(tree.get("split_type", np.zeros(len(left))), int) == 1
    condition = np.array(tree["split_conditions"], np.float32)
    below = np.nextafter(condition, np.float32(-np.inf)).astype(float)
    rule = np.where(category, SET_RIGHT, NUMBER) + np.array(tree["default_left"], int)
    members, sets = _sets(tree, len(left))
    return RawTree(
        np.where(left < 0, -1, place[left])[keep],
        np.where(right < 0, -1, place[right])[keep],
        np.array(tree["split_indices"])[keep],
        below[keep],
        rule[keep],
        np.array(tree["sum_hessian"], float)[keep],
        condition.astype(float)[keep, None],
        output,
        sets,
        members[keep],
    )


def _reachable(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(nodes,) False for nodes that pruning cut off and left in the file."""
    keep, front = np.zeros(len(left), bool), np.zeros(1, int)
    while len(front):
        keep[front] = True
        below = np.concatenate([left[front], right[front]])
        front = below[below >= 0]
    return keep


def _sets(tree: dict[str, Any], total: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Which set each node asks for (nodes,), and the categories in it."""
    members = np.full(total, -1)
    at = tree.get("categories_nodes", [])
    members[at] = np.arange(len(at))
    listed = np.array(tree.get("categories", []), int)
    spans = zip(tree.get("categories_segments", []), tree.get("categories_sizes", []), strict=True)
    return members, [listed[start : start + size] for start, size in spans]


def _encoder(held: dict[str, Any] | None) -> Encode:
    """Rows -> numbers; a frame's categories get the codes that the file keeps (XGBoost 3.1 and later)."""
    known = [] if held is None else [_categories(one) for one in held.get("enc", [])]

    def encode(rows: Any) -> np.ndarray:
        if not any(str(dtype) == "category" for dtype in getattr(rows, "dtypes", ())):
            return numbers(rows)
        if not any(known):
            raise InputError(
                "this XGBoost model keeps no categories, so a frame's cannot be told: give codes as numbers "
                "(feature_types='c'), fit it with XGBoost 3.1 or later, or use KernelShap()."
            )
        return np.stack([_coded(rows[name], known[j]) for j, name in enumerate(rows.columns)], axis=1)

    return encode


def _categories(held: dict[str, Any]) -> dict[Any, int]:
    """One column's {category: code}; texts are kept as bytes behind one another."""
    values = held["values"]
    if "offsets" not in held:
        return {value: code for code, value in enumerate(values)}
    spans = itertools.pairwise(held["offsets"])
    return {bytes(values[a:b]).decode(): code for code, (a, b) in enumerate(spans)}


def _coded(column: Any, known: dict[Any, int]) -> np.ndarray:
    """(n,) a category's code, NaN where it is missing."""
    if str(column.dtype) != "category":
        return np.asarray(column.to_numpy(dtype=float))
    values = column.to_numpy(dtype=object)
    unseen = [value for value in values if value == value and value is not None and value not in known]
    if unseen:
        raise InputError(f"column {column.name!r} holds {unseen[0]!r}, which the model was not trained with.")
    return np.array([known.get(value, np.nan) if value == value else np.nan for value in values], dtype=float)
