"""Slow derivations that share nothing with the library: Shapley values over all 2^p coalitions, on the trees as their own
libraries hand them out. Absent players follow both branches in shares of cover, or take a background row's value."""

import itertools
from math import comb

import numpy as np


def shapley(v: np.ndarray) -> np.ndarray:
    """v (2^p,), bit j of the index = player j present -> (p,)"""
    p = len(v).bit_length() - 1
    phi = np.zeros(p)
    for i, mask in itertools.product(range(p), range(len(v))):
        if not mask >> i & 1:
            phi[i] += (v[mask | 1 << i] - v[mask]) / (p * comb(p - 1, mask.bit_count()))
    return phi


def pairs(v: np.ndarray) -> np.ndarray:
    """v (2^p,) -> (p, p): Shapley interaction indices in halves, the diagonal such that rows add up to `shapley`."""
    p = len(v).bit_length() - 1
    found = np.zeros((p, p))
    for i, j in itertools.permutations(range(p), 2):
        for mask in range(len(v)):
            if not (mask >> i & 1 or mask >> j & 1):
                delta = v[mask | 1 << i | 1 << j] - v[mask | 1 << i] - v[mask | 1 << j] + v[mask]
                found[i, j] += delta / (2 * (p - 1) * comb(p - 2, mask.bit_count()))
    np.fill_diagonal(found, shapley(v) - found.sum(1))
    return found


def by_masking(predict, x, background, groups=None) -> np.ndarray:
    """predict: rows -> (n,). x (p,), background (b, p) -> v (2^players,)"""
    groups = np.arange(len(x)) if groups is None else np.asarray(groups)
    p = groups.max() + 1
    present = np.array([[mask >> g & 1 for g in groups] for mask in range(2**p)], bool)
    mixed = np.where(present[:, None], x, background[None])
    return predict(mixed.reshape(-1, len(x))).reshape(2**p, len(background)).mean(1)


def by_cover(trees, x, players) -> np.ndarray:
    """trees: nested nodes (see below). -> v (2^players,) summed over trees."""
    return np.array([sum(_expect(tree, x, mask) for tree in trees) for mask in range(2**players)])


def _expect(node, x, mask):
    """A node is a leaf's number, or (player, goes_left(x), left, right, cover left, cover right)."""
    if not isinstance(node, tuple):
        return node
    player, goes_left, left, right, a, b = node
    if mask >> player & 1:
        return _expect(left if goes_left(x) else right, x, mask)
    return (a * _expect(left, x, mask) + b * _expect(right, x, mask)) / (a + b)


def sklearn_tree(tree, value, source=None, i=0):
    """tree: `estimator.tree_`; value (nodes,)."""
    if tree.children_left[i] < 0:
        return float(value[i])
    f, t, gone = int(tree.feature[i]), tree.threshold[i], bool(tree.missing_go_to_left[i])
    left, right = tree.children_left[i], tree.children_right[i]
    cover = tree.weighted_n_node_samples

    def goes_left(x):
        return gone if np.isnan(x[f]) else np.float32(x[f]) <= t

    player = f if source is None else source[f]
    branches = [sklearn_tree(tree, value, source, k) for k in (left, right)]
    return (player, goes_left, *branches, cover[left], cover[right])


def histogram_tree(predictor, i=0, source=None):
    """predictor: a TreePredictor of HistGradientBoosting."""
    node = predictor.nodes[i]
    if node["is_leaf"]:
        return float(node["value"])
    f = int(node["feature_idx"])
    bits = predictor.raw_left_cat_bitsets[node["bitset_idx"]] if node["is_categorical"] else None

    def goes_left(x):
        if np.isnan(x[f]):
            return bool(node["missing_go_to_left"])
        if bits is not None:
            return bool(int(bits[int(x[f]) // 32]) >> (int(x[f]) % 32) & 1)
        return x[f] <= node["num_threshold"]

    left, right = predictor.nodes[node["left"]], predictor.nodes[node["right"]]
    branches = [histogram_tree(predictor, int(node[side]), source) for side in ("left", "right")]
    return (f if source is None else source[f], goes_left, *branches, float(left["count"]), float(right["count"]))


def lightgbm_tree(node, share=1.0):
    """node: a `tree_structure` of `booster.dump_model()`."""
    if "split_feature" not in node:
        return share * node["leaf_value"]
    f, kind, missing = node["split_feature"], node["decision_type"], node["missing_type"]

    def goes_left(x):
        value = x[f]
        if kind == "==":
            return not np.isnan(value) and str(int(value)) in node["threshold"].split("||")
        if np.isnan(value) and missing != "NaN":
            value = 0.0
        if (missing == "Zero" and abs(value) <= 1e-35) or (missing == "NaN" and np.isnan(value)):
            return node["default_left"]
        return value <= node["threshold"]

    left, right = node["left_child"], node["right_child"]
    count = [child.get("internal_count", child.get("leaf_count")) for child in (left, right)]
    return (f, goes_left, lightgbm_tree(left, share), lightgbm_tree(right, share), *count)


def lightgbm_trees(model, output=0, outputs=1):
    """All trees of one output; those of a forest are averaged."""
    dump = model.booster_.dump_model()
    share = 1 / len(dump["tree_info"]) if dump["average_output"] else 1.0
    return [lightgbm_tree(tree["tree_structure"], share) for tree in dump["tree_info"]][output::outputs]
