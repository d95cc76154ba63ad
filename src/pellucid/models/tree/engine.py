"""Runs the kernels: which one suits which tree; `pool` says on which rows and trees at a time, and on how many threads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.models.tree import background as groups
from pellucid.models.tree import linked, pairs, pool, quadrature, table
from pellucid.models.tree import nodes as kernels
from pellucid.models.tree.forest import Forest

_DEEPEST = 10  # players of a leaf that goes through a table
_BITS = 64  # players of a leaf that meets background rows one by one


@dataclass(frozen=True, eq=False)
class Trees:
    """A forest, its players, and the one number that a node is worth under the question asked: v (nodes,)."""

    forest: Forest
    v: np.ndarray
    base: float

    @property
    def nodes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What every kernel takes first."""
        return self.forest.nodes, self.forest.words, self.v, self.forest.roots

    @cached_property
    def asked(self) -> np.ndarray:
        """The trees that the question depends on."""
        return np.flatnonzero(np.maximum.reduceat(np.abs(self.v), self.forest.roots[:-1]) > 0)

    @property
    def expected(self) -> float:
        """What the trees answer when every player is absent and follows the cover."""
        return self.base + float(self.v @ self.forest.reach)

    def mean(self, x: np.ndarray) -> float:
        """What the trees answer for rows x (b, columns) on average."""
        f, out = self.forest, np.zeros((len(x), 1))
        kernels.predict(x, f.nodes, f.words, self.v[:, None], f.roots, np.zeros_like(f.output), out)
        return self.base + float(out.mean())


