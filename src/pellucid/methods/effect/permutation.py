"""Permutation importance: how much worse the predictions get when one column is shuffled.

Breiman, "Random Forests" (2001), section 10; Fisher, Rudin & Dominici (JMLR 2019) for any model. For a metric m in which
larger is better (a loss enters with its sign turned),

    importance_j = mean over r of  m(y, f(X)) - m(y, f(X with column j permuted by pi_r))

so that larger = more important whatever the metric. The permutations pi_1 .. pi_R are the same for all columns: what a
column gets does not depend on which other columns there are, or on their order. The standard error is that of the mean
over repeats, on these rows: with few repeats an interval takes Student's t with R - 1 degrees of freedom. Measured on
rows that the model was trained on, a column that it overfits looks more important than it is: give held-out rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method


@dataclass(frozen=True)
class PermutationImportance(Method):
    """Each column, or group of columns together, is shuffled `repeats` times."""

    repeats: int = 5
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="How much does the model's performance rest on each column?",
        scope="global",
        access="black box",
        inputs=("table",),
        output="the loss of performance per column, one number per repeat",
        cost="`repeats` times the rows per column, plus the rows",
        strengths="speaks of performance; works with any model and metric; columns can be grouped",
        weaknesses="columns that go together stand in for each other; shuffled rows may be impossible ones",
        paper="Breiman 2001; Fisher, Rudin & Dominici 2019",
        sampled=True,
    )

    def __post_init__(self) -> None:
        if not isinstance(self.repeats, int) or self.repeats < 1:
            raise MethodError(f"PermutationImportance(repeats={self.repeats!r}): expected a whole number from 1 on.")

    def permutations(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """(repeats, rows) the orders in which every column is shuffled."""
        return np.stack([rng.permutation(rows) for _ in range(self.repeats)])

    def measure(
        self,
        quality: Callable[[np.ndarray], float],
        X: np.ndarray,
        groups: Sequence[np.ndarray],
        rng: np.random.Generator,
    ) -> tuple[float, np.ndarray]:
        """quality (larger = better) of a table, X (n, p), column numbers per group -> quality of X, drops (groups, repeats)"""
        whole, orders = quality(X.copy()), self.permutations(len(X), rng)
        return whole, np.array([[whole - quality(_shuffled(X, g, order)) for order in orders] for g in groups])


def _shuffled(X: np.ndarray, group: np.ndarray, order: np.ndarray) -> np.ndarray:
    """X with the columns of a group permuted together."""
    made = X.copy()
    made[:, group] = X[np.ix_(order, group)]
    return made
