"""Interactions through a table per leaf over the patterns of satisfied conditions, read by every row.

With G_t and M_t as in `leaves`, the Shapley interaction of two players is the integral over t of G_t with both their factors
replaced by o - z (Owen 1972): one replacement is `derive`, and a pair takes two. The integrand is a polynomial of degree d - 2,
so ceil(d / 2) Gauss-Legendre points are exact. A table lives while its leaf is visited.
"""

from __future__ import annotations

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.nodes import branch, step


@kernel
def slots(nodes: np.ndarray, leaf: int, who: np.ndarray, shares: np.ndarray) -> None:
    """The players on a leaf's path by place, and the share of cover that follows each."""
    seen = 0
    i = leaf
    while nodes[i].parent >= 0:
        place = nodes[i].bit
        if not (seen >> place) & 1:
            seen |= 1 << place
            who[place], shares[place] = nodes[i].player, nodes[i].share
        i = nodes[i].parent


@kernel
def from_shares(shares: np.ndarray, d: int, t: float, game: np.ndarray) -> None:
    """G_t for a product distribution, built up one axis at a time: game (2^d,)."""
    game[0] = 1.0
    for j in range(d):
        size = 1 << j
        without, within = shares[j] * (1.0 - t), shares[j] * (1.0 - t) + t
        for o in range(size):
            game[size + o] = game[o] * within
            game[o] *= without


@kernel
def from_counts(counts: np.ndarray, d: int, t: float, game: np.ndarray) -> None:
    """G_t for any distribution over patterns: counts (2^d,) -> game (2^d,)."""
    size = 1 << d
    for o in range(size):
        game[o] = counts[o]
    for j in range(d):
        half = 1 << j
        for low in range(0, size, 2 * half):
            for o in range(low, low + half):
                satisfied, not_satisfied = game[o + half], game[o]
                game[o] = (1.0 - t) * satisfied
                game[o + half] = satisfied + t * not_satisfied


@kernel
def derive(game: np.ndarray, d: int, j: int, t: float, weight: float, out: np.ndarray) -> None:
    """Adds weight * dG_t/d(player j) to out (2^d,)."""
    half, size = 1 << j, 1 << d
    absent, present = weight / (1.0 - t), weight / t
    for low in range(0, size, 2 * half):
        for o in range(low, low + half):
            a = game[o] * absent
            out[o] -= a
            out[o + half] += game[o + half] * present - a / t


@kernel
def tally(patterns: np.ndarray, rows: int, weight: float, counts: np.ndarray) -> None:
    """How the background rows are distributed over patterns: patterns (rows + ...,) -> counts (2^d,)."""
    counts[:] = 0.0
    for r in range(rows):
        counts[patterns[r]] += weight


@kernel
def look_up(table: np.ndarray, patterns: np.ndarray, out: np.ndarray) -> None:
    """out (r,) += table[patterns (r,)]"""
    for r in range(len(out)):
        out[r] += table[patterns[r]]


@kernel
def leaf_pairs(game: np.ndarray, d: int, t: float, weight: float, once: np.ndarray, out: np.ndarray) -> None:
    """Adds one point's part of a leaf's interactions: out (pairs, 2^d), pairs of places in order (0, 1), (0, 2) ..."""
    pair = 0
    for i in range(d):
        once[: 1 << d] = 0.0
        derive(game, d, i, t, 1.0, once)
        for j in range(i + 1, d):
            derive(once, d, j, t, weight, out[pair])
            pair += 1


@kernel
def play(shares: np.ndarray, counts: np.ndarray, references: int, d: int, t: float, game: np.ndarray) -> None:
    """G_t from counts of background rows, or from shares of cover."""
    if references:
        from_counts(counts, d, t, game)
    else:
        from_shares(shares, d, t, game)


@kernel
def targets(who: np.ndarray, d: int, players: int, out: np.ndarray) -> None:
    """Where each table of a leaf goes: a pair (i, j), i < j, as i * players + j: out (k,)."""
    k = 0
    for i in range(d):
        for j in range(i + 1, d):
            out[k] = min(who[i], who[j]) * players + max(who[i], who[j])
            k += 1


@kernel
def tallest(nodes: np.ndarray, roots: np.ndarray, trees: np.ndarray) -> int:
    """The height of the tallest of these trees."""
    height = 0
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            height = max(height, nodes[i].depth)
    return height


@kernel
def values(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    references: int,
    points: np.ndarray,
    weights: np.ndarray,
    deepest: int,
    players: int,
    phi: np.ndarray,
) -> None:
    """The chosen trees: adds the interactions of rows x[:, references:] to phi (players * players, r).

    x (columns, references + r) holds the background rows first; none means cover shares. points and weights (d + 1, q):
    the quadrature for leaves with d players, of which there are at most `deepest`.
    """
    height, size = tallest(nodes, roots, trees), 1 << deepest
    patterns = np.zeros((height + 1, x.shape[1]), np.uint16)
    took = np.empty((height + 1, x.shape[1]), np.uint16)
    most = deepest * deepest
    out, counts, game, once = np.empty((most, size)), np.empty(size), np.empty(size), np.empty(size)
    who, shares, goal = np.empty(deepest, np.int64), np.empty(deepest), np.empty(most, np.int64)
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            node = nodes[i]
            k = node.depth
            if k:
                step(patterns[k - 1], took[k - 1], i == node.parent + 1, node.bit, node.above < 0, patterns[k])
            if node.feature >= 0:
                branch(node, words, x, took[k])
            elif v[i] != 0.0 and node.unique > 1:
                d, held = node.unique, node.unique * (node.unique - 1) // 2
                slots(nodes, i, who, shares)
                if references:
                    tally(patterns[k], references, 1.0 / references, counts[: 1 << d])
                out[:held, : 1 << d] = 0.0
                for q in range((d + 1) // 2):
                    play(shares, counts, references, d, points[d, q], game)
                    leaf_pairs(game, d, points[d, q], weights[d, q] * v[i], once, out)
                targets(who, d, players, goal)
                for j in range(held):
                    look_up(out[j], patterns[k, references:], phi[goal[j]])
