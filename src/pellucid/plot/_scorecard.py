"""Is the explanation any good? One line per metric: how far it is from chance, with its 95 % interval.

Metrics differ in unit, so every line has its own scale: chance stands in the middle, better lies to the right, and the
interval touches the edge. A full dot means that the interval leaves chance out. Numbers and verdict stand beside.
"""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.scores import Line, Scorecard
from pellucid.plot._labels import number, shorten
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, name_rows, paper

_WORDS = 1.25  # where the numbers start, in units of half the picture
_LETTERS = 46  # of a verdict's line


def scorecard(card: Scorecard, ax: Axes | None = None) -> Axes:
    """Advantage over chance, line by line; a metric without a chance level is given in numbers alone."""
    ax = paper(ax, 0.85 + 0.55 * len(card.lines))
    name_rows(ax, [shorten(line.metric, 26) for line in card.lines])
    for place, line in enumerate(card.lines):
        ax.plot([-1, 1], [place, place], color=FAINT, linewidth=0.6, zorder=0)
        _dot(ax, place, line)
        said = "\n".join(textwrap.wrap(shorten(line.verdict, 2 * _LETTERS), _LETTERS))
        ax.text(_WORDS, place - 0.04, _numbers(line), fontsize=SMALL, color=INK, va="bottom")
        ax.text(_WORDS, place + 0.0, said, fontsize=SMALL, color=GREY, va="top", linespacing=1.1)
    ax.axvline(0, color=GREY, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    ax.set_xlim(-1.1, 3.9)
    dress(ax, f"{shorten(card.method.partition('(')[0], 40)} · each metric against chance".removeprefix(" · "))
    ax.set_xticks([-1, 0, 1], ["worse", "chance", "better"])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _dot(ax: Axes, place: int, line: Line) -> None:
    """The advantage and its interval, scaled to the width; words where there is none."""
    nothing = line.rows == 0 and line.degenerate > 0
    if nothing or line.advantage is None or not np.isfinite(line.advantage):
        words = "nothing to judge" if nothing else "no chance level" if line.advantage is None else "no row judged"
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
        ax.text(0, place, words, fontsize=SMALL, color=GREY, ha="center", va="center", style="italic", bbox=ground)
        return
    low, high = _ends(line)
    scale = max(abs(low), abs(high)) or 1.0
    ax.plot([low / scale, high / scale], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt")
    sure = low < high and (low > 0 or high < 0)
    look: dict[str, Any] = {
        "marker": "o",
        "markersize": 7.0,
        "markerfacecolor": INK if sure else "white",
        "markeredgecolor": INK,
    }
    ax.plot([line.advantage / scale], [place], **look)


def _ends(line: Line) -> tuple[float, float]:
    """The interval of the advantage; its point where one row gives no interval."""
    ends = [
        line.advantage if end is None or np.isnan(end) else end for end in (line.advantage_low, line.advantage_high)
    ]
    return float(ends[0] or 0.0), float(ends[1] or 0.0)


def _numbers(line: Line) -> str:
    words = _number(line.mean)
    if np.isfinite(line.low) and line.low != line.high:
        words += f" ({_number(line.low)} to {_number(line.high)})"
    return words if line.chance is None else f"{words}, chance {_number(line.chance)}"


def _number(value: float) -> str:
    return "n/a" if np.isnan(value) else number(value)