def path_dependent(trees: Trees, x: np.ndarray) -> np.ndarray:
    """Shapley values of rows x (n, columns), absent players following the cover: (n, players)."""
    players, points = trees.forest.players, gauss_legendre(int(trees.forest.widest.max()))
    tabled = _tabled(trees, len(x))

    def by_table(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        phi = np.zeros((players, len(rows)))
        deepest = int(trees.forest.widest[part].max())
        columns = np.ascontiguousarray(rows.T)
        table.values(*trees.nodes, part, columns, 0, *points, 1, deepest, players, phi)
        return phi.T

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

    -> (n, players), and each group's part of it (n, players, GROUPS) reduced to a standard error (n, players).
    """
    _check_bits(trees)
    b, players = len(background), trees.forest.players
    sizes = group_sizes(b)
    points, weights = gauss_legendre(_DEEPEST), factorials(_BITS)
    tabled = _worth_a_table(len(x), b)

    def kernel(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        both = np.ascontiguousarray(np.concatenate([background, rows]).T)
        phi = np.zeros((players, len(rows), groups.GROUPS))
        groups.values(*trees.nodes, part, both, b, sizes, *points, weights, tabled, phi)
        return phi.transpose(1, 0, 2)

    phi, stderr = np.zeros((len(x), players)), np.zeros((len(x), players))
    for rows, answer in pool.run(kernel, x, trees.asked, nodes=len(trees.v), cells=players * groups.GROUPS):
        phi[rows], stderr[rows] = mean_and_error(answer, sizes)
    return phi, stderr


def behind_link(trees: Trees, x: np.ndarray, background: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """As `interventional`, where each pair of a row and a background row has a weight of its own: slopes (n, b).

    -> each group's mean (n, players, GROUPS), of which `mean_and_error` makes values and standard errors.
    """
    _check_bits(trees)
    players, columns = trees.forest.players, x.shape[1]
    sizes, weights = group_sizes(len(background)), factorials(_BITS)

    def kernel(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        both = np.ascontiguousarray(np.concatenate([background, rows[:, :columns]]).T)
        phi = np.zeros((players, len(rows), groups.GROUPS))
        linked.values(
            *trees.nodes, part, both, len(background), sizes, np.ascontiguousarray(rows[:, columns:]), weights, phi
        )
        return phi.transpose(1, 0, 2)

    parts = np.zeros((len(x), players, groups.GROUPS))
    for rows, answer in pool.run(
        kernel, np.hstack([x, slopes]), trees.asked, nodes=len(trees.v), cells=players * groups.GROUPS
    ):
        parts[rows] = answer
    return parts


def group_sizes(references: int) -> np.ndarray:
    """(GROUPS,) how many background rows each group holds."""
    return np.bincount(np.arange(references) % groups.GROUPS, minlength=groups.GROUPS).astype(float)


def interactions(trees: Trees, x: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    """Shapley interaction indices of pairs of players, (n, players, players), zero on the diagonal."""
    players, points = trees.forest.players, gauss_legendre(int(trees.forest.widest.max()))
    weights = factorials(_BITS)
    given = np.zeros((0, x.shape[1])) if background is None else background
    shallow = trees.forest.widest[trees.asked] <= _DEEPEST

    def by_table(rows: np.ndarray, part: np.ndarray) -> np.ndarray:
        phi = np.zeros((players * players, len(rows)))
        deepest = int(trees.forest.widest[part].max())
        both = np.ascontiguousarray(np.concatenate([given, rows]).T)
        table.values(*trees.nodes, part, both, len(given), *points, 2, deepest, players, phi)
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


@lru_cache(maxsize=16)
def gauss_legendre(widest: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on [0, 1], (widest + 1, q): row d is exact for polynomials of degree d - 1, padded with weight 0."""
    lanes = quadrature.LANES
    q = max(1, -(-widest // (2 * lanes))) * lanes
    points, weights = np.full((widest + 1, q), 0.5), np.zeros((widest + 1, q))
    for d in range(1, widest + 1):
        count = (d + 1) // 2
        nodes, weight = np.polynomial.legendre.leggauss(count)
        points[d, :count], weights[d, :count] = (nodes + 1) / 2, weight / 2
    return points, weights


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
    build = np.where(d <= _DEEPEST, np.exp2(np.minimum(d, _DEEPEST)) * (d + 4 * np.ceil(d / 2)), np.inf)
    by_table = np.add.reduceat(100.0 + 0.8 * build + rows * (0.9 * d + 0.5), forest.roots[:-1])
    points = np.ceil(forest.widest / (2 * quadrature.LANES))
    by_points = np.diff(forest.roots) * rows * (30.0 + 30.0 * points)
    return (by_table < by_points)[trees.asked]


def _worth_a_table(rows: int, references: int) -> np.ndarray:
    """(players + 1,) whether leaves with so many players go through a table, by rough prices in nanoseconds."""
    d = np.arange(_BITS + 1.0)
    build = 1000.0 + 3.0 * references + np.exp2(np.minimum(d, _DEEPEST)) * (d + 2.0) * np.ceil(d / 2) * 4.0
    return (d <= _DEEPEST) & (build + 4.5 * rows * d < 2.1 * rows * references)


def mean_and_error(parts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """parts (r, players, GROUPS), each group's mean -> the mean over all rows (r, players) and its standard error."""
    mean = parts @ (sizes / sizes.sum())
    used = int((sizes > 0).sum())
    if used < 2:
        return mean, np.full(mean.shape, np.nan)
    off = (parts - mean[..., None]) * (sizes / sizes.sum())
    return mean, np.sqrt((off**2).sum(-1) * used / (used - 1)) * _wider(used - 1)


@lru_cache(maxsize=32)
def _wider(freedom: int) -> float:
    """Student's t over the normal quantile: 1.96 stated errors hold the truth in 95 % of cases for few groups, too."""
    from scipy.stats import norm, t

    return float(t.ppf(0.975, freedom) / norm.ppf(0.975))


def _mirrored(upper: np.ndarray) -> np.ndarray:
    """(r, p, p) filled above the diagonal -> symmetric."""
    return upper + upper.transpose(0, 2, 1)


def _check_bits(trees: Trees) -> None:
    widest = int(trees.forest.widest.max())
    if widest > _BITS:
        raise MethodError(
            f"a path of this forest asks for {widest} different features; values against background rows go up to {_BITS}: "
            "leave background=None, or use KernelShap()."
        )
