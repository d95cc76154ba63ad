"""Interactions against background rows where leaves have too many players for a table: rows meet one by one.

With A, C, a, c as in `meeting`, the Shapley interaction index of a leaf's game is, for pairs of players,

    within A:  (a - 2)! c! / (a + c - 1)!     across:  -(a - 1)! (c - 1)! / (a + c - 1)!     within C:  a! (c - 2)! / (a + c - 1)!

(Grabisch & Roubens 1999).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.meeting import count
from pellucid.models.tree.nodes import branch, step
from pellucid.models.tree.table import slots, tallest


@kernel
def side(o: Any, z: Any, j: int) -> Any:
    """1 where player j is in A, -1 in C, 0 in neither."""
    return np.intp((o >> np.uint64(j)) & np.uint64(1)) - np.intp((z >> np.uint64(j)) & np.uint64(1))


@kernel
def meet(o: Any, z: Any, d: int, value: float, who: np.ndarray, weights: np.ndarray, phi: np.ndarray) -> None:
    """One row meets one background row in a leaf: adds to phi (players, players), above the diagonal."""
    a, c = count(o & ~z), count(z & ~o)
    if a + c < 2:
        return
    both = value * weights[a - 2, c] if a > 1 else 0.0
    across = -value * weights[a - 1, c - 1] if a and c else 0.0
    neither = value * weights[a, c - 2] if c > 1 else 0.0
    for i in range(d):
        mine = side(o, z, i)
        if mine == 0:
            continue
        for j in range(i + 1, d):
            theirs = side(o, z, j)
            if theirs == 0:
                continue
            same = both if mine > 0 else neither
            phi[min(who[i], who[j]), max(who[i], who[j])] += across if mine != theirs else same


@kernel
def values(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    references: int,
    weights: np.ndarray,
    phi: np.ndarray,
) -> None:
    """The chosen trees: adds the interactions of rows x[:, references:] to phi (r, players, players).

    x (columns, references + r) holds the background rows first; weights[a, c] = a! c! / (a + c + 1)!
    """
    height = tallest(nodes, roots, trees)
    patterns = np.zeros((height + 1, x.shape[1]), np.uint64)
    took = np.empty((height + 1, x.shape[1]), np.uint64)
    who, shares = np.empty(64, np.int64), np.empty(64)
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            node = nodes[i]
            k = node.depth
            if k:
                step(patterns[k - 1], took[k - 1], i == node.parent + 1, node.bit, node.above < 0, patterns[k])
            if node.feature >= 0:
                branch(node, words, x, took[k])
            elif v[i] != 0.0 and k:
                d = node.unique
                slots(nodes, i, who, shares)
                full = (np.uint64(1) << np.uint64(d)) - np.uint64(1) if d < 64 else ~np.uint64(0)
                for r in range(references, x.shape[1]):
                    for b in range(references):
                        if (patterns[k, r] | patterns[k, b]) == full:
                            meet(
                                patterns[k, r], patterns[k, b], d, v[i] / references, who, weights, phi[r - references]
                            )
