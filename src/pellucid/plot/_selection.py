"""Which outputs were explained: how many of each probability, and what became of them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pellucid.core.selection import EXPLAINED, NOT_CALLED, OUT_OF_TIME, Selection
from pellucid.plot._style import BLUE, FAINT, RED, SMALL, dress, paper

_BINS = 20
_COLOURS = {EXPLAINED: BLUE, OUT_OF_TIME: RED, NOT_CALLED: FAINT}


def selection(record: Selection, ax: Axes | None = None) -> Axes:
    """Rows by the probability of the watched class, stacked: explained, left out at the limit, not called for."""
    ax = paper(ax, 2.8)
    watched, outcomes = record.probabilities[:, record.policy.watched], np.array(record.outcomes)
    edges, foot = np.linspace(0, 1, _BINS + 1), np.zeros(_BINS)
    for outcome, colour in _COLOURS.items():
        counts = np.histogram(watched[outcomes == outcome], edges)[0]
        if counts.any():
            label = f"{outcome} ({counts.sum():,})"
            ax.bar(edges[:-1], counts, 1 / _BINS, foot, align="edge", color=colour, edgecolor="white", label=label)
        foot += counts
    ax.set_xlim(0, 1)
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.legend(fontsize=SMALL, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.02), ncols=3)
    ax.set_ylim(0, max(1.0, foot.max()) * 1.25)
    saved = f"; about {record.seconds_saved:.2g} s saved (estimate)" if record.seconds_saved is not None else ""
    return dress(ax, f"{record.saved:.0%} of {len(record):,} not explained{saved}", "probability", "rows")
