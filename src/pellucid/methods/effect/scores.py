"""The commonest scores of scikit-learn, of many predictions of the same rows at once.

A scorer checks y and the predictions anew for every table, which for a cheap model takes longer than the model does. These are the
same definitions in plain array arithmetic, for one truth a row; whoever uses them asks the scorer itself once and goes by it
wherever the two disagree (`scorers.py`). Sums are in double precision, whatever the model's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Score = Callable[[np.ndarray], np.ndarray]  # answers (s, n) or (s, n, k) -> (s,)


@dataclass(frozen=True, eq=False)
class Quick:
    """A scorer's function of the answers of the first of `asks` that the model has; `of` the truth (n,) makes it."""

    of: Callable[[np.ndarray], Score]
    asks: tuple[str, ...] = ("predict",)


def r2(y: np.ndarray) -> Score:
    """1 - sum (y - f)^2 / sum (y - mean y)^2"""
    whole = np.sum((y - np.mean(y)) ** 2)
    return lambda f: 1 - _squares(y, f).sum(axis=1) / whole


def mean_squared(y: np.ndarray) -> Score:
    """- mean (y - f)^2"""
    return lambda f: -_squares(y, f).mean(axis=1)


def root_mean_squared(y: np.ndarray) -> Score:
    """- root of mean (y - f)^2"""
    return lambda f: -np.sqrt(_squares(y, f).mean(axis=1))


def mean_absolute(y: np.ndarray) -> Score:
    """- mean |y - f|"""
    return lambda f: -np.abs(_apart(y, f)).mean(axis=1)


def accuracy(y: np.ndarray) -> Score:
    """The share of rows whose class is right."""
    return lambda f: (f == y).mean(axis=1)


def balanced_accuracy(y: np.ndarray) -> Score:
    """The mean over classes of the share of the class's rows that are right."""
    code = _codes(y)
    size = np.bincount(code)
    return lambda f: (f == y) @ (1 / size)[code] / len(size)


def log_loss(y: np.ndarray) -> Score:
    """f (s, n, k) -> mean log of the true class's probability, kept a rounding away from 0 and 1"""
    code = _codes(y)
    rows = np.arange(len(y))

    def score(f: np.ndarray) -> np.ndarray:
        if f.shape[-1] == 2:  # scikit-learn looks at the second class's alone
            likely = np.where(code == 1, f[..., 1], 1 - f[..., 1])
        else:
            likely = f[:, rows, code]
        eps = np.finfo(f.dtype).eps
        return np.asarray(np.log(np.clip(likely, eps, 1 - eps), dtype=float).mean(axis=1))

    return score


def roc_auc(y: np.ndarray) -> Score:
    """f (s, n) margins, or (s, n, 2) probabilities -> how often a row of the second class is above one of the first"""
    second = _codes(y) == 1

    def score(f: np.ndarray) -> np.ndarray:
        margins = f[..., 1] if f.ndim == 3 else f
        return np.array([_above(np.sort(row[second]), np.sort(row[~second])) for row in margins])

    return score


def _above(high: np.ndarray, low: np.ndarray) -> float:
    """Sorted values -> the share of pairs with high > low, ties counted half (Mann & Whitney 1947)."""
    wins = np.searchsorted(low, high, "left").sum() + np.searchsorted(low, high, "right").sum()
    return float(wins / (2 * len(high) * len(low)))


def _apart(y: np.ndarray, f: np.ndarray) -> np.ndarray:
    return np.asarray(f - y, dtype=float)


def _squares(y: np.ndarray, f: np.ndarray) -> np.ndarray:
    apart = _apart(y, f)
    return np.square(apart, out=apart)


def _codes(y: np.ndarray) -> np.ndarray:
    """The number of each row's class among the classes in order."""
    return np.unique(y, return_inverse=True)[1]


QUICK = {
    "r2": Quick(r2),
    "neg_mean_squared_error": Quick(mean_squared),
    "neg_root_mean_squared_error": Quick(root_mean_squared),
    "neg_mean_absolute_error": Quick(mean_absolute),
    "accuracy": Quick(accuracy),
    "balanced_accuracy": Quick(balanced_accuracy),
    "neg_log_loss": Quick(log_loss, ("predict_proba",)),
    "roc_auc": Quick(roc_auc, ("decision_function", "predict_proba")),
}
