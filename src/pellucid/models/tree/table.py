"""Shallow leaves: a table per leaf over the patterns of satisfied conditions, read by every row.

A leaf with d players on its path knows of a row only the pattern o in {0, 1}^d of players whose edges it satisfies, and
of the reference only the distribution c over such patterns z: products of cover shares (path-dependent) or counts of
background rows (interventional). With t the probability that a player is present, the leaf's game is

    G_t(o) = sum_z c(z) prod_j M_t[o_j, z_j],     M_t = [[1, t], [1 - t, 0]]    (rows o, columns z; satisfied first)

which is M_t applied along every axis. The Shapley value is the integral over t of G with player i's factor replaced by
o_i - z_i (Owen 1972). Where a and b are the parts of c with z_i satisfied and not, G(o_i = 1) = a + t b and
G(o_i = 0) = (1 - t) a, so that factor makes b or -a, and all players' values come from two tables, with o^i for o without i:

    A = integral of G_t / (1 - t),   B = integral of G_t / t,
    phi_i(o) = -A(o) where o_i = 0,  B(o) - B(o^i) - A(o^i) where o_i = 1.

Two such replacements give the interaction of a pair. The integrands are polynomials of degree d - 1 and d - 2, so
ceil(d / 2) Gauss-Legendre points are exact.
A table lives while its leaf is visited.
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
def gather(game: np.ndarray, t: float, weight: float, absent: np.ndarray, present: np.ndarray) -> None:
    """Adds one point's part of A and B: all (2^d,), or any number of numbers."""
    a, b = weight / (1.0 - t), weight / t
    for o in range(len(game)):
        absent[o] += a * game[o]
        present[o] += b * game[o]


@kernel
def spread(absent: np.ndarray, present: np.ndarray, half: int, out: np.ndarray) -> None:
    """A and B -> one player's value for every pattern: all (2^d,), half = 2^(the player's place)."""
    for low in range(0, len(out), 2 * half):
        for o in range(low, low + half):
            out[o] = -absent[o]
            out[o + half] = present[o + half] - present[o] - absent[o]


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
def leaf_table(
    d: int,
    order: int,
    value: float,
    shares: np.ndarray,
    counts: np.ndarray,
    references: int,
    t: np.ndarray,
    w: np.ndarray,
    game: np.ndarray,
    once: np.ndarray,
    twice: np.ndarray,
    out: np.ndarray,
) -> int:
    """One leaf for every pattern: its values (order 1) or its interactions (order 2) -> how many tables out (k, 2^d) holds."""
    size = 1 << d
    held = d if order == 1 else d * (d - 1) // 2
    if order == 1:
        once[:size], twice[:size] = 0.0, 0.0
    else:
        out[:held, :size] = 0.0
    for q in range(len(t)):
        play(shares, counts, references, d, t[q], game)
        if order == 1:
            gather(game[:size], t[q], w[q] * value, once, twice)
        else:
            leaf_pairs(game, d, t[q], w[q] * value, once, out)
    if order == 1:
        for j in range(d):
            spread(once, twice, 1 << j, out[j, :size])
    return held


@kernel
def targets(who: np.ndarray, d: int, order: int, players: int, out: np.ndarray) -> None:
    """Where each table of a leaf goes: a player, or a pair (i, j), i < j, as i * players + j: out (k,)."""
    k = 0
    for i in range(d):
        if order == 1:
            out[i] = who[i]
        else:
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
    order: int,
    deepest: int,
    players: int,
    phi: np.ndarray,
) -> None:
    """The chosen trees: adds the Shapley values (order 1) of rows x[:, references:] to phi (players, r), or their
    interactions (order 2) to phi (players * players, r).

    x (columns, references + r) holds the background rows first; none means cover shares. points and weights (d + 1, q):
    the quadrature for leaves with d players, of which there are at most `deepest`.
    """
    height, size = tallest(nodes, roots, trees), 1 << deepest
    patterns = np.zeros((height + 1, x.shape[1]), np.uint16)
    took = np.empty((height + 1, x.shape[1]), np.uint16)
    most = deepest * deepest
    out, counts, game = np.empty((most, size)), np.empty(size), np.empty(size)
    once, twice = np.empty(size), np.empty(size)
    who, shares, goal = np.empty(deepest, np.int64), np.empty(deepest), np.empty(most, np.int64)
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            node = nodes[i]
            k = node.depth
            if k:
                step(patterns[k - 1], took[k - 1], i == node.parent + 1, node.bit, node.above < 0, patterns[k])
            if node.feature >= 0:
                branch(node, words, x, took[k])
            elif v[i] != 0.0 and k:
                d, q = node.unique, (node.unique + 1) // 2
                slots(nodes, i, who, shares)
                if references:
                    tally(patterns[k], references, 1.0 / references, counts[: 1 << d])
                t, w = points[d, :q], weights[d, :q]
                held = leaf_table(d, order, v[i], shares, counts, references, t, w, game, once, twice, out)
                targets(who, d, order, players, goal)
                for j in range(held):
                    look_up(out[j], patterns[k, references:], phi[goal[j]])
