"""A few rows that stand for many: how good the first ones are together, row by row in the order of picking."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.examples import Examples
from pellucid.plot._bar import height_of, label_end
from pellucid.plot._style import FAINT, GREY, PLAIN, dress, name_rows, paper


def examples(record: Examples, ax: Axes | None = None) -> Axes:
    """One bar per picked row: in grey what the rows before it cover, in colour what it adds."""
    before, places = record.curve - record.weights, np.arange(len(record))
    ax = paper(ax, height_of(len(record)))
    ax.barh(places, before, height=0.68, color=FAINT, linewidth=0)
    ax.barh(places, record.weights, left=before, height=0.68, color=PLAIN, linewidth=0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [f"row {row}" for row in record.indices.tolist()])
    ax.set_xlim(0, 1.12 * max(float(record.curve.max()), 1e-12))
    for place, value in enumerate(record.curve.tolist()):
        label_end(ax, f"{value:.0%}", place, value, left=False)
    return dress(ax, record.receipt.method.partition("(")[0], "share of all importance that the rows so far cover")
