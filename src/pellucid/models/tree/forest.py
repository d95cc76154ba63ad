"""One record for every tree ensemble: nodes in preorder, so that a walk is a loop and its state one stack.

A node's left child is the node after it; a leaf has `feature` -1. Outputs are linear in the leaves:

    output_k(x) = base_k + sum over trees of the value of the leaf that x reaches.

A node's *edge* is the one that leads into it. A node also keeps what its path means to the players: the bit of its edge's
player in order of first use, the nearest edge above of the same player, and the share of the training cover that
follows all edges of that player so far. Several columns may belong to one player (a one-hot encoded source): the
player then satisfies an edge or not as a whole, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.core.errors import ModelError
from pellucid.models.tree import nodes as kernels

NUMBER, ZERO_MISSING, SET_LEFT, SET_RIGHT = 0, 2, 4, 6  # rules; one more where a missing value goes left


DEEPEST = 10  # players of a leaf that goes through a table


@dataclass(frozen=True, eq=False)
class RawTree:
    """One tree as its library keeps it, in any order with the root first; children are -1 at a leaf."""

    left: np.ndarray  # (nodes,)
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    rule: np.ndarray
    cover: np.ndarray  # weight of the training rows at each node
    value: np.ndarray  # (nodes, width)
    output: int = 0  # the first output that it adds to
    sets: Sequence[Any] = ()  # categories, in the order of `members`
    members: np.ndarray | None = None  # (nodes,) which set a node asks for, -1 for none


@dataclass(frozen=True, eq=False)
class Forest:
    """All trees, one behind another, in preorder."""

    nodes: np.ndarray  # (nodes,) of kernels.NODE
    value: np.ndarray  # (nodes, width) zero at inner nodes
    roots: np.ndarray  # (trees + 1,) int64, where each tree starts
    output: np.ndarray  # (trees,) the first output of each tree
    base: np.ndarray  # (outputs,)
    words: np.ndarray  # (words,) uint32, bit sets of categories
    reach: np.ndarray  # (nodes,) the share of cover that gets to a node
    columns: int
    players: int
    owner: np.ndarray  # (columns,) the player that each column belongs to
    single: bool  # whether the library compares in float32

    @property
    def trees(self) -> int:
        return len(self.output)

    @property
    def outputs(self) -> int:
        return len(self.base)

    @cached_property
    def leaves(self) -> np.ndarray:
        """(nodes,) True at leaves."""
        return np.asarray(self.nodes["feature"] < 0)

    @cached_property
    def largest(self) -> float:
        """The size of the largest leaf."""
        return float(np.abs(self.value).max())

    @cached_property
    def untabled(self) -> np.ndarray:
        """(nodes,) the offsets of no tables."""
        return np.full(len(self.nodes), -1, np.int64)

    @cached_property
    def patterns(self) -> float:
        """How many patterns of satisfied conditions the leaves with few players have in all."""
        unique = self.nodes["unique"][self.leaves]
        return float(np.exp2(unique[(unique > 0) & (unique <= DEEPEST)]).sum())

    @cached_property
    def deepest(self) -> int:
        """The most players on any path."""
        return int(self.widest.max())

    @cached_property
    def height(self) -> int:
        """The length of the longest path."""
        return int(self.nodes["depth"].max())

    @cached_property
    def largest_tree(self) -> int:
        """The most nodes of a tree."""
        return int(np.diff(self.roots).max())

    @cached_property
    def widest(self) -> np.ndarray:
        """(trees,) the most players on a path."""
        return np.maximum.reduceat(self.nodes["unique"], self.roots[:-1])

    def above(self, some: np.ndarray) -> np.ndarray:
        """(nodes,) these nodes and all on the way to them"""
        found, now = some.copy(), np.flatnonzero(some)
        while len(now):
            now = np.unique(self.nodes["parent"][now])
            now = now[now >= 0]
            now = now[~found[now]]
            found[now] = True
        return found

    def played_by(self, source: np.ndarray, players: int) -> Forest:
        """The same trees where column j belongs to player source[j]."""
        nodes, reach = self.nodes.copy(), np.empty(len(self.nodes))
        kernels.paths(nodes, source.astype(np.int64), reach)
        return replace(self, nodes=nodes, reach=reach, players=players, owner=source)

    def cast(self, x: np.ndarray) -> np.ndarray:
        """(n, columns) as the library compares it."""
        return x.astype(np.float32).astype(float) if self.single else x

    def read(self, weights: np.ndarray) -> tuple[np.ndarray, float]:
        """weights (outputs,) of a linear question -> one value per node (nodes,), and its base."""
        sizes, width = np.diff(self.roots), self.value.shape[1]
        per_tree = weights[self.output[:, None] + np.arange(width)]  # (trees, width)
        return np.einsum("nw,nw->n", self.value, np.repeat(per_tree, sizes, axis=0)), float(weights @ self.base)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """x (n, columns), as `cast` gives it -> outputs (n, outputs): the trees' own answer, summed in float64."""
        out = np.tile(self.base, (len(x), 1))
        kernels.predict(x, self.nodes, self.words, self.value, self.roots, self.output, out)
        return out


