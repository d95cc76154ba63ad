"""The waterfall: from the base value, one step per feature, up to the score (SHAP's picture of additivity).

Small steps come first, at the bottom; the largest arrives at the score. Where values do not add up, the missing step
is drawn as what it is: a grey gap.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._bar import draw_whiskers, height_of, label_end, largest, step
from pellucid.plot._labels import Named, noticeable, number, row_of, signed, title
from pellucid.plot._style import FAINT, GREY, INK, SMALL, Z95, dress, leave_room, message, name_rows, paper

GAP = "gap (in no value)"


def waterfall(attribution: Attribution, row: int = 0, k: int = 9, ax: Axes | None = None) -> Axes:
    """Steps of one row from base value (bottom) to score (top); needs a method that has a base value."""
    row = row_of(attribution, row)
    steps = _with_gap(attribution, row, largest(attribution, row, k))
    ax = paper(ax, height_of(len(steps.names) + 1))
    if not attribution.done[row]:
        return message(ax, "left out: the budget was spent before this row", title(attribution, row))
    base, score = float(attribution.base_values[row]), float(attribution.scores[row])
    if not np.isfinite(base + score):
        raise InputError(
            "a waterfall climbs from a base value to a score, and this record lacks one of them: use plot.bar."
        )
    ends = score - np.append(0, np.cumsum(steps.values)[:-1])  # the largest step, at the top, ends at the score
    _steps(ax, steps, ends)
    _ends(ax, base, score, len(ends))
    return dress(ax, title(attribution, row), "score: red raises it, hatched blue lowers it")


def _with_gap(attribution: Attribution, row: int, shown: Named) -> Named:
    if not noticeable(attribution, row):
        return shown
    values, stderr = np.append(shown.values, attribution.gap[row]), np.append(shown.stderr, np.nan)
    return Named([*shown.names, GAP], values, stderr)


def _steps(ax: Axes, steps: Named, ends: np.ndarray) -> None:
    """Each step from where the one below it ended."""
    starts, whiskers = ends - steps.values, Z95 * np.nan_to_num(steps.stderr)
    for place, (name, value) in enumerate(zip(steps.names, steps.values, strict=True)):
        step(ax, place, starts[place], value, GREY if name == GAP else None)
    draw_whiskers(ax, ends, steps.stderr)
    places = np.arange(1, len(ends))
    ax.vlines(ends[1:], places - 0.66, places + 0.34, color=GREY, linewidth=0.8, linestyle=":")
    name_rows(ax, steps.names)
    ax.spines["left"].set_visible(False)
    low, high = np.minimum(starts, ends) - whiskers, np.maximum(starts, ends) + whiskers
    leave_room(ax, float(low.min()), float(high.max()), (True, True))
    for place, value in enumerate(steps.values):
        label_end(ax, signed(value), place, ends[place] + np.copysign(whiskers[place], value), left=value < 0)


def _ends(ax: Axes, base: float, score: float, steps: int) -> None:
    ax.set_ylim(steps - 0.1, -0.95)
    for value, place, words in ((score, -0.65, "score"), (base, steps - 0.4, "base value")):
        ax.axvline(value, color=FAINT, linewidth=1, zorder=0)
        ax.text(value, place, f"{words} {number(value)}", fontsize=SMALL, color=INK, ha="center", va="center")
