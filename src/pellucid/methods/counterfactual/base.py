"""What the counterfactual methods share: a problem in, the answers of each row out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from pellucid.core.method import Method
from pellucid.core.schema import Column
from pellucid.methods.counterfactual.distance import Distance

if TYPE_CHECKING:
    from pellucid.methods.counterfactual.problem import Answers, Problem


@dataclass(eq=False)
class Outcome:
    """What a search came to: answers with the wanted answer, cheapest first for each row; words on rows without any."""

    answers: Answers
    reasons: dict[int, str] = field(default_factory=dict)
    proven: set[int] = field(default_factory=set)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class CounterfactualMethod(Method):
    """Finds what would change an answer. `queries` is how many model rows one row may cost."""

    queries: int
    reads: ClassVar[bool] = False  # whether its background is texts


class ColumnMethod(CounterfactualMethod):
    """Changes the columns of a table: says what a change costs and searches. `answers` is how many a row gets."""

    answers: int
    sparsity: float = 0.0  # the price of every change beside its distance
    plausible: float = 0.0  # the weight of a density

    @abstractmethod
    def measured(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> Distance:
        """What a change costs, in units of the background (b, p)"""

    def values(self, background: np.ndarray | None, columns: tuple[Column, ...]) -> dict[int, np.ndarray]:
        """The values that columns may take, where the method keeps to a grid"""
        return {}

    @abstractmethod
    def search(self, problem: Problem) -> Outcome:
        """A problem whose rows all need a change -> their answers"""
