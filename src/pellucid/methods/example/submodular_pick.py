"""Submodular pick: a few explained rows that together show what matters to the model.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), section 4. With W the matrix of explanations, rows by features,

    I_j = sqrt(sum_i |W_ij|)                         how much feature j matters over all rows
    c(V) = sum_j 1[some i in V has W_ij != 0] I_j    what the rows V cover

and rows are added greedily, each the one that covers most beyond those before. c is monotone and submodular, so the greedy set
covers at least 1 - 1/e of what the best set of its size does (Nemhauser, Wolsey & Fisher 1978).

LIME's explanations can be sparse, and a feature is covered where its weight is not zero. Many attributions are dense: one row
would cover everything. With `share` below 1, a row covers only the features that this share of its own total magnitude rests
on, the largest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method

_ROUNDING = 1e-12  # of the largest value: what is smaller is the arithmetic's, not the model's


@dataclass(frozen=True)
class SubmodularPick(Method):
    """`k` rows are picked; a row covers the largest features that make up `share` of its total magnitude."""

    k: int = 5
    share: float = 1.0

    card: ClassVar[Card] = Card(
        question="Which few explanations show what matters to the model?",
        scope="global",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a few rows, and how much of all importance they cover",
        cost="no model rows: it reads an attribution",
        strengths="works on any attribution; at least 63 % of what the best choice of as many rows covers",
        weaknesses="as good as the attribution; says nothing of signs",
        paper="Ribeiro, Singh & Guestrin 2016",
        rows=0,
        verb="summarize",
    )

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise MethodError(f"SubmodularPick(k={self.k!r}): expected a whole number from 1 on.")
        if not 0 < self.share <= 1:
            raise MethodError(f"SubmodularPick(share={self.share!r}): expected a share above 0 and up to 1.")

    def covers(self, W: np.ndarray) -> np.ndarray:
        """W (n, p) -> which features each row covers (n, p)"""
        size = np.abs(W)
        size = np.where(size > _ROUNDING * size.max(initial=0.0), size, 0.0)
        order = np.argsort(-size, axis=1, kind="stable")
        ranked = np.take_along_axis(size, order, axis=1)
        before = ranked.cumsum(axis=1) - ranked  # what is made up without this one
        needed = (before < self.share * ranked.sum(axis=1, keepdims=True) * (1 - 1e-12)) & (ranked > 0)
        made = np.zeros(W.shape, dtype=bool)
        np.put_along_axis(made, order, needed if self.share < 1 else ranked > 0, axis=1)
        return made

    def pick(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W (n, p) -> rows in the order of picking (k,), the share that each adds (k,), importance (p,)"""
        covers, importance = self.covers(W), np.sqrt(np.abs(W).sum(axis=0))
        open_, total = importance.copy(), importance.sum()
        rows, gains, free = [], [], np.ones(len(W), dtype=bool)
        for _ in range(min(self.k, len(W))):
            gain = np.where(free, covers @ open_, -1.0)
            best = int(gain.argmax())
            rows.append(best)
            gains.append(gain[best] / total if total else 0.0)
            free[best], open_[covers[best]] = False, 0.0
        return np.array(rows), np.array(gains), importance
