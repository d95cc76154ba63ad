"""Bounds on a probability from a share of successes, by Chernoff's inequality in its sharp form.

For hits that are independent with probability p, a share `mean` of n of them and kl(a, b) = a log(a/b) + (1-a) log((1-a)/(1-b)),

    P(p > upper) <= exp(-beta)   with   upper = max {q >= mean: n kl(mean, q) <= beta},

and the same below (Kaufmann & Kalyanakrishnan, "Information Complexity in Bandit Subset Selection", COLT 2013, section 4.1).
"""

from __future__ import annotations

import numpy as np
from scipy.special import xlog1py, xlogy

_STEPS = 6
_EDGE = 1 - 1e-12


def upper(mean: np.ndarray, level: np.ndarray) -> np.ndarray:
    """mean (k,), level = beta / n (k,) -> the largest q with kl(mean, q) <= level (k,)

    Newton's steps from the right of a convex function's root stay on its right: the bound is never too narrow.
    """
    a = np.minimum(np.asarray(mean, dtype=float), _EDGE)
    limit = level - xlogy(a, a) - xlog1py(1 - a, -a)  # kl(a, q) <= level, with the parts without q brought over
    q = np.minimum(a + np.sqrt(np.asarray(level) / 2), -np.expm1(-limit / (1 - a)))  # Pinsker; -a log q >= 0
    q = np.clip(q, 1e-12, _EDGE)
    for _ in range(_STEPS):
        above = -xlogy(a, q) - xlog1py(1 - a, -q) - limit
        q = np.clip(q - above * q * (1 - q) / np.maximum(q - a, 1e-12), a, _EDGE)
    return np.where(q >= _EDGE, 1.0, q)


def lower(mean: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The smallest q with kl(mean, q) <= level (k,)."""
    return np.asarray(1 - upper(1 - np.asarray(mean, dtype=float), level))
