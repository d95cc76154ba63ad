"""Insertion: start from nothing and show the most important places first; the faster the score rises, the better.

Petsiuk, Das & Saenko, "RISE" (BMVC 2018), section 4.2: the area under score against share shown, higher is better. See
`ranking.py` for the area, the order, and the random and reverse orders beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.metrics.base import MetricCard
from pellucid.metrics.ranking import RankingCurve


@dataclass(frozen=True)
class Insertion(RankingCurve):
    """`fill` None: for tables the background's mean (most frequent level), zeros without background; with space a blur.

    A blurred start is the paper's: sharp edges of shown places on an even ground would be evidence of their own.
    """

    spatial_fill: ClassVar[str] = "blur"
    card: ClassVar[MetricCard] = MetricCard(
        question="Does what the explanation calls important suffice to bring the score back?",
        direction="higher",
        range=(-np.inf, np.inf),
        chance="measured on every row with random orders and the same fill",
        cost="(2 + `randoms`) * (`steps` - 1) + 2 rows, for each fill",
        weaknesses="the start looks like nothing the model was trained on; a blurred start keeps coarse evidence, so "
        "models that need no detail score high from the beginning",
        paper="Petsiuk, Das & Saenko 2018",
        texts=True,
    )

    def hidden(self, ranks: np.ndarray, count: np.ndarray) -> np.ndarray:
        return np.asarray(ranks >= count)
