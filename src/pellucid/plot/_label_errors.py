"""How many of the most suspect labels are wrong, or, where the truth is not known, how suspicion falls from the first on."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.label_errors import LabelErrors
from pellucid.plot._style import GREY, LINES, SMALL, dress, paper


def label_errors(record: LabelErrors, ax: Axes | None = None) -> Axes:
    """The share of wrong labels among the first k, and the share of all wrong ones found there; chance as a dashed line."""
    ax, k = paper(ax, 3.2), np.arange(1, len(record) + 1)
    title = record.receipt.method.partition("(")[0]
    if record.wrong is None:
        ax.plot(k, record.scores[record.order], color=LINES[2], linewidth=1.8)
        return dress(ax, title, "labels, the most suspect first", "score")
    wrong = record.wrong[record.order]
    ax.plot(k, record.precision(), color=LINES[2], linewidth=1.8, label="wrong among the first")
    found = wrong.cumsum() / max(1, wrong.sum())
    ax.plot(k, found, color=LINES[1], linewidth=1.8, linestyle=(0, (6, 2)), label="of all wrong ones, found")
    ax.axhline(wrong.mean(), color=GREY, linestyle=(0, (2, 2)), label="wrong among all")
    ax.set_ylim(0, 1.03)
    ax.legend(fontsize=SMALL, frameon=False)
    said = f"{int(wrong.sum())} of {len(wrong):,} labels are wrong"
    return dress(ax, title, f"labels, the most suspect first\n{said}", "share")
