"""Single results become one: scorecards of the same method, and the comparison of all methods."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid.core.budget import Receipt
from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison, Scorecard
from pellucid.metrics.beside import beside


def merged(first: Scorecard | None, second: Scorecard) -> Scorecard:
    """Two scorecards of the same explanation as one; a metric that both have is the second's."""
    if first is None:
        return second
    anew = {line.metric for line in second.lines}
    return Scorecard(
        lines=tuple(line for line in first.lines if line.metric not in anew) + second.lines,
        curves=tuple(curve for curve in first.curves if curve.metric not in anew) + second.curves,
        method=first.method,
        receipt=_sum(f"{first.receipt.method} + {second.receipt.method}", first.receipt, second.receipt),
    )


def _sum(method: str, first: Receipt, second: Receipt) -> Receipt:
    return Receipt(
        method=method,
        target=first.target,
        scale=first.scale,
        rows_forward=first.rows_forward + second.rows_forward,
        rows_backward=first.rows_backward + second.rows_backward,
        seconds=first.seconds + second.seconds,
        peak_bytes=max(first.peak_bytes, second.peak_bytes),
        warnings=tuple(dict.fromkeys(first.warnings + second.warnings)),
        versions=first.versions,
    )


def comparison(records: Mapping[str, Attribution], cards: Mapping[str, Scorecard]) -> Comparison | None:
    """All explanations beside each other; rankings are compared on the rows that every method finished."""
    if not records:
        return None
    return beside(records, {name: cards.get(name) or _blank(record) for name, record in records.items()})


def _blank(record: Attribution) -> Scorecard:
    """The scorecard of an explanation that was not judged."""
    return Scorecard(lines=(), curves=(), method=record.receipt.method, receipt=Receipt(method="()"))
