"""One linear probe: fitted on some examples, right or wrong on others; and what its accuracy is worth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

_STEPS = 300
_Z95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Right:
    """Which examples a probe gets right: of those it learned from, and of those held out; whether its fit came to an end."""

    trained: np.ndarray
    held: np.ndarray
    finished: bool


def fitted(vectors: np.ndarray, y: np.ndarray, train: np.ndarray, penalty: float) -> Right:
    """vectors (m, d), y (m,), train (m,) True where the probe may learn"""
    seen = vectors[train]
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    scaled = (vectors - mean) / np.where(spread > 0, spread, 1)
    model = LogisticRegression(C=1 / (penalty * len(seen)), max_iter=_STEPS, tol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaled[train], y[train])
    right = model.predict(scaled) == y
    return Right(right[train], right[~train], int(np.max(model.n_iter_)) < _STEPS)


def control_labels(y: np.ndarray, types: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
    """A label for each type, drawn from the labels that there are; for each example where there are no types."""
    if types is None:
        return rng.choice(y, len(y))
    return rng.choice(y, int(types.max()) + 1)[types]


def commonest_by_type(y: np.ndarray, types: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(held,) whether each type's commonest label among the learned examples is right; the commonest of all for new types."""
    counts = np.zeros((int(types.max()) + 1, int(y.max()) + 1))
    np.add.at(counts, (types[train], y[train]), 1)
    overall = np.bincount(y[train]).argmax()
    said = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), overall)
    return np.asarray(said[types[~train]] == y[~train])


def clustered(values: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """The mean of values (k,) and its standard error, where values of one row may depend on each other."""
    mean = float(values.mean())
    _, group = np.unique(rows, return_inverse=True)
    sums = np.bincount(group, values - mean)
    g = len(sums)
    if g < 2:
        return mean, float("nan")
    return mean, float(np.sqrt(g / (g - 1) * np.sum(sums**2)) / len(values))


def interval(mean: float, stderr: float, k: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, for as many independent examples as its standard error speaks of, at most k."""
    spread = mean * (1 - mean)
    n = min(k, spread / stderr**2) if stderr > 0 and spread > 0 else k
    centre, half = mean + _Z95**2 / (2 * n), _Z95 * np.sqrt(spread / n + _Z95**2 / (4 * n**2))
    return float((centre - half) / (1 + _Z95**2 / n)), float((centre + half) / (1 + _Z95**2 / n))
