"""Tables of leaves, made once: they do not depend on the rows, so a second question to the same forest finds them ready.

A forest keeps its tables while they are small and while it lives itself; a background is known by its content.
"""

from __future__ import annotations

import hashlib
import weakref
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pellucid.models.tree import groups, leaves
from pellucid.models.tree.forest import DEEPEST, Forest

_MOST = 2**26  # bytes of tables that a forest keeps for one reference
_REFERENCES = 4  # how many references it keeps tables for


@dataclass(frozen=True, eq=False)
class Tables:
    """Where each leaf's tables start (nodes,), -1 for none; A and B, and the background's groups of each."""

    offset: np.ndarray
    arrays: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


_KEPT: weakref.WeakKeyDictionary[Forest, dict[bytes, Tables]] = weakref.WeakKeyDictionary()


def kept(forest: Forest, background: np.ndarray | None) -> Tables | None:
    """All shallow leaves' tables, from the last time or for the next; None where they are too large to keep."""
    if forest.patterns * (16 if background is None else 16 + 8 * groups.GROUPS) > _MOST:
        return None
    ready = _KEPT.setdefault(forest, {})
    key = b"" if background is None else hashlib.blake2b(background.tobytes(), digest_size=16).digest()
    if key not in ready:
        while len(ready) >= _REFERENCES:
            ready.pop(next(iter(ready)))
        ready[key] = made(forest, np.arange(forest.trees), forest.leaves, background)
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


def none(forest: Forest) -> np.ndarray:
    """(nodes,) offsets where no leaf has tables."""
    return np.full(len(forest.nodes), -1, np.int64)


@lru_cache(maxsize=1)
def _meetings() -> np.ndarray:
    """(2, a, c): what A and B get from one background row; see `leaves`."""
    f = np.cumprod([1.0, *range(1, 2 * DEEPEST + 1)])
    worth = np.zeros((2, DEEPEST + 1, DEEPEST + 1))
    for a, c in np.ndindex(DEEPEST + 1, DEEPEST + 1):
        worth[0, a, c] = f[a] * f[c - 1] / f[a + c] if c else 0.0
        worth[1, a, c] = f[a - 1] * f[c] / f[a + c] if a else -sum(1 / k for k in range(1, c + 1))
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
