"""A row meets all background rows in one walk of the tree, each with its own weight.

For few rows, for leaves with many players, and behind a link, whose mean slope between the two rows is then the weight. Given
the patterns o of a row and z of a background row, a leaf counts only if every player satisfies one of them; with
A = o and not z (a players) and C = z and not o (c players) the leaf's game is 1 on coalitions that hold A and avoid C, so

    phi_i = (a - 1)! c! / (a + c)!  on A,      phi_i = -a! (c - 1)! / (a + c)!  on C.

Which side background rows take at a node does not depend on the row and is a set, one bit a background row. Down a path go the
set of those that satisfy each player's edges, and the set that meets the row here at all: it shrinks at each edge of a player that
the row does not satisfy, and where it is empty the whole subtree is left out. C is the same for all that meet the row in a leaf.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.models.tree.compiled import inlined, kernel
from pellucid.models.tree.groups import GROUPS
from pellucid.models.tree.nodes import branch, goes_left

WORD = 64  # background rows to a word


@kernel
def count(bits: Any) -> Any:
    """How many bits are set."""
    bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.intp((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@inlined
def missed(satisfied: Any, at: Any) -> Any:
    """1 where a background row, the bit `at`, is not in a set."""
    return np.intp(((satisfied >> at) & np.uint64(1)) ^ np.uint64(1))


@kernel
def sides(
    nodes: np.ndarray, words: np.ndarray, start: int, stop: int, x: np.ndarray, took: np.ndarray, out: np.ndarray
) -> None:
    """Background rows x (columns, b) -> out (stop - start, words) the set that goes left at each node."""
    for i in range(start, stop):
        here = out[i - start]
        for w in range(len(here)):
            here[w] = np.uint64(0)
        if nodes[i].feature >= 0:
            branch(nodes[i], words, x, took)
            for b in range(x.shape[1]):
                here[b // WORD] |= np.uint64(took[b]) << np.uint64(b % WORD)


@kernel
def leaf(
    alive: np.ndarray,
    inside: np.ndarray,
    o: int,
    d: int,
    value: float,
    weights: np.ndarray,
    who: np.ndarray,
    shapley: np.ndarray,
    scratch: tuple[np.ndarray, np.ndarray, np.ndarray],
    phi: np.ndarray,
) -> None:
    """One leaf: the set of background rows that meet the row here (words,), inside (d, words): adds to phi (players, GROUPS)."""
    places, goal, lost = scratch
    satisfied = 0
    for j in range(d):  # without branches: a place that is not satisfied is written over
        places[satisfied], goal[satisfied] = j, who[j]
        satisfied += (o >> j) & 1
    c = d - satisfied
    for g in range(GROUPS):
        lost[g] = 0.0
    for w in range(len(alive)):
        rest = alive[w]
        while rest:
            at = np.uint64(count((rest & (~rest + np.uint64(1))) - np.uint64(1)))
            rest &= rest - np.uint64(1)
            a = 0
            for k in range(satisfied):
                a += missed(inside[places[k], w], at)
            b = w * WORD + np.int64(at)
            group, weight = b % GROUPS, value * weights[b]
            if c:
                lost[group] += weight * shapley[a, c - 1]
            if a:
                held = weight * shapley[a - 1, c]
                for k in range(satisfied):
                    phi[goal[k], group] += held * missed(inside[places[k], w], at)
    if c:
        for j in range(d):
            if not (o >> j) & 1:
                for g in range(GROUPS):
                    phi[who[j], g] -= lost[g]


@kernel
def edge(
    node: Any,
    above: int,
    left: bool,
    satisfied: bool,
    side: np.ndarray,
    mother: int,
    alive: np.ndarray,
    inside: np.ndarray,
) -> bool:
    """Sets below an edge from those above it, where the path has so many players: whether anyone meets the row there.

    side (nodes, words), alive (height, words), inside (height, players, words)
    """
    k, place, again, someone = node.depth, node.bit, node.above >= 0, False
    for w in range(side.shape[1]):
        for j in range(above):
            inside[k, j, w] = inside[k - 1, j, w]
        follow = side[mother, w] if left else ~side[mother, w]
        if again:
            follow &= inside[k - 1, place, w]
        inside[k, place, w] = follow
        alive[k, w] = alive[k - 1, w] if satisfied else alive[k - 1, w] & follow
        someone |= alive[k, w] != np.uint64(0)
    return someone


@kernel
def beyond(nodes: np.ndarray, i: int, stop: int) -> int:
    """The first node after the subtree of node i."""
    while nodes[i].parent >= 0 and i != nodes[i].parent + 1:
        i = nodes[i].parent
    return nodes[nodes[i].parent].right if nodes[i].parent >= 0 else stop


@kernel
def walk(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    start: int,
    stop: int,
    x: np.ndarray,
    side: np.ndarray,
    weights: np.ndarray,
    shapley: np.ndarray,
    offset: np.ndarray,
    wanted: np.ndarray,
    stacks: tuple[Any, ...],
    phi: np.ndarray,
) -> None:
    """One tree, nodes start..stop, one row x (columns,): adds to phi (players, GROUPS). side (stop - start, words)"""
    pattern, took, who, alive, inside, scratch = stacks
    i = start
    while i < stop:
        node = nodes[i]
        k = node.depth
        if k:
            if not wanted[i]:
                i = beyond(nodes, i, stop)
                continue
            mother, bit = node.parent, np.int64(1) << node.bit
            left = i == mother + 1
            who[node.bit] = node.player  # in preorder, deeper places are written again before they are read
            before = pattern[k - 1] | bit if node.above < 0 else pattern[k - 1]
            pattern[k] = before if took[k - 1] == left else before & ~bit
            satisfied = pattern[k] & bit != 0
            if not edge(node, nodes[mother].unique, left, satisfied, side, mother - start, alive, inside):
                i = beyond(nodes, i, stop)
                continue
        if node.feature >= 0:
            took[k] = goes_left(node.rule, node.threshold, words, node.start, node.stop, x[node.feature])
        elif v[i] != 0.0 and k and offset[i] < 0:
            leaf(alive[k], inside[k], pattern[k], node.unique, v[i], weights, who, shapley, scratch, phi)
        i += 1


def room(height: int, widest: int, largest: int, references: int) -> tuple[Any, ...]:
    """What `values` works in: stacks for paths of that height and so many players, and the sides of a tree with so many nodes.

    Made here, since compiling it would take longer than everything else.
    """
    words = -(-references // WORD)
    alive = np.zeros((height + 1, words), np.uint64)
    np.bitwise_or.at(
        alive[0], np.arange(references) // WORD, np.uint64(1) << (np.arange(references) % WORD).astype(np.uint64)
    )
    stacks = (
        np.zeros(height + 1, np.int64),
        np.zeros(height + 1, np.bool_),
        np.zeros(widest + 1, np.int64),
        alive,
        np.zeros((height + 1, widest, words), np.uint64),
        (np.zeros(widest + 1, np.int64), np.zeros(widest + 1, np.int64), np.zeros(GROUPS)),
    )
    return stacks, np.empty(references, np.uint16), np.empty((largest, words), np.uint64)


@kernel
def values(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    background: np.ndarray,
    known: np.ndarray,
    weights: np.ndarray,
    shapley: np.ndarray,
    offset: np.ndarray,
    wanted: np.ndarray,
    room: tuple[Any, ...],
    phi: np.ndarray,
) -> None:
    """The chosen trees, rows x (r, columns), background (columns, b), weights (r, b): adds to phi (r, players, GROUPS).

    known (nodes, words) holds the sets that go left at each node, or (0, words) where they are to be found; leaves with
    an offset (nodes,) have tables and are left out; wanted (nodes,) is False where there are no others below.
    """
    stacks, took, found = room
    for tree in trees:
        start, stop = roots[tree], roots[tree + 1]
        if len(known):
            side = known[start:stop]
        else:
            side = found[: stop - start]
            sides(nodes, words, start, stop, background, took, side)
        for r in range(len(x)):
            walk(nodes, words, v, start, stop, x[r], side, weights[r], shapley, offset, wanted, stacks, phi[r])
