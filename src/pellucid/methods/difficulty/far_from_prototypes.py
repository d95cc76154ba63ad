"""Distance: how far a row is from the prototypes of what the model calls its class, beside those of other classes.

Jiang, Kim, Guan & Gupta, "To Trust Or Not To Trust A Classifier" (NeurIPS 2018). With d_own the distance to the nearest
prototype of the predicted class and d_other that to the nearest of another class,

    score(x) = d_own / (d_own + d_other)

above 1/2 where the nearest typical row belongs to another class than the one predicted. Their trust score is d_other / d_own,
on all training rows of high density; here prototypes stand for those, picked per class by MMD-critic among the background
rows, whose classes are those that the model itself gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.method import Card, check_positive
from pellucid.methods.difficulty.base import DifficultyMethod, Hard, probabilities
from pellucid.methods.example.kernels import RBF, Within
from pellucid.methods.example.mmd_critic import MMDCritic
from pellucid.methods.example.points import as_points


@dataclass(frozen=True)
class FarFromPrototypes(DifficultyMethod):
    """`prototypes` is how many there are in all, shared out to the classes by how much each needs."""

    prototypes: int = 50

    card: ClassVar[Card] = Card(
        question="Which rows look unlike what the model calls their class?",
        scope="global",
        access="black box",
        inputs=("table", "image", "volume", "signal"),
        output="one number per row, larger where an error is more likely",
        cost="each row and background row once",
        strengths="does not rest on the model's own confidence",
        weaknesses="as good as distances between rows are: on raw pixels, poor",
        paper="Jiang, Kim, Guan & Gupta 2018",
        rows=1,
        verb="hardest",
    )

    def __post_init__(self) -> None:
        check_positive(self, "prototypes")

    def difficulty(self, hard: Hard) -> tuple[np.ndarray, tuple[str, ...]]:
        from scipy.spatial.distance import cdist

        from pellucid.models.prepare import prepare

        if hard.background is None:
            raise InputError("FarFromPrototypes needs background=, rows of which the prototypes are picked.")
        ready = prepare(hard.model, hard.background)
        classes = probabilities(ready, hard.meter).argmax(axis=1)
        if len(np.unique(classes)) < 2:
            raise InputError("the model gives all background rows the same class: give some of each.")
        known, rows = as_points(hard.background, hard.x)
        count = min(self.prototypes, len(known))
        picked = MMDCritic(count, 0).find(Within(RBF().bind(known), classes)).indices
        away, own = cdist(rows, known[picked]), hard.probabilities.argmax(axis=1)[:, None] == classes[picked]
        d_own, d_other = (np.where(which, away, np.inf).min(axis=1) for which in (own, ~own))
        with np.errstate(invalid="ignore"):
            far = d_own / (d_own + d_other)
        return np.where(np.isinf(d_own), 1.0, np.nan_to_num(far, nan=0.5)), (f"{count} prototypes",)
