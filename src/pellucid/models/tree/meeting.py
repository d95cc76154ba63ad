"""Rows and background rows meet one by one, each pair with its own weight.

For leaves with many players, for few rows, and behind a link, whose mean slope between the two rows is then the weight. Given
the patterns o of a row and z of a background row, a leaf counts only if every player satisfies one of them; with
A = o and not z (a players) and C = z and not o (c players) the leaf's game is 1 on coalitions that hold A and avoid C, so

    phi_i = (a - 1)! c! / (a + c)!  on A,      phi_i = -a! (c - 1)! / (a + c)!  on C.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.groups import GROUPS
from pellucid.models.tree.nodes import branch, step
from pellucid.models.tree.table import slots, tallest


@kernel
def count(bits: Any) -> Any:
    """How many bits are set."""
    bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.intp((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel
def meet(o: Any, z: Any, d: int, who: np.ndarray, held: float, avoided: float, r: int, g: int, phi: np.ndarray) -> None:
    """One row meets one background row in a leaf: `held` for each player of A, `avoided` for each of C."""
    for j in range(d):
        mine, theirs = (o >> np.uint64(j)) & np.uint64(1), (z >> np.uint64(j)) & np.uint64(1)
        if mine > theirs:
            phi[who[j], r, g] += held
        elif theirs > mine:
            phi[who[j], r, g] -= avoided


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
    offset: np.ndarray,
    phi: np.ndarray,
) -> None:
    """The chosen trees: adds to phi (players, r, GROUPS). x (columns, references + r), background rows first;
    slopes (r, references); leaves with an offset (nodes,) have tables and are left out."""
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
            elif v[i] != 0.0 and k and offset[i] < 0:
                slots(nodes, i, who, shares)
                leaf(patterns[k], references, sizes, node.unique, v[i], slopes, who, shapley, phi)
