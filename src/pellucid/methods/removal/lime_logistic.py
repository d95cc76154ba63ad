"""The local surrogate under the logistic loss: log-odds that are linear in the features.

    minimise over b0, b   sum_s pi_s (log(1 + exp(e_s)) - y_s e_s) + penalty * |b|^2,   e_s = b0 + z'_s . b,  0 <= y_s <= 1

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), leave the local loss L open (section 3.1); for a probability
y this one never predicts below 0 or above 1. Newton's method; the coefficients are slopes of the log-odds.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from pellucid.core.errors import MethodError
from pellucid.methods.removal.lime_fit import Surrogate, effective_number, varying, weighted_r2

_STEPS = 100
_EXACT = 1e-9  # a Newton step that moves no coefficient further than this is the last


def logistic_ridge(
    features: np.ndarray, weights: np.ndarray, y: np.ndarray, penalty: float, complete: bool = False
) -> Surrogate:
    """features (m, p), weights (m,), y (m, k) in [0, 1] -> k surrogates; `r2` is that of the probabilities."""
    if y.min() < 0 or y.max() > 1:
        raise MethodError(
            f"loss='logistic' is for probabilities, and the score goes from {y.min():.3g} to {y.max():.3g}: explain it on "
            "that scale, as in target=Class(1, scale='probability'), or take loss='squared'."
        )
    varies = varying(features, weights)
    mean = weights @ features / weights.sum()
    z = (features - mean)[:, varies]
    made = [_one(z, weights, column, penalty, complete) for column in y.T]
    k, p = y.shape[1], features.shape[1]
    coefficients, stderr = np.zeros((k, p)), np.full((k, p), np.nan)
    coefficients[:, varies] = [b[1:] for b, _, _ in made]
    stderr[:, varies] = [error for _, error, _ in made]
    intercept = np.array([b[0] for b, _, _ in made]) - coefficients @ mean
    r2 = weighted_r2(weights, y, np.column_stack([guess for _, _, guess in made]))
    return Surrogate(coefficients, intercept, r2, stderr, effective_number(weights))


def _one(
    z: np.ndarray, weights: np.ndarray, y: np.ndarray, penalty: float, complete: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z (m, q) centred -> intercept and slopes (q + 1,), the slopes' standard errors (q,), probabilities (m,)"""
    design = np.column_stack([np.ones(len(z)), z])
    free = 2 * penalty * np.diag([0.0] + [1.0] * z.shape[1])
    b = _newton(design, weights, y, free)
    guess = expit(design @ b)
    information = (design * (weights * guess * (1 - guess))[:, None]).T @ design
    inverse = np.linalg.pinv(information + free, hermitian=True)
    moved = design @ inverse  # (m, q + 1) what a unit of weighted residual does to b
    leverage = weights * guess * (1 - guess) * (moved * design).sum(axis=1)
    scores = weights * (y - guess) / np.maximum(1 - leverage, 1e-9)
    variance = 0.0 if complete else (scores**2) @ moved**2
    pull = np.linalg.pinv(information, hermitian=True) @ free @ b
    return b, np.sqrt(variance + pull**2)[1:], guess


def _newton(design: np.ndarray, weights: np.ndarray, y: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The minimum (q + 1,), each step halved until the loss falls."""
    b = np.zeros(design.shape[1])
    b[0] = logit(np.clip(weights @ y / weights.sum(), 1e-12, 1 - 1e-12))
    if y.max() == y.min():
        return b
    loss = _loss(design, weights, y, free, b)
    for _ in range(_STEPS):
        guess = expit(design @ b)
        slope = design.T @ (weights * (guess - y)) + free @ b
        curve = (design * (weights * guess * (1 - guess))[:, None]).T @ design + free
        step = np.linalg.lstsq(curve, slope, rcond=None)[0]
        if np.abs(step).max() <= _EXACT * max(1.0, np.abs(b).max()):
            return np.asarray(b - step)
        size = 1.0
        while (trial := _loss(design, weights, y, free, b - size * step)) > loss and size > 1e-8:
            size /= 2
        if trial >= loss and np.abs(step).max() <= 1e-5 * max(1.0, np.abs(b).max()):
            return b  # as near as rounding lets it come
        b, loss = b - size * step, trial
    raise MethodError(
        "loss='logistic' finds no end: a linear rule parts the neighbours that score 0 from those that score 1. "
        "Take penalty > 0, or loss='squared'."
    )


def _loss(design: np.ndarray, weights: np.ndarray, y: np.ndarray, free: np.ndarray, b: np.ndarray) -> float:
    e = design @ b
    return float(weights @ (np.logaddexp(0, e) - y * e) + 0.5 * b @ free @ b)
