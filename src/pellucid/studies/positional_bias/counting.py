"""Combinations -> counts, exact intervals and tests, over all and by category, style and pair.

Under the hypothesis that no position is favoured, a combination whose answer changes with the order is as likely to follow
the option named first as the one named second: with n such combinations, k of them first, k is binomial (n, 1/2) (the sign
test; for paired answers McNemar's exact test). p is two-sided and exact; intervals are those of Clopper & Pearson 1934; the
lines of one kind (categories and styles together, pairs) share Holm's 1979 correction.

The binomial test takes combinations for independent. Those of one pair may move together, so beside it stands a test that
only takes pairs for independent (`p_pairs`): the sign of each pair's first-less-second count is flipped in all ways. With
six pairs it cannot fall below 2 / 64 = 0.03.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import bdtr

from pellucid.core.positional import BiasLine, Combination
from pellucid.studies.human.inference import clopper_pearson, holm, sign_flips

_TOGETHER = {"category": "framing", "style": "framing"}  # kinds of lines that are corrected together


def lines(combinations: Sequence[Combination], unknown: Sequence[Combination] = ()) -> tuple[BiasLine, ...]:
    """The line over all, those by category, style and pair, and that of names without meaning."""
    made = [line("all", "all", combinations)]
    for by in ("category", "style", "pair"):
        names = list(dict.fromkeys(_name(one, by) for one in combinations))
        if len(names) == 1 and by != "pair":
            continue  # the line over all again, and one test more to allow for
        made += [line(by, name, [one for one in combinations if _name(one, by) == name]) for name in names]
    if unknown:
        made.append(line("control", "names without meaning", unknown))
    return tuple(_corrected(made))


def line(by: str, name: str, combinations: Sequence[Combination]) -> BiasLine:
    """Counts, intervals and the test of some combinations."""
    outcomes = [one.outcome for one in combinations]
    unclear, same, first, second = (outcomes.count(kind) for kind in ("unclear", "same", "first", "second"))
    clear, moved = len(outcomes) - unclear, first + second
    share, (low, high) = _share(first, clear)
    primacy, (p_low, p_high) = _share(first, moved)
    return BiasLine(
        by=by,
        name=name,
        combinations=len(outcomes),
        unclear=unclear,
        same=same,
        first=first,
        second=second,
        first_share=share,
        first_low=low,
        first_high=high,
        primacy=primacy,
        primacy_low=p_low,
        primacy_high=p_high,
        p=test(first, second),
        p_holm=np.nan,
        position=_mean(one.position for one in combinations),
        content=_mean(one.content for one in combinations),
        asymmetry=_mean(one.asymmetry for one in combinations),
    )


def test(first: int, second: int) -> float:
    """The exact two-sided test that both directions are equally likely: twice the smaller tail; 1 where nothing moves."""
    return min(1.0, 2 * float(bdtr(min(first, second), first + second, 0.5))) if first + second else 1.0


def over_pairs(combinations: Sequence[Combination], seed: int) -> float:
    """The test that takes pairs, not combinations, for independent."""
    balance: dict[str, float] = {}
    for one in combinations:
        step = {"first": 1, "second": -1}.get(one.outcome, 0)
        balance[_name(one, "pair")] = balance.get(_name(one, "pair"), 0.0) + step
    return sign_flips(np.array(list(balance.values())), np.random.default_rng(seed))


def _name(one: Combination, by: str) -> str:
    reply = one.a_first
    return f"{reply.a} vs {reply.b}" if by == "pair" else str(getattr(reply, by))


def _share(hits: int, n: int) -> tuple[float, tuple[float, float]]:
    """A share and its exact interval; nothing is known of none."""
    return (hits / n, clopper_pearson(hits / n, n)) if n else (np.nan, (0.0, 1.0))


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else np.nan


def _corrected(made: list[BiasLine]) -> list[BiasLine]:
    """Holm's correction within each family of lines."""
    family = [_TOGETHER.get(one.by, one.by) for one in made]
    adjusted = np.full(len(made), np.nan)
    for name in set(family):
        rows = [i for i, one in enumerate(family) if one == name]
        adjusted[rows] = holm(np.array([made[i].p for i in rows]))
    return [dataclasses.replace(one, p_holm=float(p)) for one, p in zip(made, adjusted, strict=True)]
