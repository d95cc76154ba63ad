"""A few rows that stand for many: row by row, in the order of picking."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.examples import Examples
from pellucid.plot._bar import height_of, label_end
from pellucid.plot._labels import number
from pellucid.plot._style import FAINT, GREY, PLAIN, dress, name_rows, paper


def examples(record: Examples, ax: Axes | None = None) -> Axes:
    """One bar per picked row: what it adds to those before it, or, for prototypes, how many rows it is the nearest to."""
    ax = paper(ax, height_of(len(record)))
    return _covered(record, ax) if record.shares is None else _nearest(record, record.shares, ax)


def _covered(record: Examples, ax: Axes) -> Axes:
    """In grey what the rows before it cover, in colour what it adds."""
    before, places = record.curve - record.weights, np.arange(len(record))
    ax.barh(places, before, height=0.68, color=FAINT, linewidth=0)
    _bars(ax, record, record.weights, before)
    for place, value in enumerate(record.curve.tolist()):
        label_end(ax, f"{value:.0%}", place, value, left=False)
    ax.set_xlim(0, 1.12 * max(float(record.curve.max()), 1e-12))
    return dress(ax, _title(record), "share of all importance that the rows so far cover")


def _nearest(record: Examples, shares: np.ndarray, ax: Axes) -> Axes:
    """Its weight at the end of the bar where weights differ; below, what the picked rows leave unsaid together."""
    _bars(ax, record, shares, 0.0)
    equal = np.ptp(record.weights) < 1e-12
    for place, (share, weight) in enumerate(zip(shares.tolist(), record.weights.tolist(), strict=True)):
        label_end(ax, f"{share:.0%}" + ("" if equal else f", weight {number(weight)}"), place, share, left=False)
    ax.set_xlim(0, (1.15 if equal else 1.4) * max(float(shares.max()), 1e-12))
    said = f"{record.measure} {number(float(record.curve[0]))} with one row, {number(float(record.curve[-1]))} with all"
    if record.accuracy is not None:
        said += f"; the nearest one has the label of {record.accuracy:.0%} of the other rows"
    return dress(ax, _title(record), f"share of all rows that it is the nearest to\n{said}")


def _bars(ax: Axes, record: Examples, widths: np.ndarray, left: np.ndarray | float) -> None:
    ax.barh(np.arange(len(record)), widths, left=left, height=0.68, color=PLAIN, linewidth=0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [name_of(record, row) for row in record.indices.tolist()])


def name_of(record: Examples, row: int) -> str:
    """A row by its number, and its label where there are labels."""
    return f"row {row}" + ("" if record.labels is None else f" ({record.labels[row]})")


def _title(record: Examples) -> str:
    return record.receipt.method.partition("(")[0]
