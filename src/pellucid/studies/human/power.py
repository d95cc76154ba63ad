"""How many participants does a study need?

With m items each and an intraclass correlation r of a participant's answers, the accuracy of one participant in a condition whose
true accuracy is p has the variance

    between:  v(p) = p (1 - p) (1 + (m - 1) r) / m            (the design effect of Kish 1965)
    within:   w = (p (1 - p) + q (1 - q)) (1 - r) / (m / k) + r (sqrt(p (1 - p)) - sqrt(q (1 - q)))^2

where within participants a difference is taken over m / k items in each of k conditions, and what somebody is good at cancels. The
power of a two-sided t test with n participants a condition (n in all, within) is that of the noncentral t distribution. The
randomisation test of `analyze` moves in steps, since shares of a few items do: the effect counts less half a step, 1 / (n times the
items of one participant in one condition), as in Casagrande, Pike & Smith 1978 for Fisher's test.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit
from scipy.stats import nct

from pellucid.core.errors import InputError

_MOST = 1_000_000  # participants


@dataclass(frozen=True)
class Plan:
    """What a study has to look like: participants in all and in each condition, and the power that this gives."""

    participants: int
    each: int  # participants who meet a condition
    power: float
    effect: float  # in accuracy
    deviation: float  # of one participant's accuracy, or difference

    def __str__(self) -> str:
        return (
            f"{self.participants} participants, {self.each} of them in each condition: "
            f"a difference of {100 * self.effect:+.0f} points is found with probability {self.power:.2f}"
        )


def participants_needed(
    baseline: float,
    effect: float,
    items: int,
    icc: float,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    conditions: int = 2,
    within: bool = False,
) -> Plan:
    """The smallest number of participants with which an effect is found with the wanted probability.

    Parameters
    ----------
    baseline : accuracy in the first condition.
    effect : by how much another condition changes it.
    items : questions for each participant.
    icc : intraclass correlation of a participant's answers, 0 for none; 0.05 to 0.2 is common.
    power, alpha : of the test; with several conditions, alpha is shared by their comparisons with the first one.
    conditions : how many there are.
    within : whether each participant meets all conditions.
    """
    _check(baseline, effect, items, icc, power, alpha, conditions, within)
    variance = _variance(baseline, baseline + effect, items, icc, conditions if within else 0)
    level, step = alpha / (conditions - 1), (conditions if within else 1) / items

    def reached(n: int) -> float:
        return _power(max(0.0, abs(effect) - step / n), variance, n, level, within)

    high = 2
    while reached(high) < power:
        high *= 2
        if high > _MOST:
            raise InputError(
                f"more than {_MOST:,} participants would be needed: ask more items, or look for a larger effect."
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    each = max(high, 2)
    return Plan(each if within else conditions * each, each, reached(each), effect, math.sqrt(variance))


def _variance(p: float, q: float, m: int, icc: float, k: int) -> float:
    """Of the difference for one participant per condition (or one participant, within); k conditions within, 0 between."""
    noise = p * (1 - p), q * (1 - q)
    if not k:
        return sum(noise) * (1 + (m - 1) * icc) / m
    return sum(noise) * (1 - icc) * k / m + icc * (math.sqrt(noise[0]) - math.sqrt(noise[1])) ** 2


def _power(effect: float, variance: float, n: int, alpha: float, within: bool) -> float:
    if n < 2:
        return 0.0
    if variance == 0:
        return 1.0
    freedom, shift = (n - 1 if within else 2 * (n - 1)), effect / math.sqrt(variance / n)
    bound = stdtrit(freedom, 1 - alpha / 2)
    found = nct.sf(bound, freedom, shift) + nct.cdf(-bound, freedom, shift)
    return float(found) if np.isfinite(found) else 1.0  # so far out that the distribution's own tail underflows


def _check(
    baseline: float, effect: float, items: int, icc: float, power: float, alpha: float, conditions: int, within: bool
) -> None:
    if not (0 <= baseline <= 1 and 0 <= baseline + effect <= 1 and effect != 0):
        raise InputError(
            f"baseline={baseline}, effect={effect}: accuracies with and without the effect lie between 0 and 1."
        )
    if not (0 <= icc < 1 and 0 < alpha < 1 and alpha < power < 1):
        raise InputError(f"icc={icc}, alpha={alpha}, power={power}: each lies between 0 and 1, and power above alpha.")
    if conditions < 2 or items < 1 or (within and items < conditions):
        raise InputError(
            f"items={items}, conditions={conditions}: two conditions at least, and within participants an item for each."
        )
