"""How a column follows from others, learned from rows: least squares, smooth curves that add up, or boosted trees.

    x_j = F_j(x_pa) + u_j        F_j fitted to complete background rows, u_j whatever is left

| fit | F_j |
|---|---|
| "linear" | least squares on the numbers, with an offset for each level |
| "splines" | a cubic spline of each number, with an offset for each level, summed; straight lines beyond the data |
| "trees" | gradient-boosted trees, which know how parents act together; constant beyond the data |

How well a fit foretells is measured on rows that it has not seen, by `_FOLDS` parts of the rows: 1 - (squared error) /
(variance). What is left is taken for noise that an act does not change; where F_j foretells badly, most of a column is such
noise, and it hardly follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.schema import Column

Fit = Literal["linear", "splines", "trees"]
Follows = Callable[[np.ndarray], np.ndarray]  # rows (m, p) -> (m,)

_FOLDS = 5
_KNOTS = 6  # of a spline, at quantiles of the parent
_RIDGE = 1e-6  # of a spline's curves, so that empty stretches stay flat
_TREES = 100


def check_fit(name: str, fit: str) -> None:
    if fit not in get_args(Fit):
        raise MethodError(f"{name}(fit={fit!r}): expected 'linear', 'splines' or 'trees'.")


def fitted(fit: Fit, rows: np.ndarray, j: int, parents: Sequence[int], columns: tuple[Column, ...]) -> Follows:
    """rows (b, p) without missing values in j and its parents -> F_j"""
    parts = [_part(fit, rows[:, k], k, columns[k]) for k in parents]

    def design(z: np.ndarray) -> np.ndarray:
        return np.concatenate([np.ones((len(z), 1)), *(part(z) for part in parts)], axis=1)

    basis = design(rows)
    if fit == "trees":
        return _trees(basis, rows[:, j], design)
    if fit == "linear":
        weights = np.linalg.lstsq(basis, rows[:, j], rcond=None)[0]
    else:
        ridge = _RIDGE * len(rows) * np.eye(basis.shape[1])
        ridge[0, 0] = 0.0
        weights = np.linalg.lstsq(basis.T @ basis + ridge, basis.T @ rows[:, j], rcond=None)[0]
    return lambda z: np.asarray((design(z) * weights).sum(axis=1))  # row by row, whatever the batch


def foretold(fit: Fit, rows: np.ndarray, j: int, parents: Sequence[int], columns: tuple[Column, ...]) -> float:
    """The share of x_j's variance that F_j foretells on rows it has not seen; NaN where there are too few"""
    if len(rows) < 2 * _FOLDS or not rows[:, j].var():
        return float("nan")
    error = np.zeros(len(rows))
    for fold in range(_FOLDS):
        held = np.arange(len(rows)) % _FOLDS == fold
        error[held] = rows[held, j] - fitted(fit, rows[~held], j, parents, columns)(rows[held])
    return float(1 - (error**2).mean() / rows[:, j].var())


def _part(fit: Fit, values: np.ndarray, k: int, column: Column) -> Callable[[np.ndarray], np.ndarray]:
    """What parent k puts into the sum: rows (m, p) -> (m, q)"""
    if column.kind == "level":
        coded = np.arange(1, len(column.levels))
        return lambda z: (z[:, [k]] == coded).astype(float)
    knots = np.unique(np.quantile(values, np.linspace(0, 1, _KNOTS), method="nearest"))
    if fit != "splines" or len(knots) < 3:
        return lambda z: z[:, [k]]
    from sklearn.preprocessing import SplineTransformer

    curve = SplineTransformer(knots=knots[:, None], include_bias=False, extrapolation="linear").fit(values[:, None])
    return lambda z: np.asarray(curve.transform(z[:, [k]]))


def _trees(basis: np.ndarray, y: np.ndarray, design: Callable[[np.ndarray], np.ndarray]) -> Follows:
    """One thread and small batches: trees by histograms wait longer for each other than they take."""
    from sklearn.ensemble import GradientBoostingRegressor

    leaf = max(1, min(20, len(y) // 20))
    model = GradientBoostingRegressor(n_estimators=_TREES, min_samples_leaf=leaf, random_state=0).fit(basis, y)
    return lambda z: np.asarray(model.predict(design(z)), dtype=float)
