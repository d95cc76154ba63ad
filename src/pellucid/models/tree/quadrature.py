"""Deep trees without background: Gauss-Legendre along the path, products carried down and leaf sums carried up.

With t the probability that a player is present (then it follows the row) rather than absent (then it follows the cover),
a leaf is reached with probability prod_j F_j over the players of its path,

    F_j = t o_j + (1 - t) z_j,      phi_i += value * (o_i - z_i) * integral of prod_{j != i} F_j dt,

o_j = 1 where the row satisfies the player's edges, z_j the share of cover that does.
Sums S_t of value * prod_j F_j over the leaves below an edge are divided by that edge's own factor. A player that splits
again below has a new factor there, so each edge adds its own term and takes back the term of the nearest edge above of the
same player (depth 0 stands for none: factor 1, term 0):

    phi_i += integral of S_t * (term - term above),     term = (o - z) / F.

For 0 < t < 1 a factor vanishes only where o = z = 0, and then so does everything below. A node costs a few operations per
point, without branches, LANES points at a time (padded with weight 0). One row goes through a tree at a time, which is
also the fast way for few rows, since nothing is prepared for the others.

Interactions with a player c are the same sums with c's factor replaced by o_c - z_c at the leaves that c reaches.
"""

from __future__ import annotations

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.nodes import goes_left

LANES = 4
TINY = 1e-300  # in place of a factor that is zero: what it divides is zero as well


@kernel
def edge(
    inverse: np.ndarray,
    term: np.ndarray,
    products: np.ndarray,
    k: int,
    above: int,
    o: float,
    z: float,
    t: np.ndarray,
    w: np.ndarray,
) -> None:
    """Depth k of each stack (depth, q): one over the edge's factor, its term, and the products down to here."""
    for g in range(0, len(t), LANES):
        f0, f1 = o * t[g] + (1.0 - t[g]) * z, o * t[g + 1] + (1.0 - t[g + 1]) * z
        f2, f3 = o * t[g + 2] + (1.0 - t[g + 2]) * z, o * t[g + 3] + (1.0 - t[g + 3]) * z
        i0, i1, i2, i3 = 1.0 / max(f0, TINY), 1.0 / max(f1, TINY), 1.0 / max(f2, TINY), 1.0 / max(f3, TINY)
        p0, p1 = products[k - 1, g] * f0, products[k - 1, g + 1] * f1
        p2, p3 = products[k - 1, g + 2] * f2, products[k - 1, g + 3] * f3
        p0, p1 = p0 * inverse[above, g], p1 * inverse[above, g + 1]
        p2, p3 = p2 * inverse[above, g + 2], p3 * inverse[above, g + 3]
        s0, s1, s2, s3 = w[g] * (o - z), w[g + 1] * (o - z), w[g + 2] * (o - z), w[g + 3] * (o - z)
        inverse[k, g], inverse[k, g + 1], inverse[k, g + 2], inverse[k, g + 3] = i0, i1, i2, i3
        products[k, g], products[k, g + 1], products[k, g + 2], products[k, g + 3] = p0, p1, p2, p3
        term[k, g], term[k, g + 1], term[k, g + 2], term[k, g + 3] = s0 * i0, s1 * i1, s2 * i2, s3 * i3


@kernel
def carry_up(sums: np.ndarray, term: np.ndarray, k: int, above: int, points: int) -> float:
    """Leaf sums of depth k go into those above -> what the edge adds to its player."""
    total = 0.0
    for g in range(0, points, LANES):
        a, b, c, d = sums[k, g], sums[k, g + 1], sums[k, g + 2], sums[k, g + 3]
        u0, u1, u2, u3 = sums[k - 1, g], sums[k - 1, g + 1], sums[k - 1, g + 2], sums[k - 1, g + 3]
        total += a * (term[k, g] - term[above, g]) + b * (term[k, g + 1] - term[above, g + 1])
        total += c * (term[k, g + 2] - term[above, g + 2]) + d * (term[k, g + 3] - term[above, g + 3])
        sums[k - 1, g], sums[k - 1, g + 1], sums[k - 1, g + 2], sums[k - 1, g + 3] = u0 + a, u1 + b, u2 + c, u3 + d
        sums[k, g], sums[k, g + 1], sums[k, g + 2], sums[k, g + 3] = 0.0, 0.0, 0.0, 0.0
    return total


@kernel
def worth(nodes: np.ndarray, i: int, fixed: int, present: np.ndarray) -> float:
    """What a leaf's value is multiplied by: o - z of the fixed player, 0 where it is not on the path."""
    while nodes[i].depth > 0:
        if nodes[i].player == fixed:
            return present[nodes[i].depth] - nodes[i].share
        i = nodes[i].parent
    return 0.0


@kernel
def extent(nodes: np.ndarray, start: int, stop: int) -> tuple[int, int]:
    """The height of a tree and the largest number of players on a path."""
    height, widest = 0, 0
    for i in range(start, stop):
        height, widest = max(height, nodes[i].depth), max(widest, nodes[i].unique)
    return height, widest


@kernel
def walk(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    start: int,
    stop: int,
    x: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    fixed: int,
    stacks: tuple[np.ndarray, ...],
    phi: np.ndarray,
) -> None:
    """One tree, nodes start..stop, one row x (columns,): adds to phi (players,)."""
    present, took, path, inverse, term, products, sums = stacks
    for i in range(start, stop):
        node = nodes[i]
        k = node.depth
        path[k] = i
        if k:
            above = nodes[node.above].depth if node.above >= 0 else 0
            present[k] = present[above] if took[k - 1] == (i == node.parent + 1) else 0.0
            o, z = (present[k], node.share) if node.player != fixed else (1.0, 1.0)
            edge(inverse, term, products, k, above, o, z, t, w)
        if node.feature >= 0:
            took[k] = goes_left(node.rule, node.threshold, words, node.start, node.stop, x[node.feature])
            continue
        value = v[i] if fixed < 0 else v[i] * worth(nodes, i, fixed, present)
        for q in range(len(t)):
            sums[k, q] = value * products[k, q]
        until = nodes[i + 1].depth if i + 1 < stop else 1
        for done in range(k, until - 1, -1):
            top = nodes[path[done]]
            above = nodes[top.above].depth if top.above >= 0 else 0
            phi[top.player] += carry_up(sums, term, done, above, len(t))


@kernel
def values(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    fixed: int,
    phi: np.ndarray,
) -> None:
    """The chosen trees, rows x (r, columns): adds Shapley values to phi (r, players).

    points and weights (d + 1, q): the quadrature for trees with up to d players on a path. With a fixed player (-1 for
    none), phi gets the Shapley interactions with that player instead.
    """
    for tree in trees:
        start, stop = roots[tree], roots[tree + 1]
        height, d = extent(nodes, start, stop)
        q = -(-d // (2 * LANES)) * LANES
        room = (height + 1, q)
        stacks = (
            np.ones(height + 1),
            np.zeros(height + 1, np.bool_),
            np.zeros(height + 1, np.int64),
            np.ones(room),
            np.zeros(room),
            np.ones(room),
            np.zeros(room),
        )
        for r in range(len(x)):
            walk(nodes, words, v, start, stop, x[r], points[d, :q], weights[d, :q], fixed, stacks, phi[r])
