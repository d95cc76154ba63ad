"""What would change it: each row's nearest answer in words, and how far the watched number goes with it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.errors import InputError
from pellucid.plot._labels import plain
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, paper, wrap


def counterfactuals(record: Counterfactuals, k: int = 8, ax: Axes | None = None) -> Axes:
    """The first k rows from the top down: hollow the number before, full after; rows without an answer say why."""
    if k < 1:
        raise InputError(f"k={k}: show at least one row.")
    shown = record[: min(k, len(record))]
    ax = paper(ax, 1.1 + 0.72 * len(shown))
    ends = np.concatenate([shown.scores, shown.new_scores[shown.valid]])
    low, high = float(ends.min()), float(ends.max())
    room = 0.05 * (high - low) or 0.5
    ax.set_xlim(low - room, high + room)
    ax.set_ylim(len(shown) - 0.35, -0.75)
    for place in range(len(shown)):
        _line(ax, shown, place)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    left = len(record) - len(shown)
    more = f"; {left} more not shown" if left else ""
    footer = f"score before (hollow) and after (full){more}"
    return dress(ax, f"What would change it · {record.receipt.method.partition('(')[0]}", footer)


def _line(ax: Axes, record: Counterfactuals, place: int) -> None:
    """One row: its sentence, and below it the way of its score."""
    start, end = ax.get_xlim()
    before, after = record.scores[place], record.new_scores[place]
    ax.plot([start, end], [place + 0.2] * 2, color=FAINT, linewidth=0.6, zorder=0)
    if record.valid[place] and before != after:
        arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.4, "shrinkA": 3, "shrinkB": 3}
        ax.annotate("", (after, place + 0.2), (before, place + 0.2), arrowprops=arrow)
    ax.plot(before, place + 0.2, marker="o", markersize=6, markerfacecolor="white", markeredgecolor=INK)
    if record.valid[place]:
        ax.plot(after, place + 0.2, marker="o", markersize=6, markerfacecolor=INK, markeredgecolor=INK)
    lines = wrap(ax, plain(record.sentence(place)), SMALL).split("\n")
    words = "\n".join([lines[0], lines[1] + " …" * (len(lines) > 2)] if len(lines) > 1 else lines)
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
    colour = INK if record.valid[place] else GREY
    text = ax.text(start, place, words, fontsize=SMALL, color=colour, va="bottom", linespacing=1.05, bbox=ground)
    text.set_in_layout(False)
