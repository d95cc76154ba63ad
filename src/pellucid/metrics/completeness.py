"""Completeness: do the values add up to what they claim to share out?

Sundararajan, Taly & Yan, "Axiomatic Attribution" (ICML 2017), proposition 1: sum_i phi_i = f(x) - f(base). Measured as

    |score - base - sum(values)| / max(|score - base|, 0.001 max(|score|, 1))

where the floor keeps rows whose score is the base's from dividing by nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.metrics.base import Case, Metric, MetricCard, Reading


@dataclass(frozen=True)
class Completeness(Metric):
    """No hyper-parameters. Scores that the record lacks are the model's."""

    card: ClassVar[MetricCard] = MetricCard(
        question="Do the values add up to the score less the base value?",
        direction="lower",
        range=(0.0, np.inf),
        chance="none: 1 for a map of zeros, noise does not add up, and a wrong explanation may",
        cost="none",
        weaknesses="says nothing of which feature got what: any values can be shifted until they add up, and the right values at "
        "the wrong places are told from the truth in 0 % of draws",
        blind=("swapped", "another row's"),
        paper="Sundararajan, Taly & Yan 2017",
        needs=("base values",),
        bar=0.01,
        ranks=False,
        texts=True,
    )

    def measure(self, case: Case) -> Reading:
        record = case.record
        scores = np.where(np.isfinite(record.scores), record.scores, case.scores)
        rise = scores - record.base_values
        gap = rise - record.values.reshape(len(scores), -1).sum(axis=1)
        floor = 1e-3 * np.maximum(np.abs(scores), 1)
        return Reading(np.abs(gap) / np.maximum(np.abs(rise), floor), detail={"gap": gap})
