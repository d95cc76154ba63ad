"""The mean of a method's values over several references, and its standard error: Welford's update, one pass, no cancellation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def averaged(values: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
    """Values per reference, all of one shape -> their mean, and the standard error of it (None for a single reference).

    The error says how far the mean would move with other references from the same source.
    """
    each = iter(values)
    mean = np.array(next(each), dtype=float)
    spread, count = np.zeros_like(mean), 1
    for count, one in enumerate(each, 2):
        away = one - mean
        mean += away / count
        spread += away * (one - mean)
    return mean, np.sqrt(spread / (count - 1) / count) if count > 1 else None
