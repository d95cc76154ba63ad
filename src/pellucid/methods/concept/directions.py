"""Concept activation vectors of many runs at once, each a weighting of the same examples.

Examples b_i (rows of B, centred) have the Gram matrix K = B B'. A run weighs them: `weights[i]` > 0 where example i stands for the
concept, < 0 where for the random set, 0 where left out; each side sums to 1/2 in size. Its CAV is v = B' alpha, so that

    v . b_i = (K alpha)_i,     |v|^2 = alpha' K alpha,     gradient . v = (gradient . B') alpha

and nothing of the layer's size is touched again. For the mean difference alpha = 2 weights. For the logistic regression

    min over v, c of  sum_i |w_i| log(1 + exp(-sign(w_i) (v . b_i + c))) + penalty / 2 |v|^2      (B scaled to length 1 on average)

the solution lies in the span of the examples that a run weighs (representer theorem). Where these are few, each run is solved among
them by Newton's method (`newton.py`), else in the coordinates of B's principal axes, for all runs in one minimisation, because
a sum of independent problems is minimised where each of them is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from pellucid.methods.concept.newton import newton

_FLAT = 1e-10  # of the largest variance: axes below carry rounding
_STEP, _LOOK = 6, 90  # what a run costs: Newton's steps in m^3 for its m examples, the minimisation in N (d + 1)


@dataclass(frozen=True, eq=False)
class Directions:
    """The CAVs of r runs: `alpha (N, r)` gives unit vectors B' alpha; `margins (N, r)` are positive on the concept's side."""

    alpha: np.ndarray
    margins: np.ndarray


def mean_differences(gram: np.ndarray, weights: np.ndarray) -> Directions:
    """gram (N, N), weights (N, r); the boundary lies half way between the two means."""
    heights = gram @ (2 * weights)  # (N, r)
    middle = np.einsum("nr,nr->r", np.abs(weights), heights)
    return Directions(_unit(2 * weights, gram), heights - middle)


def logistic(gram: np.ndarray, weights: np.ndarray, penalty: float, width: int) -> Directions:
    """gram (N, N) of examples of so many numbers, weights (N, r)"""
    scale = np.trace(gram) / len(gram)
    if not scale > 0:  # all examples are equal
        return Directions(np.zeros(weights.shape), np.zeros(weights.shape))
    used = int(np.count_nonzero(weights, axis=0).max())
    if _STEP * used**3 < _LOOK * len(gram) * (1 + min(width, len(gram))):
        alpha, offset = newton(gram / scale, weights, penalty)
        return Directions(_unit(alpha, gram), gram @ (alpha / scale) + offset)
    variance, axes = np.linalg.eigh(gram)
    kept = variance > _FLAT * variance[-1]
    variance, axes = variance[kept], axes[:, kept]
    points = np.column_stack([axes * np.sqrt(variance / scale), np.ones(len(gram))])  # (N, d + 1), the last for c
    found = _minimised(points, weights, penalty)
    alpha = (axes / np.sqrt(variance)) @ found[:-1]
    return Directions(_unit(alpha, gram), points @ found)


def _minimised(points: np.ndarray, weights: np.ndarray, penalty: float) -> np.ndarray:
    """points (N, d + 1), weights (N, r) -> the coefficients of every run (d + 1, r)"""
    used = np.flatnonzero(weights)  # most examples take no part in most runs
    sign, size = np.sign(weights).ravel()[used], np.abs(weights).ravel()[used]
    cost = np.full((points.shape[1], 1), penalty)
    cost[-1] = 0.0

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        v = flat.reshape(points.shape[1], -1)
        heights = sign * (points @ v).ravel()[used]
        small = np.exp(-np.abs(heights))
        loss = size @ (np.log1p(small) + np.maximum(-heights, 0)) + 0.5 * np.sum(cost * v**2)
        pull = np.zeros(weights.size)
        pull[used] = size * sign * np.where(heights > 0, small, 1) / (1 + small)
        slope = cost * v - points.T @ pull.reshape(weights.shape)
        return float(loss), slope.ravel()

    start = np.zeros(points.shape[1] * weights.shape[1])
    options = {"maxiter": 500, "maxfun": 2000, "gtol": 1e-5, "ftol": 1e-12}
    made = minimize(value, start, jac=True, method="L-BFGS-B", options=options)
    return np.asarray(made.x.reshape(points.shape[1], -1))


def _unit(alpha: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """Vectors of length 1; none where the two sides of a run are equal."""
    length = np.sqrt(np.maximum(np.einsum("nr,nr->r", alpha, gram @ alpha), 0))
    return np.asarray(np.divide(alpha, length, out=np.zeros_like(alpha), where=length > 0))
