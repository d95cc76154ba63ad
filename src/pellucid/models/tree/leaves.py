"""Leaves with few players: two tables per leaf over the patterns of satisfied conditions, read by every row.

A leaf with d players on its path knows of a row only the pattern o in {0, 1}^d of players whose edges it satisfies, and of
the reference only the distribution over such patterns z: products of cover shares, or counts of background rows. With t the
probability that a player is present, the leaf is reached with probability

    G_t(o) = E_z prod_j M_t[o_j, z_j],     M_t = [[1, t], [1 - t, 0]]    (rows o, columns z; satisfied first).

The Shapley value is the integral over t of G with player i's factor replaced by o_i - z_i (Owen 1972). Where a and b are the
parts of E_z with z_i satisfied and not, G(o_i = 1) = a + t b and G(o_i = 0) = (1 - t) a, so that factor makes b or -a, and
all players' values come from two tables, with o^i for o without i:

    A = integral of G_t / (1 - t),   B = integral of G_t / t,
    phi_i(o) = -A(o) where o_i = 0,  B(o) - B(o^i) - A(o^i) where o_i = 1.

With C = A + B that is B(o) - C(o^i) in both cases (o^i is o itself where o_i = 0), so B and C are what is kept.

Cover shares: the integrands are polynomials of degree d - 1, and ceil(d / 2) Gauss-Legendre points are exact. A background row
z with a players unsatisfied meets only rows o that satisfy those; where o misses c of the others, G_t = t^a (1 - t)^c, so

    A = a! (c - 1)! / (a + c)!,     B = (a - 1)! c! / (a + c)!, and minus the c-th harmonic number for a = 0,

the constant being one that B's differences do not see. The tables do not depend on the rows, and are kept while they are small.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.groups import GROUPS
from pellucid.models.tree.meeting import count
from pellucid.models.tree.nodes import branch, step
from pellucid.models.tree.table import from_shares, look_up, slots, tallest


@kernel
def gather(game: np.ndarray, t: float, weight: float, first: np.ndarray, second: np.ndarray) -> None:
    """Adds one point's part of B and C: all (2^d,)."""
    b, c = weight / t, weight / t + weight / (1.0 - t)
    for o in range(len(game)):
        first[o] += b * game[o]
        second[o] += c * game[o]


