"""Permutation importance: how much worse the predictions get when one column is shuffled.

Breiman, "Random Forests" (2001), section 10; Fisher, Rudin & Dominici (JMLR 2019) for any model. For a metric m in which
larger is better (a loss enters with its sign turned),

    importance_j = mean over r of  m(y, f(X)) - m(y, f(X with column j permuted by pi_r))

so that larger = more important whatever the metric. The permutations pi_1 .. pi_R are the same for all columns: what a
column gets does not depend on which other columns there are, or on their order. The standard error is that of the mean
over repeats, on these rows: with few repeats an interval takes Student's t with R - 1 degrees of freedom. Measured on
rows that the model was trained on, a column that it overfits looks more important than it is: give held-out rows. Scikit-learn
shuffles again what it shuffled before, and dalex draws an order for each column; on the same orders both give these numbers.

Where columns go together, shuffling one alone asks about rows that cannot be. `within` shuffles among rows that are alike in
the other columns (`conditional.py`), and then measures what the column tells beyond them: on a linear model b x of
Gaussian columns under squared loss, 2 b_j^2 Var(x_j | the others) instead of 2 b_j^2 Var(x_j).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method
from pellucid.core.scalar import pieces
from pellucid.methods.effect import conditional
from pellucid.methods.effect.conditional import Within
from pellucid.methods.effect.copies import by_column, copies

_CELLS = 2**19  # numbers of shuffled tables that the model is asked about at once: what the processor's cache holds


@dataclass(frozen=True)
class PermutationImportance(Method):
    """Each column, or group of columns together, is shuffled `repeats` times: over all rows, or `within` "leaves" of a tree
    on the other columns, or among "neighbours" in them."""

    repeats: int = 5
    seed: int = 0
    within: Within | None = None

    card: ClassVar[Card] = Card(
        question="How much does the model's performance rest on each column?",
        scope="global",
        access="black box",
        inputs=("table",),
        output="the loss of performance per column, one number per repeat",
        cost="`repeats` times the rows per column, plus the rows",
        strengths="speaks of performance; works with any model and metric; columns can be grouped",
        weaknesses="columns that go together stand in for each other, and shuffled rows may be impossible ones: `within` helps",
        paper="Breiman 2001; Fisher, Rudin & Dominici 2019; Strobl et al. 2008; Molnar et al. 2023",
        rows=10,
        verb="importance",
        sampled=True,
    )

    def __post_init__(self) -> None:
        if not isinstance(self.repeats, int) or self.repeats < 1:
            raise MethodError(f"PermutationImportance(repeats={self.repeats!r}): expected a whole number from 1 on.")
        if self.within not in (None, "leaves", "neighbours"):
            raise MethodError(f"PermutationImportance(within={self.within!r}): choose None, 'leaves' or 'neighbours'.")

    def permutations(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        """(repeats, rows) the orders in which every column is shuffled."""
        return np.stack([rng.permutation(rows) for _ in range(self.repeats)])

    def measure(
        self,
        qualities: Callable[[np.ndarray], np.ndarray],
        X: np.ndarray,
        groups: Sequence[np.ndarray],
        coded: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[float, np.ndarray]:
        """qualities (larger = better) of tables (s, n, p), X (n, p), column numbers per group, which columns hold codes (p,)
        -> quality of X, drops (groups, repeats)"""
        (whole,) = qualities(X[None].copy())
        orders = self._orders(X, groups, coded, rng)
        tables, columns = max(1, _CELLS // X.size), by_column(X)
        asked = [(g, order) for g, group_orders in zip(groups, orders, strict=True) for order in group_orders]
        drops = [whole - qualities(_shuffled(columns, asked[part])) for part in pieces(len(asked), tables)]
        return float(whole), np.concatenate(drops).reshape(len(groups), -1)

    def _orders(
        self, X: np.ndarray, groups: Sequence[np.ndarray], coded: np.ndarray, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Per group, which row each row takes its values from (repeats, n)."""
        if self.within is None:
            return [self.permutations(len(X), rng)] * len(groups)
        keys = rng.random((self.repeats, len(X)))
        return [conditional.orders(X, group, coded, keys, self.within) for group in groups]


def _shuffled(columns: np.ndarray, asked: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """columns (p, n) -> one table for each group of columns and order: (s, n, p)"""
    made = copies(columns, len(asked))
    for table, (group, order) in zip(made, asked, strict=True):
        for j in group:
            table[:, j] = columns[j][order]
    return made
