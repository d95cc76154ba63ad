"""Which of many terms are worth searching over: those that an L1-penalised logistic regression keeps.

    min over w, b   mean logistic loss + c sum_j |w_j|

with c lowered by steps until as many terms as are wanted are not zero; w = u - v with u, v >= 0 makes it smooth (L-BFGS-B).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

_STEP, _STEPS = 0.6, 25


def screen(held: np.ndarray, by_class: np.ndarray, most: int) -> np.ndarray:
    """held (d, n) bool, by_class (n, 2) -> places of at most `most` terms, in their order"""
    d = len(held)
    if d <= most:
        return np.arange(d)
    terms, weights = held.T.astype(float), by_class / by_class.sum()
    whole, ones = weights.sum(axis=1), weights[:, 1]
    share = ones.sum()
    price = float(np.abs(terms.T @ (whole * share - ones)).max())
    at, chosen = np.zeros(2 * d + 1), np.array([], dtype=int)
    at[-1] = np.log(share / (1 - share))
    for _ in range(_STEPS):
        price *= _STEP
        at = _fitted(terms, whole, ones, price, at)
        sizes = np.abs(at[:d] - at[d:-1])
        kept = np.flatnonzero(sizes > 1e-6)
        if len(kept) > most:
            chosen = kept[np.argsort(-sizes[kept] * np.sqrt(terms[:, kept].var(axis=0)), kind="stable")[:most]]
            break
        chosen = kept
    return np.sort(chosen) if len(chosen) else np.arange(most)


def _fitted(terms: np.ndarray, whole: np.ndarray, ones: np.ndarray, price: float, start: np.ndarray) -> np.ndarray:
    """(2 d + 1,) positive parts, negative parts and intercept"""
    d = terms.shape[1]

    def cost(v: np.ndarray) -> tuple[float, np.ndarray]:
        z = terms @ (v[:d] - v[d:-1]) + v[-1]
        residual = whole * expit(z) - ones
        slope = residual @ terms
        value = float(whole @ np.logaddexp(0, z) - ones @ z + price * v[:-1].sum())
        return value, np.concatenate([slope + price, price - slope, [residual.sum()]])

    ends = [(0.0, None)] * (2 * d) + [(None, None)]
    return np.asarray(minimize(cost, start, jac=True, bounds=ends, method="L-BFGS-B", options={"maxiter": 200}).x)
