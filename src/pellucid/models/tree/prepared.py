"""What does not depend on the rows, made once, so that a second question to the same forest finds it ready: tables of leaves,
and the sides that background rows take.

A forest keeps them while they are small and while it lives itself; a background is known by its content.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from pellucid.models.tree import groups, leaves, meeting
from pellucid.models.tree.forest import DEEPEST, Forest

_MOST = 2**26  # bytes of tables that a forest keeps for one reference
_REFERENCES = 4  # how many references it keeps tables for


@dataclass(frozen=True, eq=False)
class Tables:
    """Where each leaf's tables start (nodes,), -1 for none; B and C, and the background's groups of each."""

    offset: np.ndarray
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


T = TypeVar("T")
_Kept = weakref.WeakKeyDictionary[Forest, dict[bytes, T]]
_TABLES: _Kept[Tables] = weakref.WeakKeyDictionary()
_SIDES: _Kept[np.ndarray] = weakref.WeakKeyDictionary()


def kept(forest: Forest, background: np.ndarray | None) -> Tables | None:
    """All shallow leaves' tables, from the last time or for the next; None where they are too large to keep."""
    if forest.patterns * (16 if background is None else 16 + 8 * groups.GROUPS) > _MOST:
        return None
    every = np.arange(forest.trees)
    return _remembered(_TABLES, forest, background, lambda: made(forest, every, forest.leaves, background))


def sides(forest: Forest, background: np.ndarray) -> np.ndarray:
    """(nodes, words) the set of background rows that goes left at each node; (0, words) where that is too large to keep."""
    words = -(-len(background) // meeting.WORD)
    if 8 * words * len(forest.nodes) > _MOST:
        return np.empty((0, words), np.uint64)

    def make() -> np.ndarray:
        found, took = np.empty((len(forest.nodes), words), np.uint64), np.empty(len(background), np.uint16)
        columns = np.ascontiguousarray(background.T)
        meeting.sides(forest.nodes, forest.words, 0, len(found), columns, took, found)
        return found

    return _remembered(_SIDES, forest, background, make)


def fingerprint(rows: np.ndarray | None) -> bytes:
    """What tells one background (b, columns) from another: its content."""
    return b"" if rows is None else hashlib.blake2b(rows.tobytes(), digest_size=16).digest()


def _remembered(store: _Kept[T], forest: Forest, background: np.ndarray | None, make: Callable[[], T]) -> T:
    ready, key = store.setdefault(forest, {}), fingerprint(background)
    return remember(ready, key, _REFERENCES, make)


def remember(ready: dict[bytes, T], key: bytes, most: int, make: Callable[[], T]) -> T:
    """What is ready under a key, made where it is not; the oldest goes where there are too many."""
    if key not in ready:
        while len(ready) >= most:
            ready.pop(next(iter(ready)), None)
        ready[key] = make()
    return ready[key]


def made(forest: Forest, trees: np.ndarray, chosen: np.ndarray, background: np.ndarray | None) -> Tables:
    """Tables of the chosen leaves (nodes,) of some trees (k,), where they have few players."""
    unique = forest.nodes["unique"]
    inside = np.zeros(forest.trees, bool)
    inside[trees] = True
    tabled = chosen & np.repeat(inside, np.diff(forest.roots)) & (unique > 0) & (unique <= DEEPEST)
    sizes = np.where(tabled, 1 << np.minimum(unique, DEEPEST).astype(np.int64), 0)
    ends = np.cumsum(sizes)
    offset, cells = np.where(tabled, ends - sizes, -1), int(ends[-1])
    lanes = 0 if background is None else groups.GROUPS
    arrays = (
        np.zeros(cells),
        np.zeros(cells),
        np.zeros(lanes * cells, np.float32),
        np.zeros(lanes * cells, np.float32),
    )
    if background is None:
        points = gauss_legendre(DEEPEST)
        leaves.follow_cover(forest.nodes, forest.roots, trees, offset, *points, *arrays[:2])
    else:
        columns, held = np.ascontiguousarray(background.T), groups.sizes(len(background))
        leaves.meet_background(
            forest.nodes, forest.words, forest.roots, trees, columns, held, offset, _meetings(), arrays
        )
    return Tables(offset, arrays)


@lru_cache(maxsize=1)
def _meetings() -> np.ndarray:
    """(2, a, c): what B and C get from one background row; see `leaves`."""
    f = np.cumprod([1.0, *range(1, 2 * DEEPEST + 1)])
    worth = np.zeros((2, DEEPEST + 1, DEEPEST + 1))
    for a, c in np.ndindex(DEEPEST + 1, DEEPEST + 1):
        worth[0, a, c] = f[a - 1] * f[c] / f[a + c] if a else -sum(1 / k for k in range(1, c + 1))
        worth[1, a, c] = worth[0, a, c] + (f[a] * f[c - 1] / f[a + c] if c else 0.0)
    return worth


@lru_cache(maxsize=16)
def gauss_legendre(widest: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on [0, 1], (widest + 1, q): row d is exact for polynomials of degree d - 1, padded with weight 0."""
    q = max(1, -(-widest // 8)) * 4
    points, weights = np.full((widest + 1, q), 0.5), np.zeros((widest + 1, q))
    for d in range(1, widest + 1):
        count = (d + 1) // 2
        nodes, weight = np.polynomial.legendre.leggauss(count)
        points[d, :count], weights[d, :count] = (nodes + 1) / 2, weight / 2
    return points, weights
