"""The trees' answer for every value of a plotted feature, by one walk per row and tree with that feature free.

Which points of a grid a node's free splits let through is the same for all rows: a bit set per node. A row then follows its own
values at all other splits and both branches at free ones, and each leaf it reaches answers for the points let through to it.
So an individual conditional expectation curve costs one walk and one addition per point and tree, and every point is the plain
sum of its leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.models.tree import pool
from pellucid.models.tree.compiled import kernel
from pellucid.models.tree.engine import Trees
from pellucid.models.tree.meeting import count
from pellucid.models.tree.nodes import goes_left
from pellucid.models.tree.question import Question

_WORD = 64


def curves(asked: Question, features: Sequence[int], grid: np.ndarray) -> np.ndarray:
    """The target at each of the question's rows with `features` set to each row of grid (g, features): (n, g).

    Features and values are the user's own, as the record keeps them; their encoded columns follow.
    """
    given = np.repeat(asked.f.inputs.x[:1].astype(float), len(grid), axis=0)
    given[:, list(features)] = grid
    encoded = asked.encode(given)
    columns = np.flatnonzero(np.isin(asked.known.forest.owner, features))
    found = np.empty((len(asked.x), len(grid)))
    if asked.readout is None:
        sums = [partial(trees, asked.x, columns, encoded[:, columns]) for trees in asked.sums()]
        return asked.number(slice(None))(np.stack(sums, axis=-1))
    for rows, trees in asked.parts():
        found[rows] = partial(trees, asked.x[rows], columns, encoded[:, columns])
    return found


def partial(trees: Trees, x: np.ndarray, columns: Sequence[int] | np.ndarray, grid: np.ndarray) -> np.ndarray:
    """What the trees answer for rows x (n, columns) with some columns set to each row of grid (g, k): (n, g)."""
    chosen, points = np.asarray(columns, np.int64), len(grid)
    values = np.zeros((trees.forest.columns, points))
    values[chosen] = trees.forest.cast(np.asarray(grid, float)).T
    free = np.zeros(trees.forest.columns, np.bool_)
    free[chosen] = True
    nodes, words, v, roots = trees.nodes
    through = np.empty((len(nodes), -(-points // _WORD)), np.uint64)
    let_through(nodes, words, values, free, through)

    def by_walk(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        out = np.zeros((len(rows), points))
        walks(nodes, words, v, roots, part, rows, free, through, out)
        return out

    found = np.full((len(x), points), trees.base)
    for rows, answer in pool.run(by_walk, x, trees.asked, nodes=len(nodes), cells=points):
        found[rows] += answer
    return found


@kernel
def let_through(
    nodes: np.ndarray, words: np.ndarray, values: np.ndarray, free: np.ndarray, through: np.ndarray
) -> None:
    """values (columns, g) of a grid -> through (nodes, words of 64 points): the points that get to each node."""
    points = values.shape[1]
    for i in range(len(nodes)):
        mother = nodes[i].parent
        if mother < 0:
            through[i] = 0
            for p in range(points):
                through[i, p // 64] |= np.uint64(1) << np.uint64(p % 64)
            continue
        through[i] = through[mother]
        up = nodes[mother]
        if not free[up.feature]:
            continue
        for p in range(points):
            left = goes_left(up.rule, up.threshold, words, up.start, up.stop, values[up.feature, p])
            if left != (i == mother + 1):
                through[i, p // 64] &= ~(np.uint64(1) << np.uint64(p % 64))


@kernel
def add(value: float, through: np.ndarray, out: np.ndarray) -> None:
    """Adds a leaf's value to the points that are let through: through (words,), out (g,)."""
    for w in range(len(through)):
        left = through[w]
        while left:
            lowest = left & (~left + np.uint64(1))
            out[64 * w + count(lowest - np.uint64(1))] += value
            left ^= lowest


@kernel
def walks(
    nodes: np.ndarray,
    words: np.ndarray,
    v: np.ndarray,
    roots: np.ndarray,
    trees: np.ndarray,
    x: np.ndarray,
    free: np.ndarray,
    through: np.ndarray,
    out: np.ndarray,
) -> None:
    """The chosen trees, rows x (r, columns): adds to out (r, g)."""
    waiting = np.empty(len(nodes) + 1, np.int64)
    for tree in trees:
        for r in range(len(x)):
            waiting[0], top = roots[tree], 1
            while top:
                top -= 1
                i = waiting[top]
                if not through[i].any():
                    continue
                at = nodes[i]
                if at.feature < 0:
                    add(v[i], through[i], out[r])
                elif free[at.feature]:
                    waiting[top], waiting[top + 1] = at.right, i + 1
                    top += 2
                else:
                    left = goes_left(at.rule, at.threshold, words, at.start, at.stop, x[r, at.feature])
                    waiting[top] = i + 1 if left else at.right
                    top += 1
