"""Rules of which the first that holds decides: what lists and sets of rules share once their rules are chosen and ordered."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.model_card import Rule
from pellucid.methods.glassbox.fitting import Glassbox
from pellucid.methods.glassbox.list_task import first_of
from pellucid.methods.glassbox.mining import Pool


class FirstRule(Glassbox):
    """A classifier whose `rules_` are asked in their order; the last of them holds for every row."""

    rules_: tuple[Rule, ...]

    def _decide(self, pool: Pool, counts: np.ndarray, rows: list[float]) -> None:
        """pool of r rules in their order, counts (r + 1, k) weight by class behind each and none, rows (r + 1) to be shown"""
        self._pool = pool
        self._shares = (counts + 1) / (counts.sum(axis=1, keepdims=True) + len(self.classes_))
        said = [*(pool.said(at) for at in range(len(pool.rules))), ()]
        answers = [self._names()[best] for best in self._shares.argmax(axis=1)]
        self.rules_ = tuple(
            Rule(conditions, answer, tuple(shares), n)
            for conditions, answer, shares, n in zip(said, answers, self._shares.tolist(), rows, strict=True)
        )

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k) the classes of the training rows that the deciding rule stands for, smoothed by one row of each class."""
        codes = self._codes(X)
        held = self._pool.holds(list(range(len(self._pool.rules))), codes)
        return np.asarray(self._shares[first_of(held)])
