"""From numbers to plain sentences: what the audit warns about, each with the numbers and the record it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from pellucid.core.scores import Comparison
from pellucid.report import doubts, suspicions
from pellucid.report.choose import Choice, typical
from pellucid.report.facts import performance
from pellucid.report.found import Found
from pellucid.report.record import RegionTest, Warn, warning
from pellucid.report.subject import Subject, lead
from pellucid.report.words import signed

_UNITS = {"r2": "R²"}
_DOUBTS = (
    doubts.unfaithful,
    doubts.elsewhere,
    doubts.blind,
    doubts.unstable,
    doubts.incomplete,
    doubts.disagreeing,
    doubts.degenerate,
)


def collect(
    subject: Subject,
    found: Found,
    compared: Comparison | None,
    groups: tuple[dict[str, Any], ...],
    left_out: list[dict[str, str]],
) -> tuple[Warn, ...]:
    """All warnings: a simpler model, then about the model, then about explanations, then about the audit itself."""
    files, told = found.files, list(_simpler(found))
    if found.regions is not None:
        told += suspicions.shortcuts(found.regions, compared, files)
    if found.columns is not None:
        told += suspicions.leaks(found.columns, files)
    told += suspicions.no_skill(performance(subject))
    told += suspicions.uneven(groups)
    if compared is not None:
        told += [warned for doubt in _DOUBTS for warned in doubt(compared, files)]
    told += _unfinished(left_out)
    return tuple(told)


def _simpler(found: Found) -> Iterator[Warn]:
    """A model that needs no explaining and is good enough."""
    made = found.rivals
    if made is None or made.best is None:
        return
    i, unit = made.names.index(made.best), _UNITS.get(made.metric, made.metric)
    (own, other), (behind, low, high) = (made.scores[at].mean() for at in (0, i)), made.behind[i]
    yield warning(
        "simpler-model",
        "alternative",
        f"A {made.best} would do: {unit} {other:.3g} instead of {own:.3g}.",
        f"Fitted and judged on the same {made.scores.shape[1]} folds of these rows, a {made.best} reaches {unit} {other:.3g} and a "
        f"model like this one {own:.3g}: {_behind(behind)} ({signed(low)} to {signed(high)}, 95 %), within the margin of "
        f"{made.margin:g}. A model that can be read needs no explaining: consider it first.",
        {"simple": made.best, "metric": made.metric, "score": other, "own_score": own, "behind": behind}
        | {"behind_low": low, "behind_high": high, "margin": made.margin, "rule": made.rules[i]},
        found.files.get("rivals"),
    )


def _behind(difference: float) -> str:
    return f"{difference:.2g} behind" if difference > 0 else f"{-difference:.2g} ahead"


def _unfinished(left_out: list[dict[str, str]]) -> Iterator[Warn]:
    short = [left["part"] for left in left_out if left["because"] != "model"]
    if short:
        said = f"Left out or cut short: {'; '.join(short)}."
        yield warning("left-out", "audit", "The audit is not complete.", said, {"parts": short}, None)


def examples(subject: Subject, regions: RegionTest | None) -> list[Choice]:
    """Rows that show what the search for a place found."""
    if regions is None:
        return []
    sure = lead(subject.outputs, subject.predicted)
    return [
        (
            typical(subject, sure, regions.classes[i]),
            f"typical of those called {regions.names[i]}, which a warning is about",
        )
        for i in np.flatnonzero(regions.suspicious)[:2]
    ]


def summary(warnings: tuple[Warn, ...], searched: str | None) -> str:
    """The headline: the gravest suspicion, or what was searched in vain."""
    for warned in warnings:
        if warned["about"] == "model":
            return str(warned["headline"])
    if searched is None:
        return "No warning about the model, but no search was made for a part of the input that decides alone."
    return f"Nothing suspicious was found: {searched}."
