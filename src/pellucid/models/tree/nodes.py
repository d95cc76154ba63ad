"""Small kernels on nodes: the one place that decides left or right, and what a path looks like to its players.

Trees are walked in preorder by plain loops: no recursion, which numba's cache does not survive. All kernels release the
interpreter's lock, so a pool of threads runs them side by side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

FAST = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE = {**FAST, "inline": "always"}


class Nodes(NamedTuple):
    """A forest and its paths as the kernels take them; one entry per node, but for `words`."""

    feature: np.ndarray
    threshold: np.ndarray
    rule: np.ndarray
    words: np.ndarray
    span: np.ndarray
    parent: np.ndarray
    depth: np.ndarray
    player: np.ndarray
    bit: np.ndarray
    above: np.ndarray
    unique: np.ndarray
    share: np.ndarray


ZERO = 1e-35  # LightGBM's idea of zero


@njit(**INLINE)
def member(value, words, start, stop):
    """Whether a category is in a bit set; fractions are cut off, as the libraries do."""
    if not value > -1.0 or value >= 32.0 * (stop - start):
        return False
    code = int(value)
    return (words[start + code // 32] >> np.uint32(code % 32)) & np.uint32(1) == 1


@njit(**FAST)
def decide(rule, threshold, column, words, start, stop, out):
    """column (r,) -> out (r,) 1 where the row goes left. Rules: see `forest`; an odd rule sends missing values left."""
    missing, kind = rule & 1, rule & 6
    if kind == 0 and missing == 0:
        for r in range(len(out)):
            out[r] = column[r] <= threshold
    elif kind == 0:
        for r in range(len(out)):
            out[r] = not column[r] > threshold
    elif kind == 2:
        for r in range(len(out)):
            gone = np.isnan(column[r]) or abs(column[r]) <= ZERO
            out[r] = missing if gone else column[r] <= threshold
    else:
        inside = 1 if kind == 4 else 0
        for r in range(len(out)):
            if np.isnan(column[r]):
                out[r] = missing
            else:
                out[r] = inside if member(column[r], words, start, stop) else 1 - inside


@njit(**INLINE)
def goes_left(nodes, i, value):
    """`decide` for one value."""
    rule = nodes.rule[i]
    missing = np.isnan(value) or (rule & 6 == 2 and abs(value) <= ZERO)
    if missing:
        return rule & 1 == 1
    if rule < 4:
        return value <= nodes.threshold[i]
    return member(value, nodes.words, nodes.span[i, 0], nodes.span[i, 1]) == (rule & 6 == 4)


@njit(**FAST)
def predict(x, feature, threshold, rule, words, span, right, value, roots, output, out):
    """x (n, columns) -> adds the reached leaves to out (n, outputs)."""
    left = np.empty(1, np.uint8)
    for tree in range(len(output)):
        for r in range(len(x)):
            i = roots[tree]
            while feature[i] >= 0:
                f = feature[i]
                decide(rule[i], threshold[i], x[r, f : f + 1], words, span[i, 0], span[i, 1], left)
                i = i + 1 if left[0] else right[i]
            for k in range(value.shape[1]):
                out[r, output[tree] + k] += value[i, k]


@njit(**FAST)
def preorder(left, right, roots):
    """Children in any order -> order (the old index of each new node), place (its inverse), parent and depth."""
    total = roots[-1]
    order, place = np.empty(total, np.int64), np.empty(total, np.int64)
    parent, depth = np.full(total, -1, np.int32), np.zeros(total, np.int32)
    stack, held = np.empty(total + 1, np.int64), np.empty((total + 1, 2), np.int32)
    at = 0
    for tree in range(len(roots) - 1):
        stack[0], held[0, 0], held[0, 1] = roots[tree], -1, 0
        top = 1
        while top and at < total:
            top -= 1
            old = stack[top]
            order[at], place[old], parent[at], depth[at] = old, at, held[top, 0], held[top, 1]
            if left[old] >= 0:
                for child in (right[old], left[old]):
                    stack[top], held[top, 0], held[top, 1] = child, at, depth[at] + 1
                    top += 1
            at += 1
    return order[:at], place, parent, depth


@njit(**FAST)
def ratios(cover, left, right):
    """Each node's share of its parent's cover; siblings add up to 1, and share alike where no training row came."""
    share = np.ones(len(cover))
    for i in range(len(cover)):
        if left[i] >= 0:
            total = cover[left[i]] + cover[right[i]]
            share[left[i]] = cover[left[i]] / total if total > 0 else 0.5
            share[right[i]] = cover[right[i]] / total if total > 0 else 0.5
    return share


@njit(**FAST)
def paths(feature, parent, ratio, source, players):
    """-> per node: player, bit, above, unique, share, reach (see `forest.Paths`)."""
    total = len(feature)
    player, bit = np.full(total, -1, np.int32), np.zeros(total, np.int32)
    above, unique = np.full(total, -1, np.int32), np.zeros(total, np.int32)
    share, reach = np.ones(total), np.ones(total)
    for i in range(total):
        if parent[i] < 0:
            continue
        mother = parent[i]
        player[i], reach[i] = source[feature[mother]], reach[mother] * ratio[i]
        up = mother
        while up >= 0 and player[up] != player[i]:
            up = parent[up]
        above[i] = up
        bit[i] = unique[mother] if up < 0 else bit[up]
        unique[i] = unique[mother] + (1 if up < 0 else 0)
        share[i] = ratio[i] * (1.0 if up < 0 else share[up])
    return player, bit, above, unique, share, reach


@njit(**FAST)
def branch(nodes, i, x, took):
    """x (columns, r) -> took (r,) 1 where a row goes left at node i."""
    start, stop = nodes.span[i, 0], nodes.span[i, 1]
    decide(nodes.rule[i], nodes.threshold[i], x[nodes.feature[i]], nodes.words, start, stop, took)


@njit(**FAST)
def step(before, took, left, place, first, out):
    """Patterns above an edge (r,), which side each row takes (r,) -> patterns below it (r,)."""
    side, on = (1 if left else 0), before.dtype.type(1 << place)
    off = ~on
    if first:
        for r in range(len(out)):
            out[r] = before[r] | on if took[r] == side else before[r]
    else:
        for r in range(len(out)):
            out[r] = before[r] if took[r] == side else before[r] & off
