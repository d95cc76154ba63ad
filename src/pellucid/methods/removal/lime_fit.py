"""A local linear surrogate: ridge regression on weighted samples, with the weights and the error that go with it.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), eq. 1 and 2, with a quadratic penalty:

    minimise over b0, b   sum_s pi_s (y_s - b0 - z'_s . b)^2 + penalty * |b|^2

The intercept b0 is free. With Z the samples less their weighted mean and W = diag(pi), b = A^-1 Z' W y for
A = Z' W Z + penalty: one factorisation serves every y on the same samples. Any sampler of z' can use this: Gaussian
neighbours of a table's row, or 0/1 masks of superpixels and words.

A sample of infinite weight is met exactly. So all 2^p masks, the Shapley kernel, and no penalty make b the Shapley values
(Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions", 2017, theorem 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, null_space

from pellucid.core.errors import MethodError


@dataclass(frozen=True, eq=False)
class Surrogate:
    """k linear models on the same m samples of p features."""

    coefficients: np.ndarray  # (k, p), 0 where a feature never changes
    intercept: np.ndarray  # (k,)
    r2: np.ndarray  # (k,) weighted; 1 where y is constant
    stderr: np.ndarray  # (k, p), NaN where a feature never changes
    effective: float  # how many equally weighted samples would weigh as much


def weighted_ridge(
    features: np.ndarray, weights: np.ndarray, y: np.ndarray, penalty: float, complete: bool = False
) -> Surrogate:
    """features (m, p), weights (m,), y (m, k) -> k surrogates.

    The standard error is the sandwich A^-1 (sum of squared scores) A^-1, each residual divided by one minus its leverage
    (HC3, the jackknife's: MacKinnon & White 1985), so it holds for a model that is not linear. Added to its square is
    that of the penalty's pull towards zero, penalty * (Z' W Z)^-1 b: together they measure the distance to the
    unpenalised large-sample limit, and where the pull dominates (a nearly linear model) the interval errs on the wide side.
    `complete` says that these are all samples there are, not a draw: then the pull alone is left.
    """
    if np.isinf(weights).any():
        return _constrained(features, weights, y, penalty, complete)
    varies = varying(features, weights)
    mean, middle = weights @ features / weights.sum(), weights @ y / weights.sum()
    z = (features - mean)[:, varies]  # (m, q)
    off = np.where(y.max(axis=0) > y.min(axis=0), y - middle, 0.0)  # (m, k)
    pulled = (z * weights[:, None]).T  # (q, m)
    gram = pulled @ z
    inverse = _inverse(gram + penalty * np.eye(len(gram)))
    b = inverse @ (pulled @ off)  # (q, k)
    left = off - z @ b
    coefficients, stderr = np.zeros((y.shape[1], len(mean))), np.full((y.shape[1], len(mean)), np.nan)
    coefficients[:, varies] = b.T
    pull = penalty * np.linalg.pinv(gram, hermitian=True) @ b if penalty else np.zeros_like(b)
    moved = z @ inverse  # (m, q) what a unit of weighted residual does to b
    leverage = weights * (1 / weights.sum() + (moved * z).sum(axis=1))
    variance = 0.0 if complete else _variance(weights, left, moved, leverage)
    stderr[:, varies] = np.sqrt(variance + pull.T**2)
    r2 = _share(weights, np.abs(y).max(axis=0), off, left)
    return Surrogate(coefficients, middle - coefficients @ mean, r2, stderr, effective_number(weights))


def varying(features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(p,) whether a feature takes more than one value among the samples (m, p) that weigh anything."""
    if not weights.sum() > 0:
        raise MethodError("no sample weighs anything this near to the instance: take a larger kernel_width.")
    shown = features if weights.min() > 0 else features[weights > 0]
    return np.asarray(shown.max(axis=0) > shown.min(axis=0))


def effective_number(weights: np.ndarray) -> float:
    """Kish's effective number of samples; those that are met exactly count apart, one each."""
    met = np.isinf(weights)
    share = weights[~met] / weights[~met].max(initial=1e-300)
    return float(met.sum() + (share.sum() ** 2 / (share**2).sum() if share.any() else 0))


def weighted_r2(weights: np.ndarray, y: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """y, guess (m, k) -> (k,) share of y's weighted variation that the surrogate follows, 1 where there is none."""
    return _share(weights, np.abs(y).max(axis=0), y - weights @ y / weights.sum(), y - guess)


def _share(weights: np.ndarray, size: np.ndarray, off: np.ndarray, left: np.ndarray) -> np.ndarray:
    """y less its mean and less the surrogate (m, k), y's size (k,) -> (k,)"""
    spread, missed = weights @ off**2, weights @ left**2
    rounding = weights.sum() * (1e-14 * size) ** 2
    still = spread <= rounding
    return np.where(still, 1.0, 1 - missed / np.where(still, 1.0, spread))


def _constrained(features: np.ndarray, weights: np.ndarray, y: np.ndarray, penalty: float, complete: bool) -> Surrogate:
    """The ridge among those (b0, b) that meet the samples of infinite weight: (b0, b) = start + N g, g free."""
    met = np.isinf(weights)
    design = np.column_stack([np.ones(len(features)), features])  # (m, p + 1)
    exact, rest, w = design[met], design[~met], weights[~met]
    start = np.linalg.pinv(exact) @ y[met]  # (p + 1, k)
    if not np.allclose(exact @ start, y[met], rtol=1e-9, atol=1e-9 * (1 + np.abs(y).max())):
        raise MethodError("samples of infinite weight contradict each other: no linear surrogate meets all of them.")
    free = penalty * np.diag([0.0] + [1.0] * features.shape[1])
    basis = null_space(exact)  # (p + 1, g)
    curve = basis.T @ ((rest * w[:, None]).T @ rest + free) @ basis
    inverse = basis @ np.linalg.pinv(curve, hermitian=True) @ basis.T
    left = y[~met] - rest @ start
    b = start + inverse @ (rest.T @ (w[:, None] * left) - free @ start)
    left, moved = y[~met] - rest @ b, rest @ inverse
    leverage = w * (moved * rest).sum(axis=1)
    variance = np.zeros_like(b.T) if complete else _variance(w, left, moved, leverage)
    pull = inverse @ free @ b
    r2 = weighted_r2(w, y[~met], y[~met] - left) if len(w) else np.ones(y.shape[1])
    stderr = np.sqrt(variance + pull.T**2)[:, 1:]
    return Surrogate(b[1:].T, b[0], r2, stderr, effective_number(weights))


def _inverse(a: np.ndarray) -> np.ndarray:
    """Of a symmetric (q, q); the pseudo-inverse where samples are too few to tell features apart."""
    try:
        return np.asarray(cho_solve(cho_factor(a), np.eye(len(a))))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(a, hermitian=True))


def _variance(weights: np.ndarray, left: np.ndarray, moved: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """residuals (m, k), moved (m, q), leverage (m,) -> the sandwich's diagonal (k, q)"""
    factor = weights / np.maximum(1 - leverage, 1e-9)  # (m,)
    return np.asarray((left**2).T @ (factor[:, None] * moved) ** 2)
