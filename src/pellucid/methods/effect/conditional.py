"""Shuffles that keep a column's values among rows that are alike in the other columns.

Strobl et al., "Conditional variable importance for random forests" (2008); Molnar, Koenig, Bischl & Casalicchio, "Model-agnostic
feature importance and effects with dependent features: a conditional subgroup approach" (2023). Either the values change
places within the leaves of a tree that tells the column from the others, or each row takes the value of one of the rows
nearest to it in the other columns. The random keys are the same for all columns.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Within = Literal["leaves", "neighbours"]

_LEAF = 20  # rows in a leaf, at least: fewer hardly move
_NEIGHBOURS = 10
_LEVELS = 50  # of a column that get one of their own, the most frequent: rarer ones (texts, names) make no rows alike


def orders(x: np.ndarray, group: np.ndarray, coded: np.ndarray, keys: np.ndarray, within: Within) -> np.ndarray:
    """x (n, p), the group's columns, keys (repeats, n) in [0, 1) -> which row each row takes its values from (repeats, n)"""
    rest = np.setdiff1d(np.arange(x.shape[1]), group)
    if not len(rest):
        return np.argsort(keys, axis=1)
    others = _numbers(x[:, rest], coded[rest])
    if within == "neighbours":
        return _among_neighbours(others, keys)
    return _within(_leaves(others, _numbers(x[:, group], coded[group])), keys)


def _leaves(others: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(n,) the leaf of a regression tree of the group's columns on the others"""
    from sklearn.tree import DecisionTreeRegressor

    least = min(_LEAF, max(2, len(own) // 4))
    tree = DecisionTreeRegressor(min_samples_leaf=least, random_state=0).fit(others, own)
    return np.asarray(tree.apply(others))


def _within(part: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Permutations that map every part (n,) onto itself."""
    made = np.empty(keys.shape, dtype=int)
    home = np.argsort(part, kind="stable")
    for order, key in zip(made, keys, strict=True):
        order[home] = np.lexsort((key, part))
    return made


def _among_neighbours(others: np.ndarray, keys: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    count = min(_NEIGHBOURS, len(others) - 1)
    near = NearestNeighbors(n_neighbors=count + 1).fit(others).kneighbors(others, return_distance=False)
    own = np.arange(len(others))
    near = np.stack([row[row != i][:count] for i, row in zip(own, near, strict=True)])
    return np.asarray(near[own, (keys * count).astype(int)])


def _numbers(x: np.ndarray, coded: np.ndarray) -> np.ndarray:
    """(n, p) -> numbers in standard deviations with gaps filled and flagged, one column a level for the rest."""
    made = []
    for column, levels in zip(x.astype(float).T, coded, strict=True):
        missing = np.isnan(column)
        if levels:
            found, counts = np.unique(column[~missing], return_counts=True)
            common = found[np.argsort(-counts, kind="stable")[:_LEVELS]]
            made += [(column == level).astype(float) for level in common]
        else:
            filled = np.where(missing, np.median(column[~missing]) if (~missing).any() else 0, column)
            made.append((filled - filled.mean()) / (filled.std() or 1))
        if missing.any():
            made.append(missing.astype(float))
    return np.stack(made, axis=1)
