"""Levels without an order are put next to the levels whose rows are most alike in the other columns.

Apley & Zhu (2020), appendix: the distance of two levels is summed over the other columns, the Kolmogorov-Smirnov distance of
their distributions for numbers, half the absolute difference of their frequencies for levels; the order is that of the first
coordinate of classical scaling (Torgerson 1952).
"""

from __future__ import annotations

import numpy as np


def by_likeness(place: np.ndarray, levels: int, others: np.ndarray, coded: np.ndarray) -> np.ndarray:
    """The level of each row (n,), the other columns (n, q) and which of them are coded -> (levels,) an order of the levels"""
    if levels < 3:
        return np.arange(levels)
    distance = np.zeros((levels, levels))
    for j in range(others.shape[1]):
        shares = _shares(others[:, j], place, levels, cumulative=not coded[j])
        apart = np.abs(shares[:, None] - shares[None])
        distance += apart.sum(-1) / 2 if coded[j] else apart.max(-1)
    first = _first_coordinate(distance)
    first *= np.sign(first[0]) or 1  # an axis has no direction of its own: the first level comes last
    return np.argsort(-first, kind="stable")[::-1]


def _shares(column: np.ndarray, place: np.ndarray, levels: int, cumulative: bool) -> np.ndarray:
    """(levels, values) how often a level's rows take each value, or no more than it."""
    found, code = np.unique(column, return_inverse=True)
    table = np.zeros((levels, len(found)))
    np.add.at(table, (place, code), 1)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return np.cumsum(shares, axis=1) if cumulative else shares


def _first_coordinate(distance: np.ndarray) -> np.ndarray:
    centre = np.eye(len(distance)) - 1 / len(distance)
    _, vectors = np.linalg.eigh(-0.5 * centre @ distance**2 @ centre)
    return np.asarray(vectors[:, -1])