def assemble(raw: Sequence[RawTree], base: Any, *, columns: int, single: bool) -> Forest:
    """A forest of trees in any order."""
    if not raw:
        raise ModelError("the model has no trees: fit it before explaining it.")
    sizes = np.array([len(tree.left) for tree in raw])
    roots = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    shift = np.repeat(roots[:-1], sizes)
    left, right = (_shifted([getattr(tree, side) for tree in raw], shift) for side in ("left", "right"))
    nodes = np.zeros(roots[-1], kernels.NODE)
    order = kernels.preorder(left, right, roots, nodes)
    if len(order) != roots[-1]:
        raise ModelError("the model's trees hold nodes that no path reaches: the file or the model is damaged.")
    leaf = left[order] < 0
    words, span = _bit_sets(raw, roots)
    nodes["feature"] = np.where(leaf, -1, _joined(raw, "feature", np.int64)[order])
    nodes["threshold"] = np.where(leaf, 0.0, _joined(raw, "threshold", float)[order])
    nodes["ratio"] = kernels.ratios(_joined(raw, "cover", float), left, right)[order]
    nodes["rule"] = _joined(raw, "rule", np.int64)[order]
    nodes["start"], nodes["stop"] = span[order].T
    value = np.where(leaf[:, None], np.concatenate([np.asarray(tree.value, float) for tree in raw])[order], 0.0)
    _check(nodes["feature"], value, columns)
    output, start = np.array([tree.output for tree in raw]), np.atleast_1d(np.asarray(base, float))
    own = np.arange(columns)
    forest = Forest(nodes, value, roots, output, start, words, np.ones(len(nodes)), columns, columns, own, single)
    return forest.played_by(own, columns)


def _joined(raw: Sequence[RawTree], name: str, dtype: Any) -> np.ndarray:
    return np.concatenate([getattr(tree, name) for tree in raw]).astype(dtype)


def _shifted(children: list[np.ndarray], shift: np.ndarray) -> np.ndarray:
    """Child indices within a tree -> within the forest, -1 kept."""
    joined = np.concatenate(children).astype(np.int64)
    return np.where(joined < 0, -1, joined + shift)


def _bit_sets(raw: Sequence[RawTree], roots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every node's set of categories as bits: words (w,), span (nodes, 2)."""
    span = np.zeros((roots[-1], 2), np.int32)
    words: list[np.ndarray] = [np.zeros(1, np.uint32)]
    at = 1
    for tree, root in zip(raw, roots[:-1], strict=True):
        if tree.members is None:
            continue
        bits = [_bits(members) for members in tree.sets]
        for node in np.flatnonzero(tree.members >= 0):
            chosen = bits[tree.members[node]]
            span[root + node] = at, at + len(chosen)
            words.append(chosen)
            at += len(chosen)
    return np.concatenate(words), span


def _bits(members: Any) -> np.ndarray:
    """A set of small integers -> its bits, 32 to a word."""
    codes = np.asarray(list(members), dtype=np.int64)
    made = np.zeros(1 + int(codes.max(initial=0)) // 32, np.uint32)
    np.bitwise_or.at(made, codes // 32, np.uint32(1) << (codes % 32).astype(np.uint32))
    return made


def _check(feature: np.ndarray, value: np.ndarray, columns: int) -> None:
    if feature.max(initial=-1) >= columns:
        raise ModelError(
            f"a tree splits on column {int(feature.max())}, the model was fitted with {columns}: it is damaged."
        )
    if not np.isfinite(value).all():
        raise ModelError(
            f"{int((~np.isfinite(value)).any(1).sum())} leaves hold NaN or infinity: an explanation cannot add up to that; "
            "check the training targets and weights."
        )
