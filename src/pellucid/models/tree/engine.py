"""Runs the kernels: which one suits which tree; `pool` says on which rows and trees at a time, and on how many threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.models.tree import few, groups, leaves, meeting, pairs, pool, prepared, quadrature, table
from pellucid.models.tree import nodes as kernels
from pellucid.models.tree.forest import DEEPEST, Forest
from pellucid.models.tree.prepared import gauss_legendre

_FEW = 16  # rows that go one at a time
_MEANS = 4  # backgrounds whose mean is kept
_BITS = 64  # players of a leaf that meets background rows one by one


@dataclass(frozen=True, eq=False)
class Trees:
    """A forest, its players, and the one number that a node is worth under the question asked: v (nodes,)."""

    forest: Forest
    v: np.ndarray
    base: float
    means: dict[bytes, float] = field(default_factory=dict)  # of backgrounds

    @property
    def nodes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What every kernel takes first."""
        return self.forest.nodes, self.forest.words, self.v, self.forest.roots

    @cached_property
    def asked(self) -> np.ndarray:
        """The trees that the question depends on."""
        return np.flatnonzero(np.maximum.reduceat(np.abs(self.v), self.forest.roots[:-1]) > 0)

    @cached_property
    def expected(self) -> float:
        """What the trees answer when every player is absent and follows the cover."""
        return self.base + float(self.v @ self.forest.reach)

    def mean(self, x: np.ndarray) -> float:
        """What the trees answer for rows x (b, columns) on average."""
        return prepared.remember(self.means, prepared.fingerprint(x), _MEANS, lambda: self._mean(x))

    def _mean(self, x: np.ndarray) -> float:
        f, out = self.forest, np.zeros((len(x), 1))
        kernels.predict(x, f.nodes, f.words, self.v[:, None], f.roots, np.zeros_like(f.output), out)
        return self.base + float(out.mean())


