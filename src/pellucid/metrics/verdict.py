"""From rows to a sentence: the mean over rows, its 95 % interval, and what may be said.

Intervals are Student's t over rows; against chance and against the reverse order they are *paired*, on each row's own
difference, because rows differ far more among themselves than explanations do. Where a row is a hit or a miss, both are Wilson's
intervals of a proportion, and no interval leaves the range that its metric's card states. A verdict is only as strong as its
interval: with one row there is none. Rows whose map is constant are left out of metrics that judge an order, and the verdict says
how many.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from pellucid.core.intervals import wilson
from pellucid.core.scores import Curve, Line
from pellucid.metrics.base import MetricCard

ROUNDING = 1e-6  # differences below this share of the numbers compared are the model's rounding


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """values (n,) -> mean and the ends of its 95 % t interval; NaN ends below two values."""
    n = len(values)
    mean = float(values.mean()) if n else np.nan
    if n < 2:
        return mean, np.nan, np.nan
    half = float(stdtrit(n - 1, 0.975) * values.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def stratified(values: np.ndarray, group: np.ndarray) -> tuple[float, float, float]:
    """values, group (n,) -> the mean of the groups' means and the ends of Welch's 95 % interval; of one group, `interval`."""
    parts = [values[group == one] for one in np.unique(group)]
    if len(parts) < 2:
        return interval(values)
    mean, sizes = float(np.mean([part.mean() for part in parts])), np.array([len(part) for part in parts])
    if sizes.min() < 2:
        return mean, np.nan, np.nan
    variances = np.array([part.var(ddof=1) for part in parts]) / sizes
    if not variances.any():
        return mean, mean, mean
    freedom = variances.sum() ** 2 / (variances**2 / (sizes - 1)).sum()
    half = float(stdtrit(freedom, 0.975) * np.sqrt(variances.sum()) / len(parts))
    return mean, mean - half, mean + half


def line(curve: Curve, card: MetricCard) -> Line:
    """The line of a scorecard that a curve becomes."""
    known = np.isfinite(curve.value)
    blank = np.zeros(len(curve), bool) if curve.degenerate is None else curve.degenerate
    judged = known & ~blank if card.ranks else known
    used = judged if judged.any() else known
    group = curve.detail[card.strata] if card.strata else np.zeros(len(curve))
    mean, low, high = proportion(curve.value[used]) if card.counts else stratified(curve.value[used], group[used])
    low, high = np.clip([low, high], *card.range).tolist()
    paired = (None, None, None) if curve.chance is None else _ahead(curve, card, used)
    backwards = (None, None, None) if curve.reverse is None else stratified(curve.over_reverse[used], group[used])
    return Line(
        metric=curve.metric,
        mean=mean,
        low=low,
        high=high,
        chance=None if curve.chance is None else _mean(curve.chance[used]),
        advantage=paired[0],
        advantage_low=paired[1],
        advantage_high=paired[2],
        higher_is_better=curve.higher_is_better,
        verdict=_verdict(curve, card, judged, blank),
        rows=int(judged.sum()),
        degenerate=int(blank.sum()),
        reverse=None if curve.reverse is None else _mean(curve.reverse[used]),
        over_reverse=backwards[0],
        over_reverse_low=backwards[1],
        over_reverse_high=backwards[2],
    )


def proportion(hits: np.ndarray) -> tuple[float, float, float]:
    """hits (n,) in [0, 1] -> their share and the ends of Wilson's 95 % interval; NaN ends below two.

    A hit that is shared out among equals counts for a part; what lies between a miss and a hit varies less than either, so the
    interval is then wider than it need be.
    """
    n = len(hits)
    mean = float(hits.mean()) if n else np.nan
    return (mean, np.nan, np.nan) if n < 2 else (mean, *wilson(float(hits.sum()), n))


def _ahead(curve: Curve, card: MetricCard, rows: np.ndarray) -> tuple[float, float, float]:
    """The mean advantage over chance of some rows, positive = better, and its interval. Chance is known of hits and misses."""
    if card.counts and curve.chance is not None:
        chance = _mean(curve.chance[rows])
        mean, low, high = proportion(curve.value[rows])
        return mean - chance, low - chance, high - chance
    group = curve.detail[card.strata] if card.strata else np.zeros(len(curve))
    return stratified(curve.advantage[rows], group[rows])


def _verdict(curve: Curve, card: MetricCard, judged: np.ndarray, blank: np.ndarray) -> str:
    if card.ranks and blank.any() and not judged.any():
        return "degenerate: all values of a map are equal in every row, so their order says nothing"
    if not judged.any():
        return "no row could be judged"
    if curve.chance is not None:
        said = _against_chance(
            _ahead(curve, card, judged), int(judged.sum()), np.abs([curve.value[judged], curve.chance[judged]]).max()
        )
    elif card.bar is not None:
        said = _against_bar(curve.value[judged], card)
    else:
        said = f"no verdict: {card.chance}"
    left = ", left out" if card.ranks else ""
    return said + (
        f"; degenerate (all values equal) in {int(blank.sum())} of {len(blank)} rows{left}" * bool(blank.any())
    )


def _against_chance(found: tuple[float, float, float], rows: int, scale: float) -> str:
    """The mean advantage over rows, positive = better, and its interval."""
    mean, low, high = found
    tiny = ROUNDING * scale
    if np.isnan(low):
        side = "equal to" if abs(mean) <= tiny else "better than" if mean > 0 else "worse than"
        return f"{'one row gives' if rows < 2 else 'one row of a group gives'} no interval; it is {side} random"
    return "better than random" if low > tiny else "worse than random" if high < -tiny else "no better than random"


def _against_bar(values: np.ndarray, card: MetricCard) -> str:
    """values (n,); which side of the card's bar the mean is on"""
    mean, low, high = interval(values)
    if len(values) < 2:
        return f"one row gives no interval; it {'passes' if _within(mean, mean, card) else 'fails'}"
    if _within(low, high, card):
        return "passes"
    return "fails" if _beyond(low, high, card) else f"undecided: the interval holds the bar of {card.bar:g}"


def _within(low: float, high: float, card: MetricCard) -> bool:
    """Whether a whole interval is on the good side."""
    assert card.bar is not None
    return {"higher": low >= card.bar, "lower": high <= card.bar, "closer to 0": max(-low, high) <= card.bar}[
        card.direction
    ]


def _beyond(low: float, high: float, card: MetricCard) -> bool:
    """Whether a whole interval is on the bad side."""
    assert card.bar is not None
    return {"higher": high < card.bar, "lower": low > card.bar, "closer to 0": max(low, -high) > card.bar}[
        card.direction
    ]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan
