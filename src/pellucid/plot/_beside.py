"""Several measures of importance of the same features on one scale each, and the features on which they disagree.

Each measure is divided by its own largest value, for their units differ. A feature's place in a ranking is known only as far as
the intervals go: from 1 + the number of features beyond doubt above it to p - the number beyond doubt below. Two measures
disagree on a feature where these ranges do not meet.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.records import Importance
from pellucid.plot._bar import height_of
from pellucid.plot._labels import shorten
from pellucid.plot._style import FAINT, GREY, INK, LINES, RED, SMALL, dress, name_rows, paper


def beside(records: Sequence[Importance], k: int = 12, ax: Axes | None = None) -> Axes:
    """The k features that any of the measures calls most important, a mark a measure; disputed ones are named."""
    names = _shared(records)
    order = [[record.names.index(name) for name in names] for record in records]
    scaled = [np.abs(record.mean).max() or 1.0 for record in records]
    means = np.stack([r.mean[o] / s for r, o, s in zip(records, order, scaled, strict=True)])  # (measures, p)
    shown = np.argsort(-means.max(axis=0), kind="stable")[:k]
    ax = paper(ax, height_of(len(shown)) + 0.3)
    _marks(ax, records, [np.array(o)[shown] for o in order], scaled)
    disputed = [names[i] for i in np.flatnonzero(disagree(records)) if i in shown]
    name_rows(ax, [shorten(names[i]) for i in shown])
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.legend(fontsize=SMALL, frameon=False)
    said = (
        f"they disagree on {', '.join(map(shorten, disputed))}"
        if disputed
        else "they agree as far as the intervals tell"
    )
    dress(ax, "Importance, each by its own largest", f"whiskers: 95 % intervals; {said}")
    for label, i in zip(ax.get_yticklabels(), shown, strict=True):
        label.set_color(RED if names[i] in disputed else INK)
    return ax


def disagree(records: Sequence[Importance]) -> np.ndarray:
    """(p,) True for features, in the first record's order, that two measures rank apart beyond their intervals."""
    names = _shared(records)
    ranges = np.stack([_places(record)[[record.names.index(name) for name in names]] for record in records])
    pairs = itertools.combinations(ranges, 2)
    return np.any([(a[:, 0] > b[:, 1]) | (b[:, 0] > a[:, 1]) for a, b in pairs], axis=0)


def _places(record: Importance) -> np.ndarray:
    """(p, 2) the best and the worst place that each feature may have; where no interval is known, its place as it is."""
    low, high = record.interval().T
    low, high = (np.where(np.isnan(side), record.mean, side) for side in (low, high))
    above = (low[None, :] > high[:, None]).sum(axis=1)
    below = (high[None, :] < low[:, None]).sum(axis=1)
    return np.stack([1 + above, len(low) - below], axis=1)


def _shared(records: Sequence[Importance]) -> tuple[str, ...]:
    if len(records) < 2 or len(records) > len(LINES):
        raise InputError(f"{len(records)} measures: give 2 to {len(LINES)} records of importance.")
    names = records[0].names
    for record in records[1:]:
        if set(record.names) != set(names):
            raise InputError(f"these measures are of different features: {names[:5]} and {record.names[:5]}.")
    return names


def _marks(ax: Axes, records: Sequence[Importance], order: list[np.ndarray], scaled: Sequence[float]) -> None:
    spread = np.linspace(-0.2, 0.2, len(records))
    for line in range(len(order[0])):
        ax.axhline(line, color=FAINT, linewidth=0.6, zorder=0)
    for record, places, size, shift, colour in zip(records, order, scaled, spread, LINES, strict=False):
        mean, (low, high) = record.mean[places] / size, record.interval()[places].T / size
        reach = np.nan_to_num(np.stack([mean - low, high - mean]))
        label = f"{record.receipt.method.partition('(')[0]} ({record.metric})"
        ax.errorbar(
            mean,
            np.arange(len(places)) + shift,
            xerr=reach,
            fmt="o",
            markersize=4,
            color=colour,
            linewidth=1.2,
            label=label,
        )
