"""Exact Shapley values: every coalition of players, each asked once and shared by all players.

Shapley, "A Value for n-Person Games" (1953). With v(S) the score while the players of S are present,

    phi_i = sum over S without i of  |S|! (p - |S| - 1)! / p!  *  (v(S + i) - v(S)),

which is linear in the 2^p numbers v(S): they are met in blocks and folded into phi at once, so memory does not grow
with 2^p. What two players do together is Grabisch & Roubens, "An axiomatic approach to the concept of interaction among
players in cooperative games" (1999), halved as in Lundberg et al., "From local explanations to global understanding
with explainable AI for trees" (2020): the half goes to each of the pair, and the diagonal keeps the rest of phi_i.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import comb
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.masking import Game
from pellucid.core.method import Card, GameMethod, Parts

_MOST = 20  # players: a million coalitions
_BLOCK = 2**12  # coalitions per block

Weigh = Callable[[np.ndarray], np.ndarray]  # z (m, p) -> what each coalition's answer adds (m, k)


@dataclass(frozen=True)
class ExactShapley(GameMethod):
    """Nothing to choose: all 2^p coalitions, for up to 20 players."""

    card: ClassVar[Card] = Card(
        question="What is each part's fair share of the score?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a contribution per player, adding up to score - base value",
        cost="2^players rows per background row",
        strengths="the only efficient, symmetric, additive division that gives idle players nothing; no sampling error",
        weaknesses="the cost doubles with each player, at most 20; absent players are filled in, realistic mix or not",
        paper="Shapley 1953; Lundberg & Lee 2017",
        rows=1000,
        complete=True,
    )

    def price(self, players: int) -> int:
        check_players(players)
        return int(2**players)

    def attribute(self, game: Game, rng: np.random.Generator) -> Parts:
        values, base = _fold(game, shapley_weights)
        return Parts(values, base_values=base)

    def interact(self, game: Game) -> Parts:
        """values (n, p, p): each pair's interaction in two halves; rows add up to the Shapley values."""
        p = game.players
        both, base = _fold(game, lambda z: np.concatenate([shapley_weights(z), pair_weights(z)], axis=1))
        return Parts(with_diagonal(both[:, p:].reshape(-1, p, p), both[:, :p]), base_values=base)


def shapley_weights(z: np.ndarray) -> np.ndarray:
    """z (m, p) bool -> (m, p): the coefficient of v(z) in every player's value."""
    size, p = z.sum(1, keepdims=True), z.shape[1]
    joined = np.array([0.0, *(1 / (p * comb(p - 1, s - 1)) for s in range(1, p + 1))])  # the player came last
    missed = np.array([*(1 / (p * comb(p - 1, s)) for s in range(p)), 0.0])  # the player would come next
    return np.where(z, joined[size], -missed[size])


def pair_weights(z: np.ndarray) -> np.ndarray:
    """z (m, p) bool -> (m, p * p): the coefficient of v(z) in half of every pair's interaction, 0 on the diagonal.

    For a pair i, j the other p - 2 players hold t of z, and v(z) counts with (t! (p - t - 2)! / (p - 1)!) / 2, signed by
    whether z holds both or neither (+) or only one of them (-).
    """
    m, p = z.shape
    share = np.array([1 / ((p - 1) * comb(p - 2, t)) for t in range(p - 1)] or [0.0])  # one player has no pairs
    both = z.astype(int)[:, :, None] + z[:, None]  # (m, p, p): how many of the pair are in z
    others = np.clip(z.sum(1)[:, None, None] - both, 0, len(share) - 1)
    signed = np.where(both == 1, -0.5, 0.5) * share[others]
    return np.where(np.eye(p, dtype=bool), 0.0, signed).reshape(m, p * p)


def with_diagonal(pairs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """pairs (n, p, p) with an empty diagonal, values (n, p) -> (n, p, p) whose rows add up to the values."""
    whole, own = pairs.copy(), np.arange(values.shape[1])
    whole[:, own, own] = values - pairs.sum(2)
    return whole


def coalitions(p: int) -> Iterator[np.ndarray]:
    """All 2^p coalitions in blocks (m, p) bool; the empty one comes first."""
    for start in range(0, 2**p, _BLOCK):
        number = np.arange(start, min(start + _BLOCK, 2**p))
        yield (number[:, None] >> np.arange(p) & 1).astype(bool)


def _fold(game: Game, weigh: Weigh) -> tuple[np.ndarray, np.ndarray]:
    """-> sum over all coalitions of v(z) * weigh(z) (n, k), and the score of the empty coalition (n,)."""
    check_players(game.players)
    total: np.ndarray | None = None
    base = np.empty(game.rows)
    for z in coalitions(game.players):
        v = game(z)  # (n, m)
        if total is None:
            base, total = v[:, 0], np.zeros((game.rows, weigh(z[:1]).shape[1]))
        total += (v - base[:, None]) @ weigh(z)  # the weights of a player add up to 0, so base drops out
    assert total is not None
    return total, base


def check_players(p: int) -> None:
    """Refuse what cannot be enumerated, with what can be done instead."""
    if p > _MOST:
        raise MethodError(
            f"ExactShapley asks every one of 2^{p} coalitions of {p} players; it takes at most {_MOST} players. "
            f"Use KernelShap(samples={2 * p + 2048}), which samples and says its standard error, "
            "or fewer and larger players (for pictures masker=Grid(window=...))."
        )
