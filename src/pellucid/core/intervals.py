"""Three intervals in closed form: of a share of counts, of a ratio of means, of a mean."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit


def wilson(hits: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The Wilson score interval of a proportion: honest also near 0 and 1 (Wilson 1927)."""
    z = float(ndtri(0.5 + level / 2))
    middle, half = hits + z**2 / 2, z * np.sqrt(hits * (n - hits) / n + z**2 / 4)
    return float((middle - half) / (n + z**2)), float((middle + half) / (n + z**2))


def ratio(part: np.ndarray, whole: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """part, whole (n,) paired -> mean(part) / mean(whole) and the ends of its interval, by the delta method."""
    n, share = len(part), float(part.mean() / whole.mean())
    if n < 2:
        return share, np.nan, np.nan
    error = (part - share * whole).std(ddof=1) / (np.sqrt(n) * abs(whole.mean()))
    half = float(stdtrit(n - 1, 0.5 + level / 2) * error)
    return share, share - half, share + half
