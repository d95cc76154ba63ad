"""Background rows dealt into groups, whose means are independent: their spread gives the standard error of the whole mean.

Groups lie side by side, in single precision, since only the error depends on them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

GROUPS = 8


def sizes(references: int) -> np.ndarray:
    """(GROUPS,) how many background rows each group holds: row b belongs to group b % GROUPS."""
    return np.bincount(np.arange(references) % GROUPS, minlength=GROUPS).astype(float)


def standard_error(mean: np.ndarray, grouped: np.ndarray, held: np.ndarray) -> np.ndarray:
    """mean (...), each group's mean (..., GROUPS), held (GROUPS,) rows -> (...), NaN for a single group."""
    used = int((held > 0).sum())
    if used < 2:
        return np.full(mean.shape, np.nan)
    off = (grouped - mean[..., None]) * (held / held.sum())
    return np.asarray(np.sqrt((off**2).sum(-1) * used / (used - 1)) * _wider(used - 1))


@lru_cache(maxsize=32)
def _wider(freedom: int) -> float:
    """Student's t over the normal quantile: 1.96 stated errors hold the truth in 95 % of cases for few groups, too."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975)) / 1.959963984540054
