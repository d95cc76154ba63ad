"""Sufficiency and necessity: is the top of an explanation enough by itself, and is it missed when it is gone?

DeYoung et al., "ERASER" (ACL 2020), section 4.2. With r_k the top share k of the parts, x[r_k] the input with all else hidden, and
x \\ r_k the input without them,

    sufficiency       = mean over k of  f(x) - f(x[r_k])     0: the top alone gives the score (ERASER: lower is better)
    comprehensiveness = mean over k of  f(x) - f(x \\ r_k)    large: without the top the score is gone (necessity)
    value             = comprehensiveness - sufficiency = mean over k of  f(x[r_k]) - f(x \\ r_k)

The value asks both at once, and in it f(x) drops out: how much more the top gives alone than everything but the top. Each of the
two numbers by itself can be bought, sufficiency by a fill that keeps the evidence, comprehensiveness by one that shocks the model;
the difference pays for the one with the other.

Probability of sufficiency and of necessity (Pearl 1999; Watson et al., "Local Explanations via Necessity and Sufficiency", UAI
2021) are the same two numbers under an intervention that draws the rest: with `fill="background"` and a target on the probability
scale, f(x[r_k]) is the probability that the class comes out when the top alone is held fixed, and 1 - f(x \\ r_k) the probability
that it no longer does when the top alone is drawn anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.maskers import Size
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.hiding import FillLike, check_fills, check_window, cut, fills
from pellucid.metrics.on_texts import on_texts
from pellucid.metrics.ranking import Asked, blocks, ordered


@dataclass(frozen=True)
class SufficiencyNecessity(Metric):
    """`shares` of the parts that are the top (at least one part; ERASER's by default), `randoms` random orders to compare with.

    `fill`, `window` and `absolute` as for `Deletion`: `fill` None is the background's mean or zeros for tables and a picture's own
    mean; a tuple of several is averaged.
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.5)
    fill: FillLike = None
    randoms: int = 6
    window: Size | None = None
    absolute: bool = False
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Is the top of the explanation enough by itself, and missed when it is gone?",
        direction="higher",
        range=(-np.inf, np.inf),
        chance="measured on every row with random orders and the same fill",
        cost="2 * (2 + `randoms`) * shares rows, for each fill",
        weaknesses="looks at the top alone, so the order within it and below it counts for nothing; hidden parts look like "
        "nothing the model was trained on; two redundant causes are each sufficient and neither is necessary",
        paper="DeYoung et al. 2020 (ERASER)",
        texts=True,
    )

    def __post_init__(self) -> None:
        check_counts(self, "randoms")
        check_fills(type(self).__name__, self.fill)
        check_window(type(self).__name__, self.window)
        shares = self.shares if isinstance(self.shares, tuple) else ()
        if not shares or not all(isinstance(share, int | float) and 0 < share < 1 for share in shares):
            raise MethodError(
                f"SufficiencyNecessity(shares={self.shares!r}): expected a tuple of shares between 0 and 1."
            )

    def measure(self, case: Case) -> Reading:
        if case.record.texts is not None:
            return on_texts(case, self.fill, replace(self, fill="zeros").measure)
        parts = cut(case, self.window, self.absolute, type(self).__name__)
        shown, streams = fills(self.fill, "mean", case, parts.labels), self.streams(case)
        counts = np.maximum(1, np.rint(parts.total[:, None] * np.array(self.shares))).astype(int)  # (n, shares)
        both = []
        for rows in blocks(case, np.arange(len(case.x))):
            orders, asked = ordered(parts, rows, streams, self.randoms), Asked(case, rows, parts, shown)
            sides = [asked.scores(orders, counts[rows], hidden).mean(axis=2) for hidden in (_all_but, _top)]
            both.append(np.stack(sides, axis=1))
        return self._reading(case.scores, np.concatenate(both), shown.warnings)

    def _reading(self, scores: np.ndarray, both: np.ndarray, warnings: tuple[str, ...]) -> Reading:
        """scores (n,), both (n, 2, 2 + randoms, shares): with the top alone, and without it"""
        only, without = both[:, 0], both[:, 1]
        lead = (only - without).mean(axis=2)  # (n, 2 + randoms)
        falls = scores[:, None, None] - both.mean(axis=3)  # (n, 2, 2 + randoms)
        return Reading(
            lead[:, 0],
            chance=lead[:, 2:].mean(axis=1),
            reverse=lead[:, 1],
            detail={
                "sufficiency": falls[:, 0, 0],
                "comprehensiveness": falls[:, 1, 0],
                "sufficiency_by_chance": falls[:, 0, 2:].mean(axis=1),
                "comprehensiveness_by_chance": falls[:, 1, 2:].mean(axis=1),
                "only_top": only[:, 0],
                "without_top": without[:, 0],
            },
            labels=tuple(f"{100 * share:g} %" for share in self.shares),
            warnings=warnings,
        )


def _top(ranks: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.asarray(ranks < count)


def _all_but(ranks: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.asarray(ranks >= count)
