"""Several audits on one page, one after the other, each with its share of the budget and its own folder of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pellucid.core.budget import Budget
from pellucid.report.check import Check
from pellucid.report.ledger import Progress
from pellucid.report.publish import publish
from pellucid.report.record import Audit

Maker = Callable[[Budget, Progress], Check]


def run_each(
    makers: Mapping[str, Maker],
    out: Path,
    *,
    budget: Budget,
    progress: Progress | None = None,
    title: str = "Audit",
    fail_on: Sequence[str] = (),
) -> tuple[Audit, ...]:
    """Make each check when its turn comes, run it, and write the page of all; also of the finished ones after an interruption."""
    tell = progress or (lambda text, fraction: None)
    share = _part(budget, len(makers))
    made: list[Audit] = []
    try:
        for i, (name, maker) in enumerate(makers.items()):
            check = maker(share, within(tell, name if len(makers) > 1 else "", i, len(makers)))
            try:
                check.run()
            finally:
                made.append(check.audit())
    finally:
        if made:
            publish(out, made, title, fail_on)
    return tuple(made)


def within(tell: Progress, name: str, i: int, parts: int) -> Progress:
    """The progress of one audit as a part of the whole."""
    before = f"{name}: " if name else ""
    return lambda text, fraction: tell(f"{before}{text}", (i + fraction) / parts)


def _part(budget: Budget, parts: int) -> Budget:
    seconds = None if budget.seconds is None else budget.seconds / parts
    rows = None if budget.rows is None else max(1, budget.rows // parts)
    return Budget(seconds, rows, budget.bytes, budget.clock)
