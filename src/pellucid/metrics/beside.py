"""Explanations of the same rows beside each other: how far their rankings agree, where they do not, and who is right there."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid.core.budget import Receipt, versions
from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison, Scorecard
from pellucid.metrics import agreement
from pellucid.metrics.disputes import disputes
from pellucid.metrics.similarity import mean_known


def beside(records: Mapping[str, Attribution], cards: Mapping[str, Scorecard]) -> Comparison:
    """A comparison of at least one explanation; rankings are compared on the rows that every method finished."""
    names, several = tuple(records), tuple(records.values())
    judged = tuple(cards[name] for name in names)
    first, m = several[0], len(several)
    done = np.all([record.done for record in several], axis=0)
    ranked, overlap, kendall, k = (
        np.full((len(first), m, m), np.nan),
        np.full((m, m), np.nan),
        np.full((m, m), np.nan),
        0,
    )
    if done.any():
        found = agreement.matrix([record[done] for record in several])
        ranked[done], k = found["rank_correlation"], found["k"]
        overlap, kendall = (mean_known(found[name], axis=0) for name in ("top_overlap", "kendall"))
    return Comparison(
        attributions=several,
        scorecards=judged,
        names=names,
        agreement=mean_known(ranked, axis=0),
        overlap=overlap,
        by_row=ranked,
        k=k,
        kendall=kendall,
        disputes=disputes(several, judged, names, ranked),
        receipt=_receipt(several, judged),
    )


def _receipt(records: tuple[Attribution, ...], cards: tuple[Scorecard, ...]) -> Receipt:
    """What all of them cost together."""
    parts = [made.receipt for made in (*records, *cards)]
    first = parts[0]
    return Receipt(
        method=repr(tuple(record.method for record in records)),
        target=first.target,
        scale=first.scale,
        rows_forward=sum(part.rows_forward for part in parts),
        rows_backward=sum(part.rows_backward for part in parts),
        seconds=sum(part.seconds for part in parts),
        peak_bytes=max(part.peak_bytes for part in parts),
        versions=first.versions or versions(),
    )
