"""What is enough for the answers to the rows that are shown: a rule for each, by a search that an audit can pay for.

The reference is what the rules are about, the user's rows beside those that are shown: how often a rule applies is a share of
them, and what a rule leaves open is drawn from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pellucid.core.budget import Budget
from pellucid.core.rules import ALWAYS, Rules
from pellucid.methods.anchor.anchors import Anchors
from pellucid.methods.anchor.run import anchor
from pellucid.report.subject import Subject

METHOD = Anchors(beam_size=1, epsilon=0.3)  # one rule grows, and the choice of it is quick
MOST = 200_000  # model rows that all searches together may cost
_USUAL = 400  # of them for each column of a row, seen on tables of numbers
FEW, _MANY = 30, 500  # rows beside those that are shown: at least, and at most


def applies(subject: Subject, shown: int) -> str | None:
    """Why no rules are looked for; None where they are."""
    if subject.task != "classification":
        return f"rules need answers that repeat; this is {subject.task}"
    if len(subject) - shown < FEW:
        return f"rules are tried on at least {FEW} rows beside those that are shown"
    return None


def price(subject: Subject, shown: int) -> float:
    """Model rows that the searches are expected to cost."""
    return float(min(MOST, _USUAL * shown * subject.x.shape[1]))


def search(subject: Subject, rows: Sequence[int], names: Any, budget: Budget) -> Rules:
    """A rule for each of some rows, under the names that the page has for classes."""
    limit, target = subject.threshold, None
    if limit is not None:
        target = lambda outputs: outputs[:, 0] > limit  # noqa: E731
    found = anchor(
        subject.model,
        subject.take(rows),
        METHOD,
        target=target,
        background=others(subject, rows),
        names=names,
        budget=replace(budget, rows=min(MOST, budget.rows or MOST)),
    )
    return replace(found, answers=tuple(subject.called(int(subject.predicted[row])) for row in rows))


def others(subject: Subject, rows: Sequence[int]) -> Any:
    """Rows beside those that are shown, evenly spread, as the user gave them."""
    free = np.setdiff1d(np.arange(len(subject)), rows)
    return subject.take(free[np.linspace(0, len(free) - 1, min(_MANY, len(free))).astype(int)])


def told(record: Rules, row: int) -> dict[str, Any]:
    """What a page and a program say of one rule."""
    return {
        "rule": record.words(row),
        "always": record.words(row) == ALWAYS,
        "conditions": [str(condition) for condition in record.rules[row]],
        "answer": record.answers[row],
        "precision": record.precision[row],
        "low": record.low[row],
        "high": record.high[row],
        "samples": record.samples[row],
        "coverage": record.coverage[row],
        "of": record.background_rows,
        "reached": bool(record.reached[row]),
        "threshold": record.method.threshold,
    }
