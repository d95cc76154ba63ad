"""The force plot (SHAP's): what raises the score pushes from the left, what lowers it from the right; they meet at the score.

Where a value is known with an error, a whisker at its far end is the 95 % interval of its own length.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._bar import step
from pellucid.plot._errors import WHISKERS
from pellucid.plot._labels import Named, equation, named, row_of, title
from pellucid.plot._style import FAINT, INK, SMALL, Z95, dress, message, paper, width_of


def force(attribution: Attribution, row: int = 0, ax: Axes | None = None) -> Axes:
    """One row's values laid end to end; those wide enough carry their name."""
    row = row_of(attribution, row)
    ax, heading, score = paper(ax, 2.1), title(attribution, row), float(attribution.scores[row])
    if not attribution.done[row]:
        return message(ax, "left out: the budget was spent before this row", heading)
    if not np.isfinite(score):
        raise InputError("a force plot meets at the score, and this record has none: use plot.bar.")
    shown = named(attribution, row)
    if not shown.values.any():
        return message(ax, "degenerate: every value is zero", heading)
    raising, lowering = (float(np.abs(shown.values[side]).sum()) for side in (shown.values > 0, shown.values < 0))
    base = float(attribution.base_values[row])
    ends = [score - raising, score + lowering, *([base] if np.isfinite(base) else [])]
    reach = Z95 * np.nan_to_num(shown.stderr)
    pad = max(0.06 * (max(ends) - min(ends)), float(reach.max()))
    ax.set_xlim(min(ends) - pad, max(ends) + pad)
    ax.set_ylim(-1.9, 1.35)
    ax.set_yticks([])
    for sign in (1, -1):
        _push(ax, shown, score, sign)
    for value, words, place in ((base, "base value", -1.68), (score, "score", 1.05)):
        if np.isfinite(value):
            ax.plot([value, value], [-0.34, 0.84] if words == "score" else [-1.9, -0.34], color=INK, linewidth=1.2)
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            ax.text(value, place, words, fontsize=SMALL, color=INK, ha="center", va="center", bbox=ground)
    whiskers = f"\n{WHISKERS}" * bool(reach.any())
    dress(ax, heading, f"{equation(attribution, row)}; red raises it, hatched blue lowers it{whiskers}")
    ax.spines["left"].set_visible(False)
    return ax


def _push(ax: Axes, shown: Named, score: float, sign: int) -> None:
    """All values of one sign, the largest next to the score; raising ones lie to its left."""
    order = [i for i in np.argsort(-np.abs(shown.values), kind="stable") if sign * shown.values[i] > 0]
    end, low, high = score, *ax.get_xlim()
    letter = 0.55 * SMALL * (high - low) / (width_of(ax))  # width of a letter in units of the score
    for rank, i in enumerate(order):
        width = abs(float(shown.values[i]))
        start, end = end, end - sign * width
        step(ax, 0, end, sign * width)
        ax.plot([end, end], [-0.34, 0.34], color="white", linewidth=1)
        if shown.stderr[i] > 0:
            _whisker(ax, end, Z95 * float(shown.stderr[i]), 0.45 + 0.15 * (rank % 3))
        if width > letter * max(map(len, _lines(shown.names[i]))):
            ax.text(
                (start + end) / 2,
                -0.5,
                "\n".join(_lines(shown.names[i])),
                fontsize=SMALL,
                color=INK,
                ha="center",
                va="top",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )
            ax.plot([(start + end) / 2] * 2, [-0.48, -0.36], color=FAINT, linewidth=0.8)


def _whisker(ax: Axes, end: float, reach: float, height: float) -> None:
    """Above the bar, so that both its ends are seen; heights take turns, for neighbours overlap."""
    ax.errorbar(end, height, xerr=reach, fmt="none", ecolor=INK, elinewidth=1, capsize=1.8)


def _lines(name: str) -> list[str]:
    """A name and its data value, one under the other."""
    head, equals, value = name.rpartition(" = ")
    return [head, f"= {value}"] if equals else [name]
