"""What runs prove: does a probe beat chance on examples that it did not see, and is a score other than one half?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student


@dataclass(frozen=True)
class Told:
    """How well runs tell held-out examples apart: balanced accuracy, its standard error over examples, p of chance (one-sided)."""

    accuracy: float
    stderr: float
    p: float


def told_apart(margins: np.ndarray, weights: np.ndarray, own: np.ndarray, other: np.ndarray) -> Told:
    """margins, weights (N, r); own, other: rows of the concept's and of the random examples.

    An example's hit rate is the share of the runs without it that put it on its side. Examples are what is independent here, not
    runs; one hit and one miss are added to either side for the test, so that few examples cannot be perfect by luck.
    """
    sides = [_rates(margins[own], weights[own] == 0), _rates(-margins[other], weights[other] == 0)]
    if min(map(len, sides)) == 0:
        return Told(float("nan"), float("nan"), 1.0)
    accuracy, stderr = _balanced(sides)
    careful, spread = _balanced([np.append(rates, [0.0, 1.0]) for rates in sides])
    freedom = min(map(len, sides)) - 1
    p = float(student.sf((careful - 0.5) / spread, freedom)) if freedom > 0 else 1.0
    return Told(accuracy, stderr, p)


def _rates(margins: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """(k, r) -> the hit rate of every example that was left out at least once; a margin of 0 is half a hit"""
    times, hits = left_out.sum(axis=1), (np.sign(margins) + 1) / 2
    return (hits * left_out).sum(axis=1)[times > 0] / times[times > 0]


def _balanced(sides: list[np.ndarray]) -> tuple[float, float]:
    parts = [rates.var(ddof=1) / len(rates) if len(rates) > 1 else 0.25 for rates in sides]
    return float(np.mean([rates.mean() for rates in sides])), float(np.sqrt(sum(parts)) / 2)


def two_sided(runs: np.ndarray) -> float:
    """runs (r,) -> p of a score of one half"""
    least = min(int((runs <= 0.5).sum()), int((runs >= 0.5).sum()))
    return min(1.0, 2 * (1 + least) / (len(runs) + 1))


def holm(p: np.ndarray) -> np.ndarray:
    """p values of any shape, NaN where nothing was tested -> adjusted after Holm (1979), NaN there too"""
    made, known = np.full(p.shape, np.nan), np.isfinite(p)
    values = p[known]
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1)
    made[known] = adjusted
    return made
