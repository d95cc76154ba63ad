"""Reader of LightGBM, from the text of its model: numeric, missing-value and categorical rules.

A `decision_type` holds one bit for a categorical split, one for missing values going left, and two for what counts as
missing: nothing (NaN is read as 0), zero, or NaN. Covers are the counts of training rows.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from pellucid.core.errors import ModelError
from pellucid.models.tree import link
from pellucid.models.tree.forest import NUMBER, SET_LEFT, ZERO_MISSING, RawTree, assemble
from pellucid.models.tree.reading import Reading, classifier, identity, numbers

_PLAIN = ("regression", "regression_l1", "huber", "fair", "quantile", "mape", "lambdarank", "rank_xendcg")
_MISSING_ZERO, _MISSING_NAN = 1, 2


def lightgbm(model: Any) -> Reading:
    """LGBMRegressor, LGBMClassifier, LGBMRanker."""
    try:
        booster = model.booster_
    except Exception as error:
        raise ModelError(f"this {type(model).__name__} is not fitted: call fit before explaining it.") from error
    header, blocks = _parts(booster.model_to_string())
    if header.get("version") not in ("v3", "v4"):
        raise ModelError(
            f"this LightGBM model has format {header.get('version')!r}, and v3 and v4 are read: use KernelShap()."
        )
    outputs = int(header["num_tree_per_iteration"])
    share = outputs / len(blocks) if "average_output" in header and blocks else 1.0
    raw = [_tree(block, i % outputs, share) for i, block in enumerate(blocks)]
    forest = assemble(raw, np.zeros(outputs), columns=int(header["max_feature_idx"]) + 1, single=False)
    known = booster.pandas_categorical
    return _scaled(model, header.get("objective", ""), forest, lambda rows: _encoded(rows, known))


def _scaled(model: Any, objective: str, forest: Any, encode: Any) -> Reading:
    name, *options = objective.split() or [""]
    if hasattr(model, "classes_"):
        return classifier(forest, encode, _probability(name, options, objective))
    why = f"objective {objective!r} transforms the sum of the leaves"
    if name in ("poisson", "gamma", "tweedie"):
        return Reading(forest, {}, encode, links={"raw": link.exponential(why)})
    if name == "cross_entropy":
        return Reading(forest, {}, encode, links={"raw": link.sigmoid(why)})
    if name and (name not in _PLAIN or "sqrt" in options):
        return Reading(forest, {}, encode, reasons={"raw": why})
    return Reading(forest, {"raw": identity(forest.outputs)}, encode)


def _probability(name: str, options: list[str], objective: str) -> link.Link | str:
    if name == "multiclass":
        return link.normalised()
    if name != "binary":
        return f"objective {objective!r} has probabilities that are no logistic function or softmax of margins"
    sharpness = next((float(o.partition(":")[2]) for o in options if o.startswith("sigmoid:")), 1.0)
    return link.logistic(sharpness)


def _parts(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The text of a model -> its header and its trees, each as {name: value}."""
    body = text.partition("\nend of trees")[0]
    head, *trees = body.split("\nTree=")
    return _fields(head), [_fields(tree) for tree in trees]


def _fields(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


def _tree(block: dict[str, str], output: int, share: float) -> RawTree:
    if block.get("is_linear", "0") != "0":
        raise ModelError("this LightGBM model has linear trees, whose leaves are no constants: use KernelShap().")
    leaves = int(block["num_leaves"])
    inner = leaves - 1
    if not inner:
        stump = np.full(1, -1)
        return RawTree(stump, stump, stump, np.zeros(1), np.zeros(1), np.ones(1), _column([0.0], block, share), output)
    left, right = (_children(block, side, inner) for side in ("left_child", "right_child"))
    kind = _array(block, "decision_type", int)
    threshold = _array(block, "threshold", float)
    category = (kind & 1) == 1
    members = np.full(inner + leaves, -1)
    members[:inner] = np.where(category, threshold, -1).astype(np.int64)
    none = np.zeros(leaves)
    return RawTree(
        np.concatenate([left, none - 1]).astype(np.int64),
        np.concatenate([right, none - 1]).astype(np.int64),
        np.concatenate([_array(block, "split_feature", int), none - 1]),
        np.concatenate([threshold, none]),
        np.concatenate([_rules(kind, threshold), none]),
        np.concatenate([_array(block, "internal_count", float), _array(block, "leaf_count", float)]),
        _column(np.zeros(inner), block, share),
        output,
        _sets(block) if category.any() else (),
        members if category.any() else None,
    )


def _column(before: Any, block: dict[str, str], share: float) -> np.ndarray:
    """Values of inner nodes, then of leaves, (nodes, 1)."""
    leaves = share * _array(block, "leaf_value", float)
    return leaves[:, None] if len(leaves) == 1 else np.concatenate([before, leaves])[:, None]


def _children(block: dict[str, str], side: str, inner: int) -> np.ndarray:
    """Children by number: inner nodes first, then leaves, which the file counts as -1, -2 ..."""
    child = _array(block, side, int)
    return np.where(child >= 0, child, inner - 1 - child)


def _rules(kind: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    missing, left = (kind >> 2) & 3, (kind >> 1) & 1
    as_zero = (threshold >= 0).astype(np.int64)  # where nothing is missing, NaN is read as 0
    rule = np.where(missing == _MISSING_NAN, NUMBER + left, NUMBER + as_zero)
    rule = np.where(missing == _MISSING_ZERO, ZERO_MISSING + left, rule)
    return np.where((kind & 1) == 1, SET_LEFT, rule)


def _sets(block: dict[str, str]) -> list[np.ndarray]:
    """The categories that go left, for each categorical split."""
    bounds = _array(block, "cat_boundaries", int)
    words = _array(block, "cat_threshold", np.int64).astype(np.uint32)
    bits = (words[:, None] >> np.arange(32, dtype=np.uint32)) & 1  # (words, 32)
    return [np.flatnonzero(bits[a:b]) for a, b in itertools.pairwise(bounds)]


def _array(block: dict[str, str], name: str, dtype: Any) -> np.ndarray:
    return np.array(block[name].split(), dtype=dtype)


def _encoded(rows: Any, known: list[list[Any]] | None) -> np.ndarray:
    """Rows -> numbers; categories of a frame become their place among those the model was trained with."""
    if not hasattr(rows, "columns"):
        return numbers(rows)
    import pandas as pd

    frame = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
    coded, seen = np.empty(frame.shape), 0
    for j, name in enumerate(frame.columns):
        if isinstance(frame[name].dtype, pd.CategoricalDtype) and known:
            codes = frame[name].cat.set_categories(known[seen]).cat.codes.to_numpy(dtype=float)
            coded[:, j] = np.where(codes < 0, np.nan, codes)
            seen += 1
        else:
            coded[:, j] = frame[name].to_numpy(dtype=float)
    return coded
