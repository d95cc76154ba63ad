"""KernelSHAP: Shapley values as a least squares over sampled coalitions.

Lundberg & Lee, "A Unified Approach to Interpreting Model Predictions" (2017), theorem 2:

    phi = argmin  sum over S of  pi(S) (v(S) - v(empty) - sum of phi_i over S)^2    with  sum phi = v(all) - v(empty),
    pi(S) = (p - 1) / (C(p, s) s (p - s)),  s = |S|.

What makes it small. (1) Complement pairs: phi depends only on (v(S) - v(not S)) / 2, so interactions of all even orders
cancel exactly (Covert & Lee, "Improving KernelSHAP", 2021). (2) The constraint is substituted, so that values always add
up. (3) Small and large coalitions are asked completely, of the others as many as their leverage deserves (`design.py`).
(4) What was asked predicts what was not, by lines and third-order interactions, and the design corrects what the prediction
misses; the same coalitions serve all rows, so that one factorisation solves them all (`regression.py`). The half of each
pair's answers that values do not need, (v(S) + v(not S)) / 2, holds the interactions of pairs of players (`interaction.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.masking import Game
from pellucid.core.method import Card, GameMethod, Parts, check_positive
from pellucid.methods.shapley.answers import Answers
from pellucid.methods.shapley.design import all_pairs, allocate, draw
from pellucid.methods.shapley.estimate import Estimate
from pellucid.methods.shapley.interaction import alone, interactions
from pellucid.methods.shapley.orders import ends
from pellucid.methods.shapley.regression import solve

_GROWTH = 2  # how much the sample grows from one look at budget and tolerance to the next


@dataclass(frozen=True)
class KernelShap(GameMethod):
    """`samples` coalitions besides the empty and the full one, None: 2 players + 2048; they come in pairs.

    A row stops once its largest standard error is at most `tolerance`, in the unit of the score; coverage of error bars
    is claimed at fixed samples.
    """

    samples: int | None = None
    seed: int = 0
    tolerance: float | None = None

    card: ClassVar[Card] = Card(
        question="What is each part's fair share of the score?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a contribution per player with a standard error, adding up to score - base value",
        cost="`samples` + 2 rows per background row",
        strengths="Shapley values of any model at a chosen cost, exact for small tables, with an error bar",
        weaknesses="sampling error where many players act together; absent players are filled in, realistic mix or not",
        paper="Lundberg & Lee 2017; Covert & Lee 2021; Musco & Witter 2025; Witter, Liu & Musco 2025",
        rows=1000,
        complete=True,
        sampled=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, *(name for name in ("samples", "tolerance") if getattr(self, name) is not None))

    def attribute(self, game: Game, rng: np.random.Generator) -> Parts:
        base, change = ends(game)
        even = Estimate.even(change, game.players)
        found = self._sampled(game, rng, even, lambda asked: solve(asked.levels, asked.odd, change))
        return found.parts(base, self.tolerance)

    def interact(self, game: Game) -> Parts:
        """values (n, p, p): each pair's interaction in two halves; rows add up to what the same coalitions say of players."""
        base, change = ends(game)
        even = alone(Estimate.even(change, game.players))
        found = self._sampled(game, self.stream(), even, lambda asked: interactions(asked, base, change))
        return found.parts(base, self.tolerance)

    def _sampled(
        self, game: Game, rng: np.random.Generator, found: Estimate, estimate: Callable[[Answers], Estimate]
    ) -> Estimate:
        """What all coalitions say, or what was enough for each row; `found` if none can be asked."""
        asked = None
        for asked in self._rounds(game, rng):
            if self.tolerance is not None:
                found = found.refined(estimate(asked), self.tolerance)
                if found.reached(self.tolerance).all():
                    break
        return found if asked is None or self.tolerance is not None else estimate(asked)

    def _rounds(self, game: Game, rng: np.random.Generator) -> Iterator[Answers]:
        """Growing samples of one design, as far as the budget goes."""
        p = game.players
        pairs = self._pairs(p)
        levels = draw(p, allocate(p, pairs), rng)
        known = Answers(levels, *([np.empty((game.rows, 0)) for _ in levels] for _ in range(2)))
        for goal in _goals(p, pairs):
            reach = min(goal, known.asked + game.affordable(2 * (goal - known.asked)) // 2)
            if reach < goal:
                game.cut_short()
            if game.spent or reach <= known.asked:
                return
            known = known.grown(game, allocate(p, reach))
            yield known.alone

    def _pairs(self, p: int) -> int:
        samples = 2 * p + 2048 if self.samples is None else self.samples
        return min(all_pairs(p), max(1, int(samples) // 2))


def _goals(p: int, pairs: int) -> list[int]:
    """Growing numbers of pairs that end with all of them; the first is enough to say something of every player."""
    goals = [pairs]
    while goals[0] > 4 * p + 16:
        goals.insert(0, goals[0] // _GROWTH)
    return goals if pairs else []
