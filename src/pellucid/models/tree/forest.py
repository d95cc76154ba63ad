"""One record for every tree ensemble: nodes in preorder, so that a walk is a loop and its state one stack.

A node's left child is the node after it; a leaf has `feature` -1. Outputs are linear in the leaves:

    output_k(x) = base_k + sum over trees of the value of the leaf that x reaches.

A node's *edge* is the one that leads into it. `Paths` keeps what a path means to the players: the bit of an edge's
player in order of first use, the nearest edge above of the same player, and the share of the training cover that
follows all edges of that player so far. Several columns may belong to one player (a one-hot encoded source): the
player then satisfies an edge or not as a whole, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import ModelError
from pellucid.models.tree import nodes as kernels

NUMBER, ZERO_MISSING, SET_LEFT, SET_RIGHT = 0, 2, 4, 6  # rules; one more where a missing value goes left


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
    sets: Sequence[Sequence[int]] = ()  # categories, in the order of `members`
    members: np.ndarray | None = None  # (nodes,) which set a node asks for, -1 for none


@dataclass(frozen=True, eq=False)
class Forest:
    """All trees, one behind another, in preorder."""

    feature: np.ndarray  # (nodes,) int32, -1 at a leaf
    threshold: np.ndarray  # (nodes,) float64
    rule: np.ndarray  # (nodes,) uint8
    right: np.ndarray  # (nodes,) int32
    parent: np.ndarray  # (nodes,) int32, -1 at a root
    depth: np.ndarray  # (nodes,) int32
    ratio: np.ndarray  # (nodes,) share of the parent's cover
    value: np.ndarray  # (nodes, width) zero at inner nodes
    roots: np.ndarray  # (trees + 1,) int64, where each tree starts
    output: np.ndarray  # (trees,) the first output of each tree
    base: np.ndarray  # (outputs,)
    words: np.ndarray  # (words,) uint32, bit sets of categories
    span: np.ndarray  # (nodes, 2) int32, the words of a node's set
    columns: int
    single: bool  # whether the library compares in float32

    @property
    def trees(self) -> int:
        return len(self.output)

    @property
    def outputs(self) -> int:
        return len(self.base)

    def cast(self, x: np.ndarray) -> np.ndarray:
        """(n, columns) as the library compares it."""
        return x.astype(np.float32).astype(float) if self.single else x

    def read(self, weights: np.ndarray) -> tuple[np.ndarray, float]:
        """weights (outputs,) of a linear question -> one value per node (nodes,), and its base."""
        width = self.value.shape[1]
        sizes = np.diff(self.roots)
        per_tree = weights[self.output[:, None] + np.arange(width)]  # (trees, width)
        return np.einsum("nw,nw->n", self.value, np.repeat(per_tree, sizes, axis=0)), float(weights @ self.base)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """x (n, columns) -> outputs (n, outputs): the trees' own answer, summed in float64."""
        out = np.tile(self.base, (len(x), 1))
        kernels.predict(
            np.ascontiguousarray(self.cast(x)), *self.walk, self.right, self.value, self.roots, self.output, out
        )
        return out

    @property
    def walk(self) -> tuple[np.ndarray, ...]:
        """What `decide` needs to know of each node."""
        return self.feature, self.threshold, self.rule, self.words, self.span


@dataclass(frozen=True, eq=False)
class Paths:
    """A forest as its players see it."""

    player: np.ndarray  # (nodes,) int32, of the edge into a node; -1 at a root
    bit: np.ndarray  # (nodes,) int32, the player's place in order of first use on this path
    above: np.ndarray  # (nodes,) int32, the nearest edge above of the same player, -1 at its first use
    unique: np.ndarray  # (nodes,) int32, players on the path so far
    share: np.ndarray  # (nodes,) float64, cover that follows all the player's edges down to this one
    reach: np.ndarray  # (nodes,) float64, cover that gets here at all
    players: int

    @classmethod
    def of(cls, forest: Forest, source: np.ndarray, players: int) -> Paths:
        """source (columns,) names the player of each column."""
        made = kernels.paths(forest.feature, forest.parent, forest.ratio, source.astype(np.int32), players)
        return cls(*made, players)


def assemble(raw: Sequence[RawTree], base: Any, *, columns: int, single: bool) -> Forest:
    """A forest of trees in any order."""
    if not raw:
        raise ModelError("the model has no trees: fit it before explaining it.")
    sizes = np.array([len(tree.left) for tree in raw])
    roots = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    shift = np.repeat(roots[:-1], sizes)
    left, right = (_shifted([getattr(tree, side) for tree in raw], shift) for side in ("left", "right"))
    order, place, parent, depth = kernels.preorder(left, right, roots)
    if len(order) != roots[-1]:
        raise ModelError("the model's trees hold nodes that no path reaches: the file or the model is damaged.")
    cover = _joined(raw, "cover", float)
    leaf = left < 0
    feature = np.where(leaf, -1, _joined(raw, "feature", np.int32)).astype(np.int32)
    value = np.where(leaf[:, None], np.concatenate([np.asarray(tree.value, float) for tree in raw]), 0.0)
    _check(feature, value, columns)
    words, span = _bit_sets(raw, roots)
    threshold, rule = _joined(raw, "threshold", float), _joined(raw, "rule", np.uint8)
    return Forest(
        feature[order],
        np.where(leaf, 0.0, threshold)[order],
        rule[order],
        np.where(leaf, -1, place[right]).astype(np.int32)[order],
        parent,
        depth,
        kernels.ratios(cover, left, right)[order],
        value[order],
        roots,
        np.array([tree.output for tree in raw]),
        np.atleast_1d(np.asarray(base, float)),
        words,
        span[order],
        columns,
        single,
    )


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


def _bits(members: Sequence[int]) -> np.ndarray:
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
