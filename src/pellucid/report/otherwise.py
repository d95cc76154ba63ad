"""What would change the answers to the rows that are shown: the smallest change for each, by a search that an audit can pay for.

Nothing is known here of what a person can act on, so every column may change and no constraint is kept: what is told is how
the model would answer, and the page says that nothing was said about what can be acted on. Distances are measured in the user's
rows beside those that are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pellucid.core.budget import Budget
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.wanted import AnyOther
from pellucid.methods.counterfactual.run import counterfactual
from pellucid.methods.counterfactual.wachter import Wachter
from pellucid.report import enough
from pellucid.report.subject import Subject

METHOD = Wachter(queries=5000)  # the distance of its paper, by which few columns change
MOST = 50_000  # model rows that all searches together may cost
_USUAL = 200  # of them for each column of a row, seen on tables of numbers


def applies(subject: Subject, shown: int) -> str | None:
    """Why no changes are looked for; None where they are."""
    if subject.task != "classification":
        return f"an answer flips where there are classes; this is {subject.task}"
    if len(subject) - shown < enough.FEW:
        return f"changes are measured in at least {enough.FEW} rows beside those that are shown"
    return None


def price(subject: Subject, shown: int) -> float:
    """Model rows that the searches are expected to cost."""
    return float(min(MOST, _USUAL * shown * subject.x.shape[1]))


def search(subject: Subject, rows: Sequence[int], names: Any, budget: Budget) -> Counterfactuals:
    """The smallest change for each of some rows, under the names that the page has for classes."""
    limit = subject.threshold
    found = counterfactual(
        subject.model,
        subject.take(rows),
        METHOD,
        target=None if limit is None else AnyOther(scale=subject.scale, limit=limit),
        background=enough.others(subject, rows),
        names=names,
        budget=replace(budget, rows=min(MOST, budget.rows or MOST)),
    )
    return replace(found, answers=tuple(_other(subject, int(subject.predicted[row])) for row in rows))


def _other(subject: Subject, column: int) -> str:
    """Any class but this one, in words."""
    if len(subject.classes) == 2:
        return f"“{subject.called(1 - column)}”"
    return f"another class than “{subject.called(column)}”"


def told(record: Counterfactuals, row: int) -> dict[str, Any]:
    """What a page and a program say of one change."""
    changes = record.changes(row) if record.valid[row] else {}
    return {
        "found": bool(record.valid[row]),
        "sentence": record.sentence(row),
        "changes": [{"column": name, "before": a, "after": b} for name, (a, b) in changes.items()],
        "wanted": record.answers[row],
        "cost": record.cost[row],
        "plausibility": None if record.plausibility is None else record.plausibility[row],
        "constraints": list(record.constraints),
    }
