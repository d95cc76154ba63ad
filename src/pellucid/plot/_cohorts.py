"""Groups side by side: their curves on one axis, or their bars' ends along each feature's line."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.cohort import Cohorts
from pellucid.core.effect import Effect
from pellucid.core.errors import InputError
from pellucid.core.records import Importance
from pellucid.plot._bar import height_of
from pellucid.plot._labels import shorten, target_name
from pellucid.plot._style import DASHES, FAINT, GREY, LINES, SMALL, Z95, dress, name_rows, paper


def cohorts(record: Cohorts, k: int = 10, ax: Axes | None = None) -> Axes:
    """The groups' effects of one column as curves, or the k most important features with a mark a group."""
    if len(record) > len(LINES):
        raise InputError(f"{len(record)} groups are more than a reader can tell apart ({len(LINES)}): draw fewer.")
    first = record.records[0]
    if isinstance(first, Importance):
        ax = _importances(record, k, ax)
    elif isinstance(first, Effect) and len(first.axes) == 1:
        ax = _effects(record, ax)
    else:
        raise InputError(f"groups of {type(first).__name__} have no common picture: draw each by itself.")
    ax.legend(title=shorten(record.by), fontsize=SMALL, title_fontsize=SMALL, frameon=False)
    return ax


def _effects(record: Cohorts, ax: Axes | None) -> Axes:
    ax, first = paper(ax, 3.2), record.records[0]
    levels = first.grid.dtype == object
    places = {level: i for i, level in enumerate(dict.fromkeys(v for one in record.records for v in one.grid.tolist()))}
    for name, one, colour, dash in zip(_labels(record), record.records, LINES, DASHES, strict=False):
        x = np.array([places[v] for v in one.grid.tolist()]) if levels else one.grid.astype(float)
        reach = Z95 * np.nan_to_num(one.stderr)
        if levels:
            ax.errorbar(x, one.mean, reach, fmt="o", color=colour, capsize=3, label=name)
        else:
            ax.fill_between(x, one.mean - reach, one.mean + reach, color=colour, alpha=0.15, linewidth=0)
            ax.plot(x, one.mean, color=colour, linestyle=dash, linewidth=1.8, label=name)
    if levels:
        ax.set_xticks(list(places.values()), [shorten(str(level), 14) for level in places])
    title = f"{first.receipt.method.partition('(')[0]} · {shorten(first.features[0])}"
    return dress(ax, title, f"{shorten(first.features[0])}\nbands: 95 % intervals", target_name(first, 0))


def _importances(record: Cohorts, k: int, ax: Axes | None) -> Axes:
    first = record.records[0]
    means = np.stack([one.mean for one in record.records])  # (groups, p)
    order = np.argsort(-means.max(axis=0), kind="stable")[:k]
    ax = paper(ax, height_of(len(order)) + 0.3)
    spread = np.linspace(-0.24, 0.24, len(record))
    for line in range(len(order)):
        ax.axhline(line, color=FAINT, linewidth=0.6, zorder=0)
    for name, one, colour, shift in zip(_labels(record), record.records, LINES, spread, strict=False):
        low, high = one.interval().T
        reach = np.abs(np.nan_to_num(np.stack([one.mean - low, high - one.mean])))[:, order]
        y = np.arange(len(order)) + shift
        ax.errorbar(one.mean[order], y, xerr=reach, fmt="o", markersize=4, color=colour, linewidth=1.2, label=name)
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [shorten(first.names[i]) for i in order])
    title = f"{first.receipt.method.partition('(')[0]} · {first.metric}"
    return dress(ax, title, "how much worse without it; whiskers: 95 % intervals")


def _labels(record: Cohorts) -> list[str]:
    return [f"{shorten(name, 20)} ({rows} rows)" for name, rows in zip(record.names, record.rows, strict=True)]
