"""Readers of scikit-learn's trees, forests, gradient boosting and histogram gradient boosting.

Trees of `sklearn.tree` compare in float32 and keep weighted covers; histogram gradient boosting compares in float64, keeps
counts, and encodes categories before the trees see them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.errors import ModelError
from pellucid.models.tree.forest import NUMBER, SET_LEFT, RawTree, assemble
from pellucid.models.tree.reading import Reading, both_sides, fitted, identity, numbers


def single_tree(model: Any) -> Reading:
    """One tree: values, or class probabilities."""
    fitted(model, "tree_")
    return _averaged(model, [model])


def averaged(model: Any) -> Reading:
    """A forest: the mean of its trees."""
    return _averaged(model, list(fitted(model, "estimators_")))


def _averaged(model: Any, trees: list[Any]) -> Reading:
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list):
        raise ModelError(
            f"this {type(model).__name__} classifies {len(classes)} outputs at once: fit one model an output, and explain that."
        )
    raw = [_raw(tree.tree_, _values(tree.tree_, classes is not None) / len(trees)) for tree in trees]
    forest = assemble(raw, np.zeros(raw[0].value.shape[1]), columns=model.n_features_in_, single=True)
    scale = "raw" if classes is None else "probability"
    return Reading(forest, {scale: identity(forest.outputs)}, numbers)


def _values(tree: Any, classifier: bool) -> np.ndarray:
    """(nodes, outputs) of a regressor, (nodes, classes) of a classifier."""
    return np.asarray(tree.value[:, 0, :] if classifier else tree.value[:, :, 0])


def _raw(tree: Any, value: np.ndarray, output: int = 0) -> RawTree:
    missing = np.asarray(tree.missing_go_to_left, dtype=np.uint8)
    cover = tree.weighted_n_node_samples
    left, right = tree.children_left, tree.children_right
    return RawTree(left, right, tree.feature, tree.threshold, NUMBER + missing, cover, value, output)


def boosted(model: Any) -> Reading:
    """Gradient boosting: a constant start, and shrunken trees for each output."""
    stages = fitted(model, "estimators_")  # (stages, outputs)
    start = model.init_
    if start != "zero" and type(start).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise ModelError(
            f"this {type(model).__name__} starts from a model of its own, init={start!r}, which is no tree: "
            "fit it with init=None or 'zero', or use KernelShap()."
        )
    base = model._raw_predict_init(np.zeros((1, model.n_features_in_)))[0]
    raw = [
        _raw(tree.tree_, model.learning_rate * tree.tree_.value[:, 0, :], k)
        for stage in stages
        for k, tree in enumerate(stage)
    ]
    return _behind_link(model, assemble(raw, base, columns=model.n_features_in_, single=True), numbers)


def histogram(model: Any) -> Reading:
    """Histogram gradient boosting: categories and missing values included."""
    stages = fitted(model, "_predictors")
    raw = [_histogram_tree(tree, k) for stage in stages for k, tree in enumerate(stage)]
    encoder, columns = model._preprocessor, model.n_features_in_
    forest = assemble(raw, np.ravel(model._baseline_prediction), columns=columns, single=False)
    if encoder is None:
        return _behind_link(model, forest, numbers)
    mask = np.asarray(model.is_categorical_, dtype=bool)
    source = np.concatenate([np.flatnonzero(mask), np.flatnonzero(~mask)])  # the encoder puts categories first
    return _behind_link(model, forest, lambda rows: numbers(encoder.transform(rows)), source)


def _histogram_tree(tree: Any, output: int) -> RawTree:
    nodes = tree.nodes
    leaf, category = nodes["is_leaf"].astype(bool), nodes["is_categorical"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    rule = np.where(category, SET_LEFT, NUMBER) + nodes["missing_go_to_left"].astype(np.uint8)
    sets = [_members(bits) for bits in tree.raw_left_cat_bitsets]
    members = np.where(category & ~leaf, nodes["bitset_idx"].astype(np.int64), -1)
    value = nodes["value"][:, None]
    threshold = nodes["num_threshold"]
    return RawTree(
        left, right, nodes["feature_idx"], threshold, rule, nodes["count"].astype(float), value, output, sets, members
    )


def _members(bits: np.ndarray) -> np.ndarray:
    """A bit set (8,) uint32 -> the categories in it."""
    return np.flatnonzero((bits[:, None] >> np.arange(32, dtype=np.uint32)) & 1)


def _behind_link(model: Any, forest: Any, encode: Any, source: np.ndarray | None = None) -> Reading:
    """Margins of a classifier; a regressor's values, unless its loss puts an exponential before them."""
    if hasattr(model, "classes_"):
        readout = both_sides() if forest.outputs == 1 else identity(forest.outputs)
        link = "a boosted classifier's probability is a logistic function of its margin"
        return Reading(forest, {"margin": readout}, encode, source, {"probability": link})
    if model.loss in ("poisson", "gamma"):
        return Reading(
            forest, {}, encode, source, {"raw": f"with loss={model.loss!r} predictions are exponentials of sums"}
        )
    return Reading(forest, {"raw": identity(forest.outputs)}, encode, source)
