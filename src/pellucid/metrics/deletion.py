"""Deletion: hide the places that an explanation calls most important first; the faster the score falls, the better.

Petsiuk, Das & Saenko, "RISE" (BMVC 2018), section 4.2: the area under score against share hidden, lower is better. See
`ranking.py` for the area, the order, and the random and reverse orders beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.metrics.base import MetricCard
from pellucid.metrics.ranking import RankingCurve


@dataclass(frozen=True)
class Deletion(RankingCurve):
    """`fill` None: for tables the background's mean (most frequent level), zeros without background; with space the mean.

    The mean is the background's where there is one, else each picture's own colour.
    """

    spatial_fill: ClassVar[str] = "mean"
    card: ClassVar[MetricCard] = MetricCard(
        question="Does the score fall when what the explanation calls important is hidden?",
        direction="lower",
        range=(-np.inf, np.inf),
        chance="measured on every row with random orders and the same fill",
        cost="(2 + `randoms`) * (`steps` - 1) + 2 rows, for each fill",
        weaknesses="hidden places look like nothing the model was trained on, so part of the fall is shock at the fill, and "
        "specks of it can look like evidence: on a network that finds a planted chequered patch, the truth led random orders by "
        "0.3 of probability with single zeroed pixels and by 0.6 with windows of 2; on a model that every hard edge shakes, a "
        "noisy copy of the truth beats it in 100 % of draws, by default or with zeros, and in 0 % with NoisyLinear(): compare "
        "several fills",
        blind=("edges",),
        paper="Petsiuk, Das & Saenko 2018",
        texts=True,
    )

    def hidden(self, ranks: np.ndarray, count: np.ndarray) -> np.ndarray:
        return np.asarray(ranks < count)
