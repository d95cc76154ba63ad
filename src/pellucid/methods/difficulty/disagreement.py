"""Disagreement: how much the members of an ensemble contradict each other about a row.

Houlsby, Huszar, Ghahramani & Lengyel, "Bayesian Active Learning for Classification and Preference Learning" (arXiv 2011). With
members' class probabilities p_m and H the entropy in nats,

    score(x) = H(mean_m p_m(x)) - mean_m H(p_m(x))

the information that knowing the right member would bring: 0 where all say the same, however unsure they are. Members are
several models given as a list, the trees of a forest, or passes through a network with its dropout left on (Gal & Ghahramani, ICML
2016).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, check_positive
from pellucid.methods.difficulty.base import DifficultyMethod, Hard


@dataclass(frozen=True)
class Disagreement(DifficultyMethod):
    """`passes` is how often a network is asked with its dropout on; `seed` draws what is dropped.

    Forests and lists of models have members of their own.
    """

    passes: int = 30
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="About which rows do the members of an ensemble contradict each other?",
        scope="global",
        access="structure",
        inputs=("table", "image", "volume", "signal"),
        output="one number per row, larger where an error is more likely",
        cost="each row once per member or pass",
        strengths="tells what the data did not settle from what is random in itself",
        weaknesses="needs an ensemble or dropout; members trained alike are wrong alike",
        paper="Houlsby, Huszar, Ghahramani & Lengyel 2011",
        rows=10,
        verb="hardest",
    )

    def __post_init__(self) -> None:
        check_positive(self, "passes")

    def difficulty(self, hard: Hard) -> tuple[np.ndarray, tuple[str, ...]]:
        from pellucid.models.members import members

        return self.between(members(hard.ready, passes=self.passes, seed=self.seed, meter=hard.meter))

    def between(self, each: Iterable[np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
        """Each member's class probabilities (n, k) -> (n,)"""
        told = np.stack(list(each))  # (members, n, k)
        gained = _entropy(told.mean(axis=0)) - _entropy(told).mean(axis=0)
        return np.maximum(gained, 0), (f"{len(told)} members",)


def _entropy(p: np.ndarray) -> np.ndarray:
    """(..., k) -> (...)"""
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1))
