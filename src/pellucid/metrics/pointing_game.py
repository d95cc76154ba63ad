"""The pointing game: does the highest place of the map lie on the object?

Zhang et al., "Top-down Neural Attention by Excitation Backprop" (IJCV 2018), section 4.1: a hit if the highest place lies on a
mask or box of the class, or at most a tolerance away (15 pixels there, on photographs of about 500); the value is the share of hits

    hits / (hits + misses)

Chance is the share of the places that would count as a hit. Of several highest places, each counts for its share, as if one of
them were drawn. How many places are higher than all of the object stands beside it: a miss by one place is not one by a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.metrics.base import Case, Metric, MetricCard, Reading
from pellucid.metrics.regions import known_places, widened, without_places
from pellucid.metrics.similarity import flat


@dataclass(frozen=True)
class PointingGame(Metric):
    """`tolerance` in places, as the crow flies; `absolute` takes magnitudes, for methods whose sign says something else.

    `truth=` of `evaluate`: masks (n, *space) of True and False, or boxes (n, axes, 2) or (n, boxes, axes, 2) from where to where.
    """

    tolerance: float = 0
    absolute: bool = False

    card: ClassVar[MetricCard] = MetricCard(
        question="Does the highest place of the explanation lie where the answer is known to be?",
        direction="higher",
        range=(0.0, 1.0),
        chance="the share of places that count as a hit, row by row",
        cost="none",
        weaknesses="looks at a single place of the map; where a person sees the answer need not be where the model looks, so a "
        "right explanation of a shortcut misses; objects in the middle are hit by any map that is high in the middle; a row is a "
        "hit or a miss, so few rows say little: the truth beat a noisy copy of itself in 63 % of draws of 8 rows",
        blind=("noise",),
        paper="Zhang et al. 2018",
        needs=("truth",),
        counts=True,
    )

    def __post_init__(self) -> None:
        if not self.tolerance >= 0:
            raise MethodError(f"PointingGame(tolerance={self.tolerance!r}): expected a number of at least 0.")

    def measure(self, case: Case) -> Reading:
        if self.tolerance and case.places.ndim == 2 and case.record.layout == "table":
            raise MethodError("PointingGame(tolerance=) is for maps with space: columns have no neighbours.")
        masks = known_places(case)
        hits, inside = flat(widened(masks, self.tolerance)), flat(masks)
        maps = flat(np.abs(case.places) if self.absolute else case.places)
        best = maps == maps.max(axis=1, keepdims=True)
        known = inside.any(axis=1)
        value = np.where(known, (best & hits).sum(axis=1) / best.sum(axis=1), np.nan)
        chance = np.where(known, hits.mean(axis=1), np.nan)
        highest = np.where(inside, maps, -np.inf).max(axis=1, keepdims=True)
        before = np.where(known, (maps > highest).mean(axis=1), np.nan)
        judged = known & ~case.degenerate
        return Reading(
            value,
            chance=chance,
            detail={"places_before": before},
            warnings=(*without_places(inside), *_by_chance(value[judged], chance[judged])),
        )


def _by_chance(hits: np.ndarray, chance: np.ndarray) -> tuple[str, ...]:
    """hits, chance (n,) -> a sentence where chance alone hits as often in more than 5 % of such samples of rows"""
    total = np.array([1.0])  # the distribution of the number of hits
    for p in chance:
        total = np.convolve(total, [1 - p, p])
    tail = float(total[int(np.floor(hits.sum() + 1e-9)) :].sum())
    if not len(hits) or hits.mean() <= chance.mean() or tail <= 0.05:
        return ()
    return (f"chance alone hits as often in {tail:.0%} of such samples of {len(hits)} rows: judge more rows",)
