"""Values against background rows, with what is needed for their standard error.

As in `table`, but the background's rows are dealt into GROUPS groups, and every sum is kept for each group by itself: the
groups' means are independent, so their spread gives the standard error of the whole mean. A group is a lane of a SIMD
register, so all of them cost little more than one.

Where a leaf has many players, or only few rows ask, rows and background rows meet one by one instead. Given the patterns
o of a row and z of a background row, the leaf counts only if every player satisfies one of them; with
A = o and not z (a players) and C = z and not o (c players) the leaf's game is 1 on coalitions that hold A and avoid C, so

    phi_i = (a - 1)! c! / (a + c)!  on A,      phi_i = -a! (c - 1)! / (a + c)!  on C.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.nodes import branch, step
from pellucid.models.tree.table import gather, slots, spread, tallest

GROUPS = 16


@kernel
def tally(patterns: np.ndarray, sizes: np.ndarray, counts: np.ndarray) -> None:
    """counts (2^d * GROUPS,): each group's distribution over patterns; row b belongs to group b % GROUPS."""
    counts[:] = 0.0
    for b in range(len(patterns)):
        g = b % GROUPS
        counts[np.intp(patterns[b]) * GROUPS + g] += 1.0 / sizes[g]


@kernel
def transform(counts: np.ndarray, d: int, t: float, game: np.ndarray) -> None:
    """`table.from_counts` for all groups at once: counts, game (2^d * GROUPS,)."""
    size = GROUPS << d
    for o in range(size):
        game[o] = counts[o]
    for j in range(d):
        half = GROUPS << j
        for low in range(0, size, 2 * half):
            for o in range(low, low + half):
                satisfied, not_satisfied = game[o + half], game[o]
                game[o] = (1.0 - t) * satisfied
                game[o + half] = satisfied + t * not_satisfied


@kernel
def look_up(table: np.ndarray, patterns: np.ndarray, out: np.ndarray) -> None:
    """out (r, GROUPS) += table[patterns (r,)], the table (2^d, GROUPS)"""
    groups = table.shape[1]  # a number that the compiler does not know keeps this loop in SIMD
    for r in range(len(patterns)):
        at = np.intp(patterns[r])
        for g in range(groups):
            out[r, g] += table[at, g]


@kernel
def by_table(
    patterns: np.ndarray,
    references: int,
    sizes: np.ndarray,
    d: int,
    value: float,
    t: np.ndarray,
    w: np.ndarray,
    who: np.ndarray,
    scratch: tuple[np.ndarray, ...],
    phi: np.ndarray,
) -> None:
    """One leaf through a table: adds to phi (players, r, GROUPS)."""
    counts, game, absent, present, out = scratch
    size = GROUPS << d
    tally(patterns[:references], sizes, counts[:size])
    absent[:size], present[:size] = 0.0, 0.0
    for q in range(len(t)):
        transform(counts, d, t[q], game)
        gather(game[:size], t[q], w[q] * value, absent, present)
    for j in range(d):
        spread(absent, present, GROUPS << j, out[:size])
        look_up(out.reshape(-1, GROUPS), patterns[references:], phi[who[j]])


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
def one_by_one(
    patterns: np.ndarray,
    references: int,
    sizes: np.ndarray,
    d: int,
    value: float,
    who: np.ndarray,
    shapley: np.ndarray,
    phi: np.ndarray,
) -> None:
    """One leaf by direct sums: adds to phi (players, r, GROUPS). shapley[a, c] = a! c! / (a + c + 1)!"""
    full = (np.uint64(1) << np.uint64(d)) - np.uint64(1) if d < 64 else ~np.uint64(0)
    for r in range(references, len(patterns)):
        o = patterns[r]
        for b in range(references):
            z = patterns[b]
            if (o | z) == full and o != z:
                a, c, g = count(o & ~z), count(z & ~o), b % GROUPS
                weight = value / sizes[g]
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
    points: np.ndarray,
    weights: np.ndarray,
    shapley: np.ndarray,
    tabled: np.ndarray,
    phi: np.ndarray,
) -> None:
    """The chosen trees: adds the Shapley values of rows x[:, references:] to phi (players, r, GROUPS).

    x (columns, references + r) holds the background rows first; sizes (GROUPS,) counts those of each group. Leaves with d
    players go through a table where tabled[d], else row by row.
    """
    height, deepest = tallest(nodes, roots, trees), 0
    for d in range(len(tabled)):
        deepest = d if tabled[d] else deepest
    patterns = np.zeros((height + 1, x.shape[1]), np.uint64)
    took = np.empty((height + 1, x.shape[1]), np.uint64)
    size = GROUPS << deepest
    scratch = (np.empty(size), np.empty(size), np.empty(size), np.empty(size), np.empty(size))
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
                d, q = node.unique, (node.unique + 1) // 2
                slots(nodes, i, who, shares)
                if tabled[d]:
                    t, w = points[d, :q], weights[d, :q]
                    by_table(patterns[k], references, sizes, d, v[i], t, w, who, scratch, phi)
                else:
                    one_by_one(patterns[k], references, sizes, d, v[i], who, shapley, phi)
