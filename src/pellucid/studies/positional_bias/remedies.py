"""What takes the bias out, measured before and after.

All decisions here are by the sign of log-odds, because answers in words cannot be corrected. With s the log-odds of a against b
and beta the log-odds that being named first adds:

- both orders: decide by (s_0 + s_1) / 2. Free of order by construction; two passes for each decision.
- content-free calibration: beta from names without meaning, per category and style, taken off one pass. The idea is that of
  Zhao et al. 2021, "Calibrate Before Use": what the model prefers when there is nothing to prefer is its bias. Nonsense
  names have sounds of their own; the mean over both orders cancels that.
- calibration on other pairs: beta is the mean over all other pairs of the same category and style, each asked in both orders.
  After Zheng et al. 2024 (PriDe), where a positional prior estimated on some questions is taken off the others. The pair
  itself is left out.

A calibration is one number per category and style, so it can take out what a framing adds on average, not what it adds to
one pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pellucid.core.positional import Combination, Remedy
from pellucid.studies.positional_bias.counting import test

Bias = Callable[[Combination], float]  # the log-odds that being named first is thought to add


def remedies(combinations: Sequence[Combination], unknown: Sequence[Combination]) -> tuple[Remedy, ...]:
    """No remedy first, then each that can be measured here."""
    known = [one for one in combinations if np.isfinite(one.swing)]
    if not known:
        return ()
    made = [_measured("none", known, lambda one: 0.0, 1, 0)]
    made.append(_averaged(known))
    if unknown:
        made.append(_measured("calibrated on names without meaning", known, _from_others(unknown), 1, 2 * len(unknown)))
    if len({_pair(one) for one in known}) > 1:
        made.append(_measured("calibrated on the other pairs", known, _from_others(known), 1, 2 * len(known)))
    return tuple(made)


def _measured(name: str, combinations: Sequence[Combination], bias: Bias, passes: float, extra: int) -> Remedy:
    """Decisions by one pass each, what being first adds taken off."""
    betas = np.array([bias(one) for one in combinations])
    a_first = np.array([one.a_first.log_odds for one in combinations]) - betas
    b_first = np.array([one.b_first.log_odds for one in combinations]) + betas
    return _remedy(name, combinations, a_first, b_first, passes, extra)


def _averaged(combinations: Sequence[Combination]) -> Remedy:
    content = np.array([one.content for one in combinations])
    return _remedy("averaged over both orders", combinations, content, content, 2, 0)


def _remedy(
    name: str, combinations: Sequence[Combination], a_first: np.ndarray, b_first: np.ndarray, passes: float, extra: int
) -> Remedy:
    """a_first, b_first (m,) log-odds of a that decide when a or b is named first"""
    first, second = int(((a_first > 0) & (b_first < 0)).sum()), int(((a_first < 0) & (b_first > 0)).sum())
    before = np.array([(one.a_first.log_odds, one.b_first.log_odds) for one in combinations])
    agreed = np.sign(before[:, 0]) == np.sign(before[:, 1])
    stays = (np.sign(a_first) == np.sign(before[:, 0])) & (np.sign(b_first) == np.sign(before[:, 1]))
    return Remedy(
        name=name,
        passes=passes,
        extra=extra,
        combinations=len(combinations),
        first=first,
        second=second,
        position=float((a_first - b_first).mean() / 2),
        p=test(first, second),
        kept=float(stays[agreed].mean()) if agreed.any() else np.nan,
    )


def _from_others(others: Sequence[Combination]) -> Bias:
    """The mean of other pairs' positions in the same category and style."""

    def bias(one: Combination) -> float:
        known = [other.position for other in others if _framing(other) == _framing(one) and _pair(other) != _pair(one)]
        known = [value for value in known if np.isfinite(value)]
        return float(np.mean(known)) if known else 0.0

    return bias


def _framing(one: Combination) -> tuple[str, str]:
    return one.a_first.category, one.a_first.style


def _pair(one: Combination) -> tuple[str, str]:
    return one.a_first.a, one.a_first.b
