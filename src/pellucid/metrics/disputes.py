"""Where methods disagree, and which side the evidence supports.

Krishna et al., "The Disagreement Problem in Explainable Machine Learning" (2022) measure *that* methods disagree. Here it is
also asked *where*, and who is right there. Two methods dispute a row when the rank correlation of their signed values is below
1/2. Ranks, not values, are compared, since methods differ in unit:

    apart_j = (rank of j by the first - rank of j by the second) / (p - 1)

On exactly the disputed rows each metric with a chance level (deletion, insertion: what a random explanation gets is measured
on the same row) is compared in pairs: the first's advantage over chance less the second's, with Student's t interval. The rows
are chosen by the explanations alone, so the choice does not favour either side. Metrics without a chance level take no side: a
stable or complete explanation may be wrong. Every interval is a 95 % interval by itself; among many pairs some err.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from pellucid.core.dispute import Dispute, Evidence
from pellucid.core.records import Attribution
from pellucid.core.scores import Curve, Scorecard
from pellucid.metrics.verdict import ROUNDING, interval

BELOW = 0.5  # a rank correlation below which a row is disputed
_TOLD = 3  # places that are named
_WINDOWS = 8  # a picture's axis is told in at most this many windows


def disputes(
    records: Sequence[Attribution], cards: Sequence[Scorecard], names: Sequence[str], ranked: np.ndarray
) -> tuple[Dispute, ...]:
    """Every pair of methods; ranked (n, m, m) are their rank correlations."""
    named = [_Named(record) for record in records]
    return tuple(
        _dispute((named[i], named[j]), (cards[i], cards[j]), (names[i], names[j]), ranked[:, i, j])
        for i, j in itertools.combinations(range(len(records)), 2)
    )


def _dispute(
    maps: tuple[_Named, _Named], cards: tuple[Scorecard, Scorecard], names: tuple[str, str], ranked: np.ndarray
) -> Dispute:
    known = np.isfinite(ranked)
    rows = np.flatnonzero(known & (np.where(known, ranked, 1.0) < BELOW))
    all_apart = [_apart(maps[0], maps[1], row) for row in rows.tolist()]
    found = [_furthest(*one) for one in all_apart]
    most = min((len(places) for places, _ in found), default=0)
    return Dispute(
        first=names[0],
        second=names[1],
        below=BELOW,
        judged=int(known.sum()),
        rows=rows,
        places=tuple(places[:most] for places, _ in found),
        apart=np.array([apart[:most] for _, apart in found]).reshape(len(rows), most),
        features=_over_rows(all_apart),
        evidence=_evidence(cards, names, rows),
    )


class _Named:
    """The places of a record, row by row: values (p,), and the named windows that they are told in."""

    def __init__(self, record: Attribution) -> None:
        self.record = record
        self.maps = record.values if record.texts is not None else record.collapse("sum")
        self.windows = None if record.texts is not None else _windows(record, self.maps.shape[1:])

    def row(self, row: int) -> np.ndarray:
        """(p,)"""
        values = self.maps[row].reshape(-1)
        return values if self.record.mask is None else values[self.record.mask[row]]

    def told(self, row: int, apart: np.ndarray) -> tuple[list[str], np.ndarray]:
        """apart (p,) -> the windows' names and their means (w,)"""
        if self.windows is None:
            words = self.record.data[row]
            return [str(word) for word in (words if self.record.mask is None else words[self.record.mask[row]])], apart
        names, window = self.windows
        return names, np.bincount(window, apart, minlength=len(names)) / np.bincount(window, minlength=len(names))


def _windows(record: Attribution, space: tuple[int, ...]) -> tuple[list[str], np.ndarray]:
    """Names (w,), and which of them each place (p,) belongs to: every column of a table, windows of a picture."""
    if record.layout == "table":
        p = int(np.prod(space))
        return list(record.feature_names or (f"x{j}" for j in range(p))), np.arange(p)
    sides = [math.ceil(size / _WINDOWS) for size in space]
    counts = [math.ceil(size / side) for size, side in zip(space, sides, strict=True)]
    at = np.indices(space).reshape(len(space), -1) // np.array(sides)[:, None]  # (axes, p)
    return [_span(corner, sides, space) for corner in np.ndindex(*counts)], np.ravel_multi_index(tuple(at), counts)


def _span(corner: tuple[int, ...], sides: list[int], space: tuple[int, ...]) -> str:
    """`[0:28, 56:84]`, as the window is cut out of an array."""
    ends = ((i * side, min((i + 1) * side, size)) for i, side, size in zip(corner, sides, space, strict=True))
    return f"[{', '.join(str(a) if b == a + 1 else f'{a}:{b}' for a, b in ends)}]"


def _apart(first: _Named, second: _Named, row: int) -> tuple[list[str], np.ndarray]:
    a, b = first.row(row), second.row(row)
    return first.told(row, (rankdata(a) - rankdata(b)) / max(1, len(a) - 1))


def _furthest(names: list[str], apart: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    order = np.argsort(-np.abs(apart), kind="stable")[:_TOLD]
    return tuple(names[j] for j in order), apart[order]


def _over_rows(found: list[tuple[list[str], np.ndarray]]) -> tuple[str, ...]:
    """The names that lie furthest apart on average over all these rows; a word counts where it stands."""
    sums: dict[str, float] = {}
    for names, apart in found:
        for name, size in zip(names, np.abs(apart).tolist(), strict=True):
            sums[name] = sums.get(name, 0.0) + size
    return tuple(sorted(sums, key=lambda name: -sums[name])[:_TOLD])


def _evidence(cards: tuple[Scorecard, Scorecard], names: tuple[str, str], rows: np.ndarray) -> tuple[Evidence, ...]:
    """What the metrics that both scorecards have say of these rows."""
    others = {curve.receipt.method: curve for curve in cards[1].curves}
    both = [(curve, others[curve.receipt.method]) for curve in cards[0].curves if curve.receipt.method in others]
    against = [(a, b) for a, b in both if a.chance is not None and b.chance is not None]
    return tuple(_paired(a, b, names, rows) for a, b in against) if len(rows) else ()


def _paired(a: Curve, b: Curve, names: tuple[str, str], rows: np.ndarray) -> Evidence:
    each = (a.advantage - b.advantage)[rows]
    known = np.isfinite(each)
    mean, low, high = interval(each[known])
    tiny = ROUNDING * np.abs([a.value[rows], b.value[rows]])[:, known].max(initial=0.0)
    side = names[0] if low > tiny else names[1] if high < -tiny else None
    return Evidence(a.metric, mean, low, high, int(known.sum()), side)
