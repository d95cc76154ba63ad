"""The margin: how far the winning class is ahead of the next.

    score(x) = 1 - (p_1 - p_2)        p_1, p_2 the two largest class probabilities of x

0 where the model is sure and 1 where two classes are level. Schapire, Freund, Bartlett & Lee, "Boosting the Margin" (Annals of
Statistics 1998); as a way to find errors, Hendrycks & Gimpel (ICLR 2017), who take p_1 alone: the same order for two classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card
from pellucid.methods.difficulty.base import DifficultyMethod, Hard


@dataclass(frozen=True)
class SmallestMargin(DifficultyMethod):
    """Has no fields: the model's own probabilities say it all."""

    card: ClassVar[Card] = Card(
        question="About which rows is the model itself least sure?",
        scope="global",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="one number per row, larger where an error is more likely",
        cost="each row once",
        strengths="one pass; hard to beat where the model is calibrated",
        weaknesses="blind where the model is wrong and sure of it, as far from the data",
        paper="Schapire, Freund, Bartlett & Lee 1998",
        rows=1,
        verb="hardest",
    )

    def difficulty(self, hard: Hard) -> tuple[np.ndarray, tuple[str, ...]]:
        top = np.sort(hard.probabilities, axis=1)[:, -2:]
        return 1 - (top[:, 1] - top[:, 0]), ()