@kernel
def follow_cover(
    nodes: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    offset: np.ndarray,
    points: np.ndarray,
    weights: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    """B and C of every leaf with an offset (nodes,), from the shares of cover; first and second hold zeros."""
    who, shares, game = np.empty(64, np.int64), np.empty(64), np.empty(1 << 16)
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            if offset[i] >= 0:
                d = nodes[i].unique
                slots(nodes, i, who, shares)
                at, size = offset[i], 1 << d
                for q in range((d + 1) // 2):
                    from_shares(shares, d, points[d, q], game)
                    gather(game[:size], points[d, q], weights[d, q], first[at : at + size], second[at : at + size])


@kernel
def add(source: np.ndarray, at: Any, weight: float, out: np.ndarray, to: Any) -> None:
    """out[to:to + GROUPS] += weight * source[at:at + GROUPS]; unsigned places are not counted from the end."""
    w, one, two, three, four = np.float32(weight), np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    s, t = at + four, to + four
    a0, a1, a2, a3 = source[at] * w, source[at + one] * w, source[at + two] * w, source[at + three] * w
    a4, a5, a6, a7 = source[s] * w, source[s + one] * w, source[s + two] * w, source[s + three] * w
    b0, b1, b2, b3 = out[to] + a0, out[to + one] + a1, out[to + two] + a2, out[to + three] + a3
    b4, b5, b6, b7 = out[t] + a4, out[t + one] + a5, out[t + two] + a6, out[t + three] + a7
    out[to], out[to + one], out[to + two], out[to + three] = b0, b1, b2, b3
    out[t], out[t + one], out[t + two], out[t + three] = b4, b5, b6, b7


@kernel
def meet_all(
    d: int,
    mean: np.ndarray,
    grouped: np.ndarray,
    worth: np.ndarray,
    at: int,
    tables: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """mean (2^d,), grouped (2^d * GROUPS,): how the background is distributed -> a leaf's tables, from place `at` on."""
    first, second, first_grouped, second_grouped = tables
    full = (1 << d) - 1
    for z in range(full + 1):
        if mean[z] != 0.0:
            a = d - count(np.uint64(z))
            missed = z
            while missed >= 0:
                c, o = count(np.uint64(missed)), at + (full ^ missed)
                first[o] += mean[z] * worth[0, a, c]
                second[o] += mean[z] * worth[1, a, c]
                here, there = np.uint64(GROUPS * z), np.uint64(GROUPS * o)
                add(grouped, here, worth[0, a, c], first_grouped, there)
                add(grouped, here, worth[1, a, c], second_grouped, there)
                missed = (missed - 1) & z if missed else -1


@kernel
def meet_background(
    nodes: np.ndarray,
    words: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    held: np.ndarray,
    offset: np.ndarray,
    worth: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """B and C of every leaf with an offset (nodes,), from background rows x (columns, b); the tables hold zeros."""
    height, total = tallest(nodes, roots, trees), x.shape[1]
    patterns = np.zeros((height + 1, total), np.uint16)
    took = np.empty((height + 1, total), np.uint16)
    mean, grouped = np.empty(1 << 16), np.empty(GROUPS << 16, np.float32)
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            node = nodes[i]
            k = node.depth
            if k:
                step(patterns[k - 1], took[k - 1], i == node.parent + 1, node.bit, node.above < 0, patterns[k])
            if node.feature >= 0:
                branch(node, words, x, took[k])
            elif offset[i] >= 0:
                mean[: 1 << node.unique], grouped[: GROUPS << node.unique] = 0.0, 0.0
                for b in range(total):
                    z, g = np.intp(patterns[k, b]), b % GROUPS
                    mean[z] += 1.0 / total
                    grouped[GROUPS * z + g] += np.float32(1.0 / held[g])
                meet_all(node.unique, mean, grouped, worth, offset[i], tables)


@kernel
def spread(first: np.ndarray, second: np.ndarray, half: int, value: Any, out: np.ndarray) -> None:
    """B and C -> one player's value for every pattern, times a leaf's: all (2^d,), half = 2^(the player's place)."""
    for low in range(0, len(out), 2 * half):
        for o in range(low, low + half):
            out[o] = value * (first[o] - second[o])
            out[o + half] = value * (first[o + half] - second[o])


@kernel
def look_up_grouped(table: np.ndarray, patterns: np.ndarray, out: np.ndarray) -> None:
    """out (r * GROUPS,) += table (2^d * GROUPS,) at patterns (r,)"""
    for r in range(len(patterns)):
        add(table, np.uint64(GROUPS) * np.uint64(patterns[r]), 1.0, out, np.uint64(GROUPS) * np.uint64(r))


@kernel
def read_leaf(
    d: int,
    value: float,
    at: int,
    patterns: np.ndarray,
    who: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    scratch: tuple[np.ndarray, np.ndarray],
    phi: np.ndarray,
    grouped: np.ndarray,
) -> None:
    """One leaf: adds to phi (players, r) and grouped (players, r * GROUPS), or (players, 0) without a background."""
    stop, single = at + (1 << d), np.float32(value)
    first, second = tables[0][at:stop], tables[1][at:stop]
    first_g, second_g = tables[2][GROUPS * at : GROUPS * stop], tables[3][GROUPS * at : GROUPS * stop]
    for j in range(d):
        spread(first, second, 1 << j, value, scratch[0][: 1 << d])
        look_up(scratch[0], patterns, phi[who[j]])
        if grouped.shape[1]:
            spread(first_g, second_g, GROUPS << j, single, scratch[1][: GROUPS << d])
            look_up_grouped(scratch[1], patterns, grouped[who[j]])


@kernel
def read(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    offset: np.ndarray,
    tables: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    phi: np.ndarray,
    grouped: np.ndarray,
) -> None:
    """The chosen trees' leaves with an offset (nodes,), rows x (columns, r): see `read_leaf`."""
    height = tallest(nodes, roots, trees)
    patterns = np.zeros((height + 1, x.shape[1]), np.uint16)
    took = np.empty((height + 1, x.shape[1]), np.uint16)
    scratch = (np.empty(1 << 10), np.empty(GROUPS << 10, np.float32))
    who = np.empty(height + 1, np.int64)
    for tree in trees:
        for i in range(roots[tree], roots[tree + 1]):
            node = nodes[i]
            k = node.depth
            if k:
                step(patterns[k - 1], took[k - 1], i == node.parent + 1, node.bit, node.above < 0, patterns[k])
                who[node.bit] = node.player  # in preorder, deeper places are written again before they are read
            if node.feature >= 0:
                branch(node, words, x, took[k])
            elif v[i] != 0.0 and offset[i] >= 0:
                read_leaf(node.unique, v[i], offset[i], patterns[k], who, tables, scratch, phi, grouped)
