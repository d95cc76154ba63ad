"""A local linear surrogate: ridge regression on weighted samples, with the weights and the error that go with it.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), eq. 1 and 2, with a quadratic penalty:

    minimise over b0, b   sum_s pi_s (y_s - b0 - z'_s . b)^2 + penalty * |b|^2

The intercept b0 is free. With Z the samples less their weighted mean and W = diag(pi), b = A^-1 Z' W y for
A = Z' W Z + penalty: one factorisation serves every y on the same samples. Any sampler of z' can use this: Gaussian
neighbours of a table's row, or 0/1 masks of superpixels and words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from pellucid.core.errors import MethodError


@dataclass(frozen=True, eq=False)
class Surrogate:
    """k linear models on the same m samples of p features."""

    coefficients: np.ndarray  # (k, p), 0 where a feature never changes
    intercept: np.ndarray  # (k,)
    r2: np.ndarray  # (k,) weighted; 1 where y is constant
    stderr: np.ndarray  # (k, p), NaN where a feature never changes
    effective: float  # how many equally weighted samples would weigh as much


def proximity(distance: np.ndarray, width: float) -> np.ndarray:
    """exp(-D^2 / (2 width^2)), as the lime package has it; the paper's exp(-D^2 / s^2) is width = s / sqrt(2)."""
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


def euclidean_distance(features: np.ndarray, at: np.ndarray) -> np.ndarray:
    """features (m, p), the instance's own `at` (p,) -> (m,)"""
    return np.asarray(np.sqrt(((features - at) ** 2).sum(axis=1)))


def cosine_distance(masks: np.ndarray) -> np.ndarray:
    """0/1 masks (m, p) -> (m,) one minus the cosine with the mask that shows all: 1 - sqrt(shown / p)."""
    return np.asarray(1 - np.sqrt(masks.mean(axis=1)))


def weighted_ridge(features: np.ndarray, weights: np.ndarray, y: np.ndarray, penalty: float) -> Surrogate:
    """features (m, p), weights (m,), y (m, k) -> k surrogates.

    The standard error is the sandwich A^-1 (sum of squared scores) A^-1, each residual divided by one minus its leverage
    (HC3, the jackknife's: MacKinnon & White 1985), so it holds for a model that is not linear. Added to its square is
    that of the penalty's pull towards zero, penalty * (Z' W Z)^-1 b: together they measure the distance to the
    unpenalised large-sample limit, and where the pull dominates (a nearly linear model) the interval errs on the wide side.
    """
    total = weights.sum()
    if not total > 0:
        raise MethodError("no sample weighs anything this near to the instance: take a larger kernel_width.")
    shown = features[weights > 0]
    varies = shown.max(axis=0) > shown.min(axis=0)
    mean, middle = weights @ features / total, weights @ y / total
    z = (features - mean)[:, varies]  # (m, q)
    off = np.where(y.max(axis=0) > y.min(axis=0), y - middle, 0.0)  # (m, k)
    gram = (z * weights[:, None]).T @ z
    inverse = _inverse(gram + penalty * np.eye(len(gram)))
    b = inverse @ (z.T @ (weights[:, None] * off))  # (q, k)
    left = off - z @ b
    coefficients, stderr = np.zeros((y.shape[1], len(mean))), np.full((y.shape[1], len(mean)), np.nan)
    coefficients[:, varies] = b.T
    pull = penalty * np.linalg.pinv(gram, hermitian=True) @ b if penalty else np.zeros_like(b)
    stderr[:, varies] = np.sqrt(_variance(z, weights, left, inverse) + pull.T**2)
    r2 = _r2(weights, y, off, left)
    return Surrogate(coefficients, middle - coefficients @ mean, r2, stderr, _effective(weights))


def _inverse(a: np.ndarray) -> np.ndarray:
    """Of a symmetric (q, q); the pseudo-inverse where samples are too few to tell features apart."""
    try:
        return np.asarray(cho_solve(cho_factor(a), np.eye(len(a))))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(a, hermitian=True))


def _variance(z: np.ndarray, weights: np.ndarray, left: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """z (m, q), residuals (m, k) -> the sandwich's diagonal (k, q)"""
    moved = z @ inverse  # (m, q) what a unit of weighted residual does to b
    leverage = weights * (1 / weights.sum() + (moved * z).sum(axis=1))
    scores = weights[:, None] * left / np.maximum(1 - leverage, 1e-9)[:, None]
    return np.asarray((scores**2).T @ moved**2)


def _effective(weights: np.ndarray) -> float:
    """Kish's effective number of samples."""
    share = weights / weights.max()
    return float(share.sum() ** 2 / (share**2).sum())


def _r2(weights: np.ndarray, y: np.ndarray, off: np.ndarray, left: np.ndarray) -> np.ndarray:
    """(k,) share of y's weighted variation that the surrogate follows."""
    spread, missed = weights @ off**2, weights @ left**2
    rounding = weights.sum() * (1e-14 * np.abs(y).max(axis=0)) ** 2
    still = spread <= rounding
    return np.where(still, 1.0, 1 - missed / np.where(still, 1.0, spread))


def doubts(fit: np.ndarray, y: np.ndarray, effective: float, p: int, parts: str) -> tuple[str, ...]:
    """What a reader must know before believing n surrogates of p parts: fit (n,), y (m, n)."""
    found, n = [], len(fit)
    flat = int((y.max(axis=0) == y.min(axis=0)).sum())
    if flat:
        found.append(f"the score is the same for all neighbours of {flat} of {n} rows: their values are 0")
    poor = int((fit < 0.5).sum())
    if poor:
        found.append(
            f"the linear surrogate follows less than half of the score's variation around {poor} of {n} rows "
            f"(smallest R2 {fit.min():.2g})"
        )
    if effective < 5 * (p + 1):
        found.append(
            f"the {len(y)} neighbours of a row count like {effective:.3g} for {p} {parts}: take more samples or a larger "
            "kernel_width"
        )
    return tuple(found)
