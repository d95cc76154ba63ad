"""Small kernels on nodes: the one place that decides left or right, and what a path looks like to its players.

Trees are walked in preorder by plain loops: no recursion, which numba's cache does not survive. All kernels release the
interpreter's lock, so a pool of threads runs them side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.models.tree.compiled import inlined, kernel

# A node of a forest in preorder, one cache line; what the players see of it comes last.
NODE = np.dtype(
    [
        ("threshold", "f8"),
        ("ratio", "f8"),  # share of the parent's cover
        ("feature", "i4"),  # -1 at a leaf
        ("right", "i4"),  # the right child; the left one is the next node
        ("parent", "i4"),  # -1 at a root
        ("depth", "i4"),
        ("start", "i4"),  # the words of its set of categories
        ("stop", "i4"),
        ("rule", "i4"),
        ("player", "i4"),  # of the edge into the node, -1 at a root
        ("bit", "i4"),  # the player's place in order of first use on this path
        ("above", "i4"),  # the nearest edge above of the same player, -1 at its first use
        ("unique", "i4"),  # players on the path so far
        ("share", "f8"),  # cover that follows all the player's edges down to this one
    ],
    align=True,
)
ZERO = 1e-35  # LightGBM's idea of zero


@inlined
def member(value: float, words: np.ndarray, start: int, stop: int) -> bool:
    """Whether a category is in a bit set; fractions are cut off, as the libraries do."""
    if not value > -1.0 or value >= 32.0 * (stop - start):
        return False
    code = int(value)
    return (words[start + code // 32] >> np.uint32(code % 32)) & np.uint32(1) == 1


@kernel
def decide(
    rule: int, threshold: float, column: np.ndarray, words: np.ndarray, start: int, stop: int, out: np.ndarray
) -> None:
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


@inlined
def goes_left(rule: int, threshold: float, words: np.ndarray, start: int, stop: int, value: float) -> bool:
    """`decide` for one value."""
    if np.isnan(value) or (rule & 6 == 2 and abs(value) <= ZERO):
        return rule & 1 == 1
    if rule < 4:
        return value <= threshold
    return member(value, words, start, stop) == (rule & 6 == 4)


@kernel
def predict(
    x: np.ndarray,
    nodes: np.ndarray,
    words: np.ndarray,
    value: np.ndarray,
    roots: np.ndarray,
    output: np.ndarray,
    out: np.ndarray,
) -> None:
    """x (n, columns) -> adds the reached leaves to out (n, outputs)."""
    for tree in range(len(output)):
        for r in range(len(x)):
            i = roots[tree]
            while nodes[i].feature >= 0:
                at = nodes[i]
                left = goes_left(at.rule, at.threshold, words, at.start, at.stop, x[r, at.feature])
                i = i + 1 if left else at.right
            for k in range(value.shape[1]):
                out[r, output[tree] + k] += value[i, k]


@kernel
def preorder(left: np.ndarray, right: np.ndarray, roots: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Children in any order -> order, the old index of each new node; sets right, parent and depth of nodes."""
    total = roots[-1]
    order = np.empty(total, np.int64)
    stack, above = np.empty(total + 1, np.int64), np.empty(total + 1, np.int64)
    at = 0
    for tree in range(len(roots) - 1):
        stack[0], above[0] = roots[tree], -1
        top = 1
        while top and at < total:
            top -= 1
            old, mother = stack[top], above[top]
            order[at], nodes[at].parent, nodes[at].right = old, mother, -1
            nodes[at].depth = nodes[mother].depth + 1 if mother >= 0 else 0
            if mother >= 0 and mother != at - 1:
                nodes[mother].right = at
            if left[old] >= 0:
                for child in (right[old], left[old]):
                    stack[top], above[top] = child, at
                    top += 1
            at += 1
    return order[:at]


@kernel
def ratios(cover: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Each node's share of its parent's cover; siblings add up to 1, and share alike where no training row came."""
    share = np.ones(len(cover))
    for i in range(len(cover)):
        if left[i] >= 0:
            total = cover[left[i]] + cover[right[i]]
            share[left[i]] = cover[left[i]] / total if total > 0 else 0.5
            share[right[i]] = cover[right[i]] / total if total > 0 else 0.5
    return share


@kernel
def paths(nodes: np.ndarray, source: np.ndarray, reach: np.ndarray) -> None:
    """Fills in what the players see, source (columns,) naming the player of each column; reach (nodes,) is the cover that
    gets to a node."""
    for i in range(len(nodes)):
        mother = nodes[i].parent
        if mother < 0:
            nodes[i].player, nodes[i].above, nodes[i].bit, nodes[i].unique = -1, -1, 0, 0
            nodes[i].share = reach[i] = 1.0
            continue
        player = source[nodes[mother].feature]
        up = mother
        while up >= 0 and nodes[up].player != player:
            up = nodes[up].parent
        first = up < 0
        nodes[i].player, nodes[i].above = player, up
        nodes[i].bit = nodes[mother].unique if first else nodes[up].bit
        nodes[i].unique = nodes[mother].unique + (1 if first else 0)
        nodes[i].share = nodes[i].ratio * (1.0 if first else nodes[up].share)
        reach[i] = reach[mother] * nodes[i].ratio


@kernel
def branch(node: Any, words: np.ndarray, x: np.ndarray, took: np.ndarray) -> None:
    """x (columns, r) -> took (r,) 1 where a row goes left at a node."""
    decide(node.rule, node.threshold, x[node.feature], words, node.start, node.stop, took)


@kernel
def step(before: np.ndarray, took: np.ndarray, left: bool, place: int, first: bool, out: np.ndarray) -> None:
    """Patterns above an edge (r,), which side each row takes (r,) -> patterns below it (r,)."""
    side, on = (1 if left else 0), before.dtype.type(np.uint64(1) << np.uint64(place))
    off = ~on
    if first:
        for r in range(len(out)):
            out[r] = before[r] | on if took[r] == side else before[r]
    else:
        for r in range(len(out)):
            out[r] = before[r] if took[r] == side else before[r] & off
