"""SHAP importance: how much each column moves the score, on average over rows, whichever way.

Lundberg et al., "From local explanations to global understanding with explainable AI for trees" (2020):

    importance_j = mean over rows of |phi_j|,   phi the values of any method that shares out score - base value.

It speaks of what the model does, not of how well it does: no truth is needed, and a column that the model overfits counts in
full. Rows are a sample, and the standard error is that of the mean over them. Where the values themselves are sampled, their
errors do not cancel under the absolute value: a column that does nothing gets E|error| = 0.8 standard errors, and a
warning names the columns that show no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method

MEAN_SIZE = "mean |value|"
_OF_NOTHING = float(np.sqrt(2 / np.pi))  # the mean of |e| for an error e with standard error 1


@dataclass(frozen=True)
class ShapImportance(Method):
    """`method`: how values are found, any that add up; None reads trees (TreeShap) or asks the model (KernelShap)."""

    method: Any = None

    card: ClassVar[Card] = Card(
        question="How much does each column move the score, over all rows?",
        scope="global",
        access="black box",
        inputs=("table",),
        output="the mean magnitude of the values per column, one number per row",
        cost="what `method` costs for every row",
        strengths="needs no truth; one number per row, so its spread is known; columns can be grouped",
        weaknesses="says nothing of performance; signs are lost; as good as the values that it sums up",
        paper="Lundberg et al. 2020",
        rows=1000,
        verb="importance",
    )

    def __post_init__(self) -> None:
        card = getattr(self.method, "card", None)
        if self.method is not None and not (isinstance(self.method, Method) and card and card.scope == "local"):
            raise MethodError(
                f"ShapImportance(method={self.method!r}): expected a method value such as KernelShap(), or None."
            )
        if card is not None and not card.complete:
            raise MethodError(
                f"ShapImportance(method={self.method!r}): its values do not add up to score - base value, so their sizes are "
                "no shares of it: give TreeShap(), KernelShap(), IntegratedGradients() or another that adds up."
            )

    def measure(self, values: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
        """values (n, p), column numbers per group -> |sum of each group's values| in every row (groups, n)"""
        return np.abs([values[:, group].sum(axis=1) for group in groups])

    def unheard(self, sizes: np.ndarray, stderr: np.ndarray | None, groups: list[np.ndarray]) -> np.ndarray:
        """(groups,) True where errors of the values, stderr (n, p), would make as much by themselves, or half of it."""
        if stderr is None:
            return np.zeros(len(groups), bool)
        most = np.array([stderr[:, group].sum(axis=1).mean() for group in groups])  # if errors went together
        return np.asarray((most > 0) & (sizes.mean(axis=1) <= 2 * _OF_NOTHING * most))
