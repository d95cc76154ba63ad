"""Tables of leaves read by one row at a time: what is fast for few rows, where `leaves` would spread each table first."""

from __future__ import annotations

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.groups import GROUPS
from pellucid.models.tree.leaves import add
from pellucid.models.tree.nodes import goes_left

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@kernel
def look(first: np.ndarray, second: np.ndarray, at: int, o: int, place: int) -> float:
    """One player's value for pattern o, tables from place `at` on."""
    bit = 1 << place
    if o & bit:
        return second[at + o] - second[at + (o ^ bit)] - first[at + (o ^ bit)]
    return -first[at + o]


@kernel
def look_grouped(tables: Arrays, at: int, o: int, place: int, value: float, player: int, grouped: np.ndarray) -> None:
    """The same for every group: adds to grouped (players * GROUPS,)."""
    here, without = np.uint64(GROUPS * (at + o)), np.uint64(GROUPS * (at + (o & ~(1 << place))))
    to = np.uint64(GROUPS * player)
    add(tables[2], without, -value, grouped, to)
    if here != without:
        add(tables[3], here, value, grouped, to)
        add(tables[3], without, -value, grouped, to)


@kernel
def walk(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    start: int,
    stop: int,
    x: np.ndarray,
    offset: np.ndarray,
    tables: Arrays,
    stacks: tuple[np.ndarray, np.ndarray, np.ndarray],
    phi: np.ndarray,
    grouped: np.ndarray,
) -> None:
    """One tree, nodes start..stop, one row x (columns,): adds to phi (players,) and grouped (players * GROUPS,) or (0,)."""
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
            for j in range(nodes[i].unique):
                phi[who[j]] += v[i] * look(tables[0], tables[1], at, o, j)
                if len(grouped):
                    look_grouped(tables, at, o, j, v[i], who[j], grouped)


@kernel
def read(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    offset: np.ndarray,
    tables: Arrays,
    phi: np.ndarray,
    grouped: np.ndarray,
) -> None:
    """The chosen trees' leaves with an offset (nodes,), rows x (r, columns): adds to phi (r, players) and grouped
    (r, players * GROUPS), or (r, 0) without a background."""
    height = 0
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            height = max(height, nodes[i].depth)
    stacks = (np.zeros(height + 1, np.int64), np.zeros(height + 1, np.bool_), np.zeros(height + 1, np.int64))
    for tree in trees:
        for r in range(len(x)):
            walk(nodes, words, v, roots[tree], roots[tree + 1], x[r], offset, tables, stacks, phi[r], grouped[r])
