"""Values behind a link: rows and background rows meet one by one, each pair with its own weight.

The sums are those of `background` (A = satisfied by the row alone, C = by the background row alone), times the mean slope
of the link between the two rows (see `link`).
"""

from __future__ import annotations

import numpy as np

from pellucid.models.tree.background import GROUPS, count, meet
from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.nodes import branch, step
from pellucid.models.tree.table import slots, tallest


@kernel
def leaf(
    patterns: np.ndarray,
    references: int,
    sizes: np.ndarray,
    d: int,
    value: float,
    slopes: np.ndarray,
    who: np.ndarray,
    shapley: np.ndarray,
    phi: np.ndarray,
) -> None:
    """One leaf: adds to phi (players, r, GROUPS). slopes (r, references)"""
    full = (np.uint64(1) << np.uint64(d)) - np.uint64(1) if d < 64 else ~np.uint64(0)
    for r in range(references, len(patterns)):
        o = patterns[r]
        for b in range(references):
            z = patterns[b]
            if (o | z) == full and o != z:
                a, c, g = count(o & ~z), count(z & ~o), b % GROUPS
                weight = value * slopes[r - references, b] / sizes[g]
                held = weight * shapley[a - 1, c] if a else 0.0
                avoided = weight * shapley[a, c - 1] if c else 0.0
                meet(o, z, d, who, held, avoided, r - references, g, phi)


@kernel
def values(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    references: int,
    sizes: np.ndarray,
    slopes: np.ndarray,
    shapley: np.ndarray,
    phi: np.ndarray,
) -> None:
    """The chosen trees: adds to phi (players, r, GROUPS). x (columns, references + r), background rows first;
    slopes (r, references)."""
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
                slots(nodes, i, who, shares)
                leaf(patterns[k], references, sizes, node.unique, v[i], slopes, who, shapley, phi)
