"""Single results become one: scorecards of the same method, and the comparison of all methods."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid.core.budget import Meter, Receipt, receipt
from pellucid.core.records import Attribution, Comparison, Scorecard
from pellucid.metrics import agreement
from pellucid.metrics.similarity import mean_known


def merged(first: Scorecard | None, second: Scorecard) -> Scorecard:
    """Two scorecards of the same explanation as one."""
    if first is None:
        return second
    return Scorecard(
        lines=first.lines + second.lines,
        curves=first.curves + second.curves,
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
    meter = Meter()
    for made in (*records.values(), *cards.values()):
        meter.rows_forward += made.receipt.rows_forward
        meter.rows_backward += made.receipt.rows_backward
    first, m = next(iter(records.values())), len(records)
    done = np.all([record.done for record in records.values()], axis=0)
    alike, overlap, k = np.full((len(first), m, m), np.nan), np.full((m, m), np.nan), 0
    if done.any():
        found = agreement.matrix([record[done] for record in records.values()])
        alike[done], k = found["rank_correlation"], found["k"]
        overlap = mean_known(found["top_overlap"], axis=0)
    return Comparison(
        attributions=tuple(records.values()),
        scorecards=tuple(cards.get(name) or _blank(record) for name, record in records.items()),
        names=tuple(records),
        agreement=mean_known(alike, axis=0),
        overlap=overlap,
        by_row=alike,
        k=k,
        receipt=receipt(
            tuple(r.method for r in records.values()), meter, target=first.receipt.target, scale=first.receipt.scale
        ),
    )


def _blank(record: Attribution) -> Scorecard:
    """The scorecard of an explanation that was not judged."""
    return Scorecard(lines=(), curves=(), method=record.receipt.method, receipt=Receipt(method="()"))
