"""Small kernels on nodes: the one place that decides left or right, and what a path looks like to its players.

Trees are walked in preorder by plain loops: no recursion, which numba's cache does not survive. All kernels release the
interpreter's lock, so a pool of threads runs them side by side.
"""

from __future__ import annotations

import numpy as np
from numba import njit

ZERO = 1e-35  # LightGBM's idea of zero


@njit(cache=True, nogil=True, inline="always")
def member(value, words, start, stop):
    """Whether a category is in a bit set; fractions are cut off, as the libraries do."""
    if not value > -1.0 or value >= 32.0 * (stop - start):
        return False
    code = int(value)
    return (words[start + code // 32] >> np.uint32(code % 32)) & np.uint32(1) == 1


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def ratios(cover, left, right):
    """Each node's share of its parent's cover; siblings add up to 1, and share alike where no training row came."""
    share = np.ones(len(cover))
    for i in range(len(cover)):
        if left[i] >= 0:
            total = cover[left[i]] + cover[right[i]]
            share[left[i]] = cover[left[i]] / total if total > 0 else 0.5
            share[right[i]] = cover[right[i]] / total if total > 0 else 0.5
    return share


@njit(cache=True, nogil=True)
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
