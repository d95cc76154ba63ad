"""PartitionShap: Owen values, Shapley values over a hierarchy of groups.

Owen, "Values of games with a priori unions" (1977); Winter, "A value for cooperative games with levels structure of
cooperation" (1989). Only those orders of joining count in which no group is interrupted: at every node of the tree its
branches come in any order, each as one block. A player's value is its mean gain over these orders. For a node with
branches b and a set C of players outside it that came before, this is the recursion

    contexts of branch b  =  C + a subset B of the other branches, with weight |B|! (k - |B| - 1)! / k!,  k branches,

down to single players, whose value is the weighted mean of v(C + i) - v(C) over their contexts. A group's values add up to the
Owen value of the group as a player of the tree above it. (With two branches everywhere this is the recursion that the shap
package calls Partition, without its cutting short.) The recursion is followed where it asks no more coalitions than
`orders` random orders would; else such orders are drawn, with a standard error (`orders.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, ClassVar

import numpy as np

from pellucid.core.masking import Game
from pellucid.core.method import Card, GameMethod, Parts, check_positive
from pellucid.methods.shapley.hierarchy import Tree, members, named, of_game
from pellucid.methods.shapley.orders import by_sampling


@dataclass(frozen=True)
class PartitionShap(GameMethod):
    """`hierarchy`: nested tuples of players' names or numbers, such as `(("age", "sex"), "income")`.

    None halves places again and again, and joins a table's columns by correlation in the background. Where the exact
    recursion would cost more than `orders` orders walked both ways, that many are drawn; a row then stops at `tolerance`.
    """

    hierarchy: tuple[Any, ...] | None = None
    orders: int = 32
    seed: int = 0
    tolerance: float | None = None

    card: ClassVar[Card] = Card(
        question="What is each part's share of the score, when related parts are one player to the others?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a contribution per player with a standard error, adding up to score - base value",
        cost="at most `orders` times 2 (players - 1) rows per background row, plus 2",
        strengths="far fewer mixes of related parts than Shapley values need; exact for some dozens of players",
        weaknesses="the answer depends on the hierarchy; absent players are filled in, realistic mix or not",
        paper="Owen 1977; Winter 1989; Lundberg's shap package",
        rows=1000,
        complete=True,
        sampled=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, "orders", *(["tolerance"] if self.tolerance is not None else []))

    def attribute(self, game: Game, rng: np.random.Generator) -> Parts:
        tree = of_game(game) if self.hierarchy is None else named(self.hierarchy, game.bound.names)
        most = self.orders * 2 * max(game.players - 1, 1) + 2
        if _steps(tree) <= 2 * most:  # many coalitions are met twice
            z, coefficients = recursion(tree, game.players)
            if len(z) <= most and game.affordable(len(z)) == len(z):
                return _exact(game, z, coefficients)
        return by_sampling(game, lambda k: random_orders(tree, k, rng), self.orders, self.tolerance)


def recursion(tree: Tree, p: int) -> tuple[np.ndarray, np.ndarray]:
    """-> every coalition that is met (m, p) bool, and the coefficient of its score in each player's value (m, p)"""
    z, who, weight = [], [], []
    for player, contexts, share in _contexts(tree, np.zeros((1, p), dtype=bool), np.ones(1)):
        joined = contexts.copy()
        joined[:, player] = True
        z += [joined, contexts]
        who += [np.full(2 * len(share), player)]
        weight += [share, -share]
    met, place = np.unique(np.concatenate(z), axis=0, return_inverse=True)
    coefficients = np.zeros((len(met), p))
    np.add.at(coefficients, (place.reshape(-1), np.concatenate(who)), np.concatenate(weight))
    return met, coefficients


def random_orders(tree: Tree, k: int, rng: np.random.Generator) -> np.ndarray:
    """k orders of joining in which no group is interrupted (k, p)."""
    return np.array([_shuffled(tree, rng) for _ in range(k)])


def _contexts(tree: Tree, contexts: np.ndarray, weights: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """contexts (c, p) with weights (c,) of a tree -> (player, its contexts, their weights) for each of its players"""
    if isinstance(tree, int):
        yield tree, contexts, weights
        return
    for i, branch in enumerate(tree):
        others = [other for j, other in enumerate(tree) if j != i]
        widened, shares = [], []
        for size in range(len(tree)):
            for before in combinations(others, size):
                more = contexts.copy()
                more[:, members(before)] = True
                widened.append(more)
                shares.append(weights / (len(tree) * comb(len(tree) - 1, size)))
        yield from _contexts(branch, np.concatenate(widened), np.concatenate(shares))


def _steps(tree: Tree, contexts: int = 1) -> int:
    """Coalitions that the recursion meets, counted as often as it meets them."""
    if isinstance(tree, int):
        return 2 * contexts
    return sum(_steps(branch, contexts * 2 ** (len(tree) - 1)) for branch in tree)


def _shuffled(tree: Tree, rng: np.random.Generator) -> list[int]:
    if isinstance(tree, int):
        return [tree]
    return [player for i in rng.permutation(len(tree)) for player in _shuffled(tree[i], rng)]


def _exact(game: Game, z: np.ndarray, coefficients: np.ndarray) -> Parts:
    """The empty coalition comes first; it is subtracted before summing, since every player's coefficients add up to 0."""
    v = game(z)
    values = (v - v[:, :1]) @ coefficients
    return Parts(values, base_values=v[:, 0], stderr=np.zeros(values.shape))
