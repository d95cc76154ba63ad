"""Tables of leaves read by one row at a time: what is fast for few rows, where `leaves` would spread each table first."""

from __future__ import annotations

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.nodes import goes_left
from pellucid.models.tree.table import tallest


@kernel
def walk(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    start: int,
    stop: int,
    x: np.ndarray,
    offset: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray],
    stacks: tuple[np.ndarray, np.ndarray, np.ndarray],
    phi: np.ndarray,
) -> None:
    """One tree, nodes start..stop, one row x (columns,): adds to phi (players,)."""
    first, second = tables
    pattern, took, who = stacks
    for i in range(start, stop):
        k = nodes[i].depth
        if k:
            bit, same = np.int64(1) << nodes[i].bit, took[k - 1] == (i == nodes[i].parent + 1)
            if nodes[i].above < 0:
                who[nodes[i].bit] = nodes[i].player
                pattern[k] = pattern[k - 1] | bit if same else pattern[k - 1]
            else:
                pattern[k] = pattern[k - 1] if same else pattern[k - 1] & ~bit
        f = nodes[i].feature
        if f >= 0:
            took[k] = goes_left(nodes[i].rule, nodes[i].threshold, words, nodes[i].start, nodes[i].stop, x[f])
        elif v[i] != 0.0 and offset[i] >= 0:
            o, at = pattern[k], offset[i]
            here = v[i] * first[at + o]
            for j in range(nodes[i].unique):
                phi[who[j]] += here - v[i] * second[at + (o & ~(1 << j))]


@kernel
def read(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    offset: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray],
    phi: np.ndarray,
) -> None:
    """The chosen trees' leaves with an offset (nodes,), rows x (r, columns), B and C of `leaves`: adds to phi (r, players)."""
    height = tallest(nodes, roots, trees)
    stacks = (np.zeros(height + 1, np.int64), np.zeros(height + 1, np.bool_), np.zeros(height + 1, np.int64))
    for tree in trees:
        for r in range(len(x)):
            walk(nodes, words, v, roots[tree], roots[tree + 1], x[r], offset, tables, stacks, phi[r])