def path_dependent(trees: Trees, x: np.ndarray) -> np.ndarray:
    """Shapley values of rows x (n, columns), absent players following the cover: (n, players)."""
    forest, players = trees.forest, trees.forest.players
    ready, points = prepared.kept(forest, None), gauss_legendre(forest.deepest)
    tabled = _tabled(trees, len(x)) if ready is None else forest.widest[trees.asked] <= DEEPEST

    def by_table(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        tables = ready or prepared.made(forest, part, forest.leaves, None)
        if len(rows) > _FEW:
            return _read(trees, rows, part, tables, 0)[..., 0]
        phi = np.zeros((len(rows), players))
        few.read(*trees.nodes, part, rows, tables.offset, tables.arrays[:2], phi)
        return phi

    def by_points(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        phi = np.zeros((len(rows), players))
        quadrature.values(*trees.nodes, part, rows, *points, -1, phi)
        return phi

    phi = np.zeros((len(x), players))
    for kernel, chosen in ((by_table, trees.asked[tabled]), (by_points, trees.asked[~tabled])):
        for rows, answer in pool.run(kernel, x, chosen, nodes=len(trees.v), cells=players):
            phi[rows] += answer
    return phi


def interventional(trees: Trees, x: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shapley values of rows x (n, columns), absent players taken from background rows (b, columns).

    -> values and their standard errors, (n, players) each.
    """
    _check_bits(trees)
    forest, players, held = trees.forest, trees.forest.players, groups.sizes(len(background))
    ready = None if len(x) <= _FEW else prepared.kept(forest, background)
    chosen = _worth_a_table(forest, len(x), len(background)) if ready is None else forest.leaves
    some, all_ = bool(chosen.any()), bool(chosen[forest.leaves].all()) and forest.deepest <= DEEPEST
    everywhere = np.ones(len(trees.v), bool)
    left = forest.above(forest.leaves & ~(chosen & (forest.nodes["unique"] <= DEEPEST))) if some else everywhere
    meet = None if all_ else _meeting(trees, background, left)

    def kernel(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        found, offset = np.zeros((len(rows), players, 1 + groups.GROUPS)), forest.untabled
        if some:
            tables = ready or prepared.made(forest, part, chosen, background)
            offset, found = tables.offset, _read(trees, rows, part, tables, groups.GROUPS)
        if meet is not None:
            met = meet(rows, part, np.ones((len(rows), len(background))), offset)
            found[..., 0] += met @ (held / held.sum())
            found[..., 1:] += met
        return found

    phi, stderr = np.zeros((len(x), players)), np.zeros((len(x), players))
    cells = players * (1 + groups.GROUPS)
    for rows, answer in pool.run(kernel, x, trees.asked, nodes=len(trees.v), cells=cells):
        phi[rows] = answer[..., 0]
        stderr[rows] = groups.standard_error(answer[..., 0], answer[..., 1:], held)
    return phi, stderr


def behind_link(trees: Trees, x: np.ndarray, background: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """As `interventional`, where each pair of a row and a background row has a weight of its own: slopes (n, b).

    -> each group's mean (n, players, GROUPS)
    """
    _check_bits(trees)
    players, columns, alone = trees.forest.players, x.shape[1], trees.forest.untabled
    meet = _meeting(trees, background, np.ones(len(trees.v), bool))

    def kernel(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        return meet(np.ascontiguousarray(rows[:, :columns]), part, rows[:, columns:], alone)

    found = np.zeros((len(x), players, groups.GROUPS))
    both, cells = np.hstack([x, slopes]), players * groups.GROUPS
    for rows, answer in pool.run(kernel, both, trees.asked, nodes=len(trees.v), cells=cells):
        found[rows] = answer
    return found


def _read(trees: Trees, rows: np.ndarray, part: np.ndarray, tables: prepared.Tables, lanes: int) -> np.ndarray:
    """Rows (r, columns) read the tables: (r, players, 1 + lanes), the mean and each group's mean."""
    players, n = trees.forest.players, len(rows)
    found = np.empty((n, players, 1 + lanes))
    phi, grouped = np.zeros((players, n)), np.zeros((players, n * lanes), np.float32)
    leaves.read(*trees.nodes, part, np.ascontiguousarray(rows.T), tables.offset, tables.arrays, phi, grouped)
    found[..., 0], found[..., 1:] = phi.T, grouped.reshape(players, n, lanes).transpose(1, 0, 2)
    return found


def _meeting(trees: Trees, background: np.ndarray, wanted: np.ndarray) -> Callable[..., np.ndarray]:
    """How rows meet background rows (b, columns) in the leaves without an offset; wanted (nodes,) has such leaves below."""
    forest = trees.forest
    columns, sides = np.ascontiguousarray(background.T), prepared.sides(forest, background)
    held = groups.sizes(len(background))[np.arange(len(background)) % groups.GROUPS]

    def meet(rows: np.ndarray, part: np.ndarray, weights: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """rows (r, columns), weights (r, b) -> each group's mean (r, players, GROUPS)"""
        phi = np.zeros((len(rows), forest.players, groups.GROUPS))
        room = meeting.room(forest.height, forest.deepest, 0 if len(sides) else forest.largest_tree, len(background))
        shares, weigh = weights / held, factorials(_BITS)
        meeting.values(*trees.nodes, part, rows, columns, sides, shares, weigh, offset, wanted, room, phi)
        return phi

    return meet


def interactions(trees: Trees, x: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Shapley interaction indices of pairs of players, (n, players, players), zero on the diagonal."""
    players, points = trees.forest.players, gauss_legendre(trees.forest.deepest)
    weights = factorials(_BITS)
    given = np.zeros((0, x.shape[1])) if background is None else background
    shallow = trees.forest.widest[trees.asked] <= DEEPEST

    def by_table(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        phi = np.zeros((players * players, len(rows)))
        deepest = int(trees.forest.widest[part].max())
        both = np.ascontiguousarray(np.concatenate([given, rows]).T)
        table.values(*trees.nodes, part, both, len(given), *points, deepest, players, phi)
        return _mirrored(phi.T.reshape(len(rows), players, players))

    def by_points(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        phi = np.zeros((players, len(rows), players))
        for fixed in range(players):
            quadrature.values(*trees.nodes, part, rows, *points, fixed, phi[fixed])
        return phi.transpose(1, 0, 2)

    def by_meeting(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        phi = np.zeros((len(rows), players, players))
        both = np.ascontiguousarray(np.concatenate([given, rows]).T)
        pairs.values(*trees.nodes, part, both, len(given), weights, phi)
        return _mirrored(phi)

    deep = by_points if background is None else by_meeting
    if background is not None:
        _check_bits(trees)
    found = np.zeros((len(x), players, players))
    for kernel, chosen in ((by_table, trees.asked[shallow]), (deep, trees.asked[~shallow])):
        for rows, answer in pool.run(kernel, x, chosen, nodes=len(trees.v), cells=players * players):
            found[rows] += answer
    return found


@lru_cache(maxsize=1)
def factorials(most: int) -> np.ndarray:
    """(most + 1, most + 1): a! c! / (a + c + 1)!"""
    return np.array(
        [
            [math.exp(math.lgamma(a + 1) + math.lgamma(c + 1) - math.lgamma(a + c + 2)) for c in range(most + 1)]
            for a in range(most + 1)
        ]
    )


def _tabled(trees: Trees, rows: int) -> np.ndarray:
    """(asked,) whether a table per leaf beats the quadrature for so many rows, by rough prices in nanoseconds."""
    forest = trees.forest
    d = np.where(forest.leaves, forest.nodes["unique"], 0).astype(float)
    build = np.where(d <= DEEPEST, np.exp2(np.minimum(d, DEEPEST)) * (d + 4 * np.ceil(d / 2)), np.inf)
    by_table = np.add.reduceat(100.0 + 0.8 * build + rows * (0.9 * d + 0.5), forest.roots[:-1])
    points = np.ceil(forest.widest / (2 * quadrature.LANES))
    by_points = np.diff(forest.roots) * rows * (30.0 + 30.0 * points)
    return (by_table < by_points)[trees.asked]


def _worth_a_table(forest: Forest, rows: int, references: int) -> np.ndarray:
    """(nodes,) whether a leaf goes through a table that is not kept, by rough prices in nanoseconds.

    Meeting walks the whole tree however few leaves are left to it, so it is all leaves or none where all may have tables.
    """
    d = np.arange(_BITS + 1.0)
    build = 200.0 + 2.0 * references + 8.0 * np.minimum(2.0**d, references) * 1.5 ** np.minimum(d, DEEPEST)
    meet = rows * (40.0 + 10.0 * references * 0.7**d)  # fewer rows meet in leaves with more players
    saved = np.where((d > 0) & (d <= DEEPEST), meet - build - 2.0 * rows * d, 0.0) * (rows > _FEW)
    unique = np.minimum(forest.nodes["unique"], _BITS)
    if forest.deepest <= DEEPEST:
        return forest.leaves & bool(saved[unique[forest.leaves]].sum() > 0)
    return forest.leaves & (saved > 0)[unique]


def _mirrored(upper: np.ndarray) -> np.ndarray:
    """(r, p, p) filled above the diagonal -> symmetric."""
    return upper + upper.transpose(0, 2, 1)


def goes_with_background(forest: Forest) -> bool:
    """Whether every path asks for few enough features to have values against background rows."""
    return forest.deepest <= _BITS


def _check_bits(trees: Trees) -> None:
    widest = trees.forest.deepest
    if not goes_with_background(trees.forest):
        raise MethodError(
            f"a path of this forest asks for {widest} different features; values against background rows go up to {_BITS}: "
            "leave background=None, or use KernelShap()."
        )
