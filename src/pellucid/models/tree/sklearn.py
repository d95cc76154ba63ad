"""Readers of scikit-learn's trees, forests, gradient boosting, histogram gradient boosting and isolation forests.

Trees of `sklearn.tree` compare in float32 and keep weighted covers; histogram gradient boosting compares in float64, keeps
counts, and encodes categories before the trees see them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.errors import ModelError
from pellucid.models.tree import link
from pellucid.models.tree.forest import NUMBER, SET_LEFT, RawTree, assemble
from pellucid.models.tree.reading import Reading, classifier, fitted, identity, numbers


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
    readout = identity(forest.outputs)
    if classes is None:
        return Reading(forest, {"raw": readout}, numbers)
    return Reading(forest, {"probability": readout}, numbers, None, {"log loss": link.log_loss(link.linear(readout))})


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
        binary = link.logistic(2.0 if model.loss == "exponential" else 1.0)
        return classifier(forest, encode, binary if forest.outputs == 1 else link.normalised(), source)
    if model.loss in ("poisson", "gamma"):
        why = f"with loss={model.loss!r} predictions are exponentials of sums"
        return Reading(forest, {}, encode, source, {"raw": link.exponential(why)})
    return Reading(forest, {"raw": identity(forest.outputs)}, encode, source)


def isolation(model: Any) -> Reading:
    """An isolation forest: the mean depth at which a row stands alone, over that of a random row."""
    members, most = fitted(model, "estimators_"), float(_depth_left(np.array([model.max_samples_]))[0])
    share = 1.0 / (len(members) * most) if most else 0.0
    raw = [
        _isolating(member.tree_, columns, share)
        for member, columns in zip(members, model.estimators_features_, strict=True)
    ]
    forest = assemble(raw, 0.0 if most else 1.0, columns=model.n_features_in_, single=True)
    return Reading(forest, {"depth": identity(1)}, numbers, None, {"margin": link.isolation(float(model.offset_))})


def _isolating(tree: Any, columns: np.ndarray, share: float) -> RawTree:
    """A leaf is worth its depth, and the depth that a random tree of its rows would have."""
    depth = np.zeros(tree.node_count)
    for i in range(tree.node_count):  # parents come before their children
        if tree.children_left[i] >= 0:
            depth[[tree.children_left[i], tree.children_right[i]]] = depth[i] + 1
    plain = _raw(tree, (share * (depth + _depth_left(tree.n_node_samples)))[:, None])
    return replace(plain, feature=np.where(tree.feature >= 0, columns[np.maximum(tree.feature, 0)], -1))


def _depth_left(rows: np.ndarray) -> np.ndarray:
    """The mean depth of a leaf in a random tree of so many rows: 2 H(n - 1) - 2 (n - 1) / n (Liu, Ting & Zhou 2008)."""
    n = np.maximum(rows, 3).astype(float)
    many = 2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n
    return np.where(rows > 2, many, np.where(rows == 2, 1.0, 0.0))
