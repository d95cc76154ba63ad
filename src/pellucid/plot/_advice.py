"""Which method is worth its cost? One line per method that was tried, the cheapest first: faithfulness, stability, cost.

The dot is the advantage over a random order, its whisker a 95 % interval over rows, and 0 what a random order gets. A full dot is
on the front: no other method is at least as faithful, as stable and as cheap, and better in one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.advice import Advice, Trial
from pellucid.plot._labels import shorten
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, message, name_rows, paper

_ROOM = 1.5  # of the dots' width, for the numbers on the right


def advice(record: Advice, ax: Axes | None = None) -> Axes:
    """The candidates that were tried; where none was, the short list in words."""
    trials = sorted((t for t in record.trials if np.isfinite(t.faithfulness)), key=lambda t: (t.rows, -t.faithfulness))
    ax = paper(ax, 1.25 + 0.42 * max(2, len(trials)), 7.2)
    if not trials:
        names = ", ".join(one.name for one in record.suggestions) or "no method fits"
        return message(ax, f"nothing was measured; suggested: {names}", shorten(record.asked, 70))
    name_rows(ax, [shorten(trial.name, 26) for trial in trials])
    ends = np.array([_ends(trial) for trial in trials])
    low, high = min(0.0, ends.min()), max(0.0, ends.max())
    width = (high - low) or 1.0
    for place, trial in enumerate(trials):
        ax.plot([low, high], [place, place], color=FAINT, linewidth=0.6, zorder=0)
        _dot(ax, place, trial)
        ax.text(high + 0.08 * width, place, _numbers(trial), fontsize=SMALL, color=GREY, va="center")
    ax.axvline(0, color=GREY, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    ax.set_xlim(low - 0.05 * width, high + _ROOM * width)
    dress(ax, "which method is worth its cost: the cheapest first", "faithfulness: advantage over a random order")
    ax.set_xticks([tick for tick in ax.get_xticks() if low - 0.05 * width <= tick <= high + 0.05 * width])
    ax.xaxis.set_label_coords(0, -0.16 if len(trials) > 3 else -0.24)
    ax.xaxis.label.set_horizontalalignment("left")
    return ax


def _dot(ax: Axes, place: int, trial: Trial) -> None:
    ax.plot(_ends(trial), [place, place], color=INK, linewidth=1.6, solid_capstyle="butt")
    look: dict[str, Any] = {"markersize": 7, "markerfacecolor": INK if trial.front else "white", "markeredgecolor": INK}
    ax.plot([trial.faithfulness], [place], marker="o", **look)


def _ends(trial: Trial) -> tuple[float, float]:
    """The interval; its point where one row gives none."""
    if not np.isfinite(trial.faithfulness_low):
        return trial.faithfulness, trial.faithfulness
    return trial.faithfulness_low, trial.faithfulness_high


def _numbers(trial: Trial) -> str:
    stable = "" if np.isnan(trial.stability) else f"stability {trial.stability:.2f}, "
    few = f", judged on {trial.judged}" if trial.judged < 16 else ""
    return f"{stable}{trial.rows:,.0f} model rows a row{few}"
