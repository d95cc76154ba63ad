"""Which columns go together? Rank correlations (Spearman 1904) of the number columns, on some of the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

_TOGETHER = 0.8  # rank correlation from which two columns stand in for each other
_ROWS = 1000  # of the data that are looked at
_SAID = 3  # pairs that are named


def some(x: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows of x (n, p), evenly spaced."""
    return x[np.unique(np.linspace(0, len(x) - 1, min(len(x), most)).astype(int))]


def likeness(x: np.ndarray) -> np.ndarray:
    """x (n, q) -> rank correlations (q, q), 0 with itself; 0 of a constant column, NaN of one with missing values"""
    ranks = rankdata(x.astype(float), axis=0)
    ranks -= ranks.mean(axis=0)
    size = np.sqrt((ranks**2).sum(axis=0))
    alike = ranks.T @ ranks / np.maximum(np.outer(size, size), 1e-300)
    np.fill_diagonal(alike, 0)
    return np.asarray(alike)


def stand_ins(x: np.ndarray, coded: np.ndarray, names: Sequence[str], groups: Sequence[np.ndarray]) -> tuple[str, ...]:
    """x (n, p), which columns hold codes (p,) -> a warning for each pair in different groups that are near copies"""
    numbers = np.flatnonzero(~coded)
    alike = likeness(some(x[:, numbers], _ROWS))
    alike[~(np.abs(alike) >= _TOGETHER)] = 0  # NaN too
    pairs = [(numbers[i], numbers[j], alike[i, j]) for i, j in np.argwhere(np.triu(alike, 1))]
    apart = [pair for pair in pairs if not any(pair[0] in group and pair[1] in group for group in groups)]
    apart.sort(key=lambda pair: -abs(pair[2]))
    return tuple(
        f"columns {names[i]!r} and {names[j]!r} go together (rank correlation {r:.2f}): while one is shuffled the other "
        "still tells, so each may look less important than it is; put them into one group, or shuffle within 'leaves'"
        for i, j, r in apart[:_SAID]
    )
