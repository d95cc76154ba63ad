"""PermutationShap: Shapley values as the mean gain over random orders of joining; the formula is in `orders.py`.

Castro, Gomez & Tejada (2009), each order walked both ways as in Mitchell, Cooper, Frank & Holmes (2022).
Where players act alone or in pairs, a single order walked both ways is exact. Few players have no more orders than are asked
for: then all of them are walked, and the values are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import ClassVar

import numpy as np

from pellucid.core.masking import Game
from pellucid.core.method import Card, GameMethod, Parts, check_positive
from pellucid.methods.shapley.orders import by_listing, by_sampling


@dataclass(frozen=True)
class PermutationShap(GameMethod):
    """`orders` of joining, each walked forwards and backwards.

    A row stops once its largest standard error is at most `tolerance`, in the unit of the score; coverage of error bars
    is claimed at fixed orders.
    """

    orders: int = 32
    seed: int = 0
    tolerance: float | None = None

    card: ClassVar[Card] = Card(
        question="What is each part's fair share of the score?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a contribution per player with a standard error, adding up to score - base value",
        cost="`orders` times 2 (players - 1) rows per background row, plus 2",
        strengths="unbiased; error bars from independent orders, whatever the model; any number of players",
        weaknesses="less accurate than KernelShap for as many rows; absent players are filled in, realistic mix or not",
        paper="Castro, Gomez & Tejada 2009; Mitchell et al. 2022",
        rows=1000,
        complete=True,
        sampled=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, "orders", *(["tolerance"] if self.tolerance is not None else []))

    def attribute(self, game: Game, rng: np.random.Generator) -> Parts:
        p = game.players
        if factorial(min(p, 20)) <= 2 * self.orders and game.affordable(2**p) == 2**p:
            return by_listing(game, _all_orders(p))
        return by_sampling(
            game, lambda k: rng.permuted(np.tile(np.arange(p), (k, 1)), axis=1), self.orders, self.tolerance
        )


def _all_orders(p: int) -> np.ndarray:
    """Every order of p players, one of each two opposites (k, p)."""
    listed = np.array(list(permutations(range(p))))
    return np.asarray(listed[listed[:, 0] <= listed[:, -1]])
