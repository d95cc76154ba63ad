"""How near a sample is to the row that is explained, and how much it therefore counts.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), section 3.3: pi = exp(-D^2 / s^2). The lime package takes
the square root of exp(-D^2 / width^2), so that pi = exp(-D^2 / (2 width^2)); here as there. The paper's s is sqrt(2) width.

    euclidean   sqrt(sum of squared differences)     manhattan   sum of absolute differences
    chebyshev   the largest difference               cosine      1 - cosine of the angle, 1 from a sample that is all 0

The Shapley kernel knows no distance, only how many of p players are present, (p - 1) / (C(p, s) s (p - s)): infinite for
none and for all, whose answers the surrogate then meets exactly (Lundberg & Lee 2017, theorem 2).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.special import comb

from pellucid.core.errors import MethodError

Distance = Literal["euclidean", "manhattan", "chebyshev", "cosine", "shapley"]
DISTANCES: tuple[str, ...] = get_args(Distance)


def check_distance(who: str, distance: str) -> None:
    """Refuse a name that is no distance, when the method is made."""
    if distance not in DISTANCES:
        raise MethodError(f"{who}(distance={distance!r}): choose one of {', '.join(DISTANCES)}.")


def default_width(distance: str, p: int) -> float:
    """The lime package's 0.75 sqrt(p) for tables, its 0.25 for the cosine; the others reach about as far."""
    widths = {"euclidean": 0.75 * np.sqrt(p), "manhattan": 0.75 * p, "chebyshev": 1.5, "cosine": 0.25}
    return float(widths[distance])


def proximity(distance: np.ndarray, width: float) -> np.ndarray:
    """exp(-D^2 / (2 width^2)), as the lime package has it; the paper's exp(-D^2 / s^2) is width = s / sqrt(2)."""
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


def distances(features: np.ndarray, at: np.ndarray, distance: str) -> np.ndarray:
    """features (m, p), the instance's own `at` (p,) -> (m,)"""
    if distance == "cosine":
        return _cosine(features, at)
    off = np.abs(features - at)
    if distance == "euclidean":
        return np.asarray(np.sqrt((off**2).sum(axis=1)))
    return np.asarray(off.sum(axis=1) if distance == "manhattan" else off.max(axis=1))


def shapley_kernel(masks: np.ndarray) -> np.ndarray:
    """0/1 masks (m, p) -> (m,), infinite where no player or every player is present"""
    if not np.isin(masks, (0, 1)).all():
        raise MethodError("distance='shapley' counts players, and these features are no 0/1 masks: give a masker.")
    p, s = masks.shape[1], masks.sum(axis=1)
    ends = (s == 0) | (s == p)
    size = np.where(ends, 1, s)
    return np.where(ends, np.inf, (p - 1) / np.maximum(comb(p, size) * size * (p - size), 1e-300))


def _cosine(features: np.ndarray, at: np.ndarray) -> np.ndarray:
    """For masks and an instance that shows all, 1 - sqrt(shown / p)."""
    size = np.sqrt((features.astype(float) ** 2).sum(axis=1) * (at.astype(float) ** 2).sum())
    along = features.astype(float) @ at
    return np.where(size > 0, 1 - along / np.where(size > 0, size, 1), 1.0)
