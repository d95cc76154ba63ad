"""Shallow leaves: a table per leaf over the patterns of satisfied conditions, read by every row.

A leaf with d players on its path knows of a row only the pattern o in {0, 1}^d of players whose edges it satisfies, and
of the reference only the distribution c over such patterns z: products of cover shares (path-dependent) or counts of
background rows (interventional). With t the probability that a player is present, the leaf's game is

    G_t(o) = sum_z c(z) prod_j M_t[o_j, z_j],     M_t = [[1, t], [1 - t, 0]]    (rows o, columns z; satisfied first)

which is M_t applied along every axis, and the Shapley value is the integral over t of G with player i's factor replaced
by o_i - z_i (Owen 1972). Where a and b are the parts of c with z_i satisfied and not, G(o_i = 1) = a + t b and
G(o_i = 0) = (1 - t) a, so the derivative is b or -a and needs no second sum. Two derivatives give the interaction of a
pair. The integrands are polynomials of degree d - 1 and d - 2: ceil(d / 2) Gauss-Legendre points are exact.
A table lives while its leaf is visited.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from pellucid.models.tree.nodes import FAST, branch, step


@njit(**FAST)
def slots(leaf, parent, player, place, share, who, shares):
    """The players on a leaf's path by place, and the share of cover that follows each."""
    seen = 0
    i = leaf
    while parent[i] >= 0:
        if not (seen >> place[i]) & 1:
            seen |= 1 << place[i]
            who[place[i]], shares[place[i]] = player[i], share[i]
        i = parent[i]


@njit(**FAST)
def from_shares(shares, d, t, game):
    """G_t for a product distribution, built up one axis at a time: game (2^d,)."""
    game[0] = 1.0
    for j in range(d):
        size = 1 << j
        without, within = shares[j] * (1.0 - t), shares[j] * (1.0 - t) + t
        for o in range(size):
            game[size + o] = game[o] * within
            game[o] *= without


@njit(**FAST)
def from_counts(counts, d, t, game):
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


@njit(**FAST)
def derive(game, d, j, t, weight, out):
    """Adds weight * dG_t/d(player j) to out (2^d,)."""
    half, size = 1 << j, 1 << d
    absent, present = weight / (1.0 - t), weight / t
    for low in range(0, size, 2 * half):
        for o in range(low, low + half):
            a = game[o] * absent
            out[o] -= a
            out[o + half] += game[o + half] * present - a / t


@njit(**FAST)
def tally(patterns, rows, weight, counts):
    """How the background rows are distributed over patterns: patterns (rows + ...,) -> counts (2^d,)."""
    counts[:] = 0.0
    for r in range(rows):
        counts[patterns[r]] += weight


@njit(**FAST)
def look_up(table, patterns, out):
    """out (r,) += table[patterns (r,)]"""
    for r in range(len(out)):
        out[r] += table[patterns[r]]


@njit(**FAST)
def leaf_table(nodes, leaf, value, patterns, references, t, w, who, shares, counts, game, out):
    """The Shapley values of one leaf for every pattern: out (d, 2^d); the players' places go into who (d,)."""
    d = nodes.unique[leaf]
    slots(leaf, nodes.parent, nodes.player, nodes.bit, nodes.share, who, shares)
    if references:
        tally(patterns, references, 1.0 / references, counts[: 1 << d])
    out[:d, : 1 << d] = 0.0
    for q in range(len(t)):
        if references:
            from_counts(counts, d, t[q], game)
        else:
            from_shares(shares, d, t[q], game)
        for j in range(d):
            derive(game, d, j, t[q], w[q] * value, out[j])
    return d


@njit(**FAST)
def values(nodes, v, roots, trees, x, references, points, weights, deepest, phi):
    """The chosen trees: adds the Shapley values of rows x[:, references:] to phi (players, r).

    x (columns, references + r) holds the background rows first; none means cover shares. points and weights
    (d + 1, q): the quadrature for leaves with d players.
    """
    height = 0
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            height = max(height, nodes.depth[i])
    patterns = np.zeros((height + 1, x.shape[1]), np.uint16)
    took = np.empty((height + 1, x.shape[1]), np.uint16)
    size = 1 << deepest
    out, counts, game = np.empty((deepest, size)), np.empty(size), np.empty(size)
    who, shares = np.empty(deepest, np.int64), np.empty(deepest)
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            k = nodes.depth[i]
            if k:
                left, first = i == nodes.parent[i] + 1, nodes.above[i] < 0
                step(patterns[k - 1], took[k - 1], left, nodes.bit[i], first, patterns[k])
            if nodes.feature[i] >= 0:
                branch(nodes, i, x, took[k])
            elif v[i] != 0.0 and k:
                d, q = nodes.unique[i], (nodes.unique[i] + 1) // 2
                t, w = points[d, :q], weights[d, :q]
                leaf_table(nodes, i, v[i], patterns[k], references, t, w, who, shares, counts, game, out)
                for j in range(d):
                    look_up(out[j], patterns[k, references:], phi[who[j]])
