"""Simulated participants: a rehearsal of the whole study before anybody is asked.

A participant's ability u is uniform; in a condition of accuracy p an answer is right with the probability B_p(u), the quantile
function of the beta distribution with mean p and variance r p (1 - p), so that r is the intraclass correlation of one participant's
answers. Wrong answers are drawn evenly. Times are lognormal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import betaincinv

from pellucid.core.errors import InputError
from pellucid.studies.human.answers import Line
from pellucid.studies.human.item import ATTENTION, Item
from pellucid.studies.human.study import SCHEMA, Study

_SPREAD = 0.4  # of log seconds


def rehearse(
    study: Study,
    accuracy: Mapping[str, float],
    *,
    participants: int,
    icc: float = 0.1,
    seconds: Mapping[str, float] | None = None,
    careless: float = 0.0,
    seed: int = 0,
) -> list[Line]:
    """Answer lines of participants who take the seats in their order.

    Parameters
    ----------
    accuracy : the share of right answers in each condition.
    icc : how alike the answers of one participant are.
    seconds : median time on a page in each condition; None says 20 everywhere.
    careless : the share of participants who answer everything at random, attention checks included.
    seed : of everything that is drawn.
    """
    if set(accuracy) != set(study.conditions):
        raise InputError(
            f"accuracy names {', '.join(accuracy)}; the study has the conditions {', '.join(study.conditions)}."
        )
    if not (0 < participants <= study.seats and 0 <= icc < 1 and 0 <= careless <= 1):
        raise InputError(
            f"participants={participants}, icc={icc}, careless={careless}: at most {study.seats} seats, shares below 1."
        )
    usual = seconds or dict.fromkeys(study.conditions, 20.0)
    rng, lines = np.random.default_rng(seed), []
    for seat in range(participants):
        able = {name: _able(p, icc, u) for u in [rng.random()] for name, p in accuracy.items()}
        awake = rng.random() >= careless
        person = rng.bytes(8).hex()
        for position, place in enumerate(study.plan[seat].order):
            item, condition = study.items[place], study.conditions[study.plan[seat].conditions[place]]
            right = 1.0 if item.kind == ATTENTION else able[condition]
            took = round(float(usual[condition] * np.exp(_SPREAD * rng.standard_normal())), 3)
            lines.append(
                {
                    "schema": SCHEMA,
                    "study": study.id,
                    "participant": person,
                    "consent": True,
                    "seat": seat,
                    "condition": condition,
                    "position": position,
                    "item": item.id,
                    "answer": _answer(item, right if awake else item.chance if item.asks else 0.0, rng),
                    "seconds": took,
                    "away": 0.0,
                }
            )
    return lines


def _able(p: float, icc: float, u: float) -> float:
    """The chance of a right answer of somebody at quantile u."""
    if icc == 0 or p in (0, 1):
        return float(p)
    whole = (1 - icc) / icc
    return float(betaincinv(p * whole, (1 - p) * whole, u))


def _answer(item: Item, right: float, rng: np.random.Generator) -> list[Any]:
    if not item.asks:
        return []
    if rng.random() < right:
        return list(item.right)
    if not item.several:
        return [str(rng.choice([option for option in item.options if option not in item.right]))]
    while True:
        ticked = [option for option in item.options if rng.random() < 0.5]
        if set(ticked) != set(item.right):
            return ticked
