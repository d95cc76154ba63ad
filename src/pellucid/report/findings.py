"""From numbers to plain sentences: what the audit warns about, each with the numbers and the record it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pellucid.core.records import Comparison
from pellucid.report import doubts, suspicions
from pellucid.report.choose import Choice, typical
from pellucid.report.facts import performance
from pellucid.report.record import ColumnTest, RegionTest, Warn, warning
from pellucid.report.subject import Subject, lead

_DOUBTS = (
    doubts.unfaithful,
    doubts.blind,
    doubts.unstable,
    doubts.incomplete,
    doubts.disagreeing,
    doubts.degenerate,
)


def collect(
    subject: Subject,
    regions: RegionTest | None,
    columns: ColumnTest | None,
    compared: Comparison | None,
    groups: tuple[dict[str, Any], ...],
    left_out: list[dict[str, str]],
    files: Mapping[str, str],
) -> tuple[Warn, ...]:
    """All warnings: about the model, then about explanations, then about the audit itself."""
    found: list[Warn] = []
    if regions is not None:
        found += suspicions.shortcuts(regions, compared, files)
    if columns is not None:
        found += suspicions.leaks(columns, files)
    found += suspicions.no_skill(performance(subject))
    found += suspicions.uneven(groups)
    if compared is not None:
        found += [warned for doubt in _DOUBTS for warned in doubt(compared, files)]
    found += _unfinished(left_out)
    return tuple(found)


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
