"""Copies of a table of which each has some column set anew: kept column by column, so that no other column is touched."""

from __future__ import annotations

import numpy as np


def by_column(x: np.ndarray) -> np.ndarray:
    """x (n, p) -> the same numbers (p, n), each column in one piece of memory"""
    return np.ascontiguousarray(x.T)


def copies(columns: np.ndarray, count: int) -> np.ndarray:
    """columns (p, n) -> as many tables (count, n, p), which are columns (p, count, n) in memory"""
    made = np.empty((len(columns), count, columns.shape[1]), columns.dtype)
    made[:] = columns[:, None]
    return np.moveaxis(made, 0, -1)
