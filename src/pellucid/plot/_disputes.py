"""Where methods disagree, whom does the evidence support? One line per pair and metric: the paired difference there.

Metrics differ in unit, so every line has its own scale: no difference stands in the middle, and the interval touches the edge.
The first of a pair has the left side, the second the right; a full dot means that the interval leaves 0 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.dispute import Dispute, Evidence
from pellucid.core.scores import Comparison
from pellucid.plot._labels import number, shorten
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, message, paper

GROUND: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # of words that stand on a line
_WORDS = 2.35  # where the second's name ends, in units of half the picture


def disputes(comparison: Comparison, ax: Axes | None = None) -> Axes:
    """Every pair that disagrees in some row, with what the metrics say of exactly those rows."""
    pairs = [dispute for dispute in comparison.disputes if len(dispute.rows)]
    lines = [(dispute, evidence) for dispute in pairs for evidence in dispute.evidence]
    ax = paper(ax, 1.0 + 0.42 * len(lines) + 0.5 * len(pairs), 7.2)
    if not lines:
        words = "no evidence: no metric measures against chance" if pairs else "the methods rank alike in every row"
        return message(ax, words, "where methods disagree")
    place = 0.0
    for dispute in pairs:
        _heading(ax, place, dispute)
        for evidence in dispute.evidence:
            place += 1.0
            _line(ax, place, dispute, evidence)
        place += 1.6
    ax.axvline(0, color=GREY, linewidth=1, linestyle=(0, (4, 2)), zorder=0)
    ax.set_xlim(-_WORDS, _WORDS)
    ax.set_ylim(place - 0.9, -0.7)
    dress(ax, "where methods disagree: the paired difference on those rows, 95 % intervals")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def _heading(ax: Axes, place: float, dispute: Dispute) -> None:
    what = ", ".join(shorten(name, 24) for name in dispute.features)
    words = f"{len(dispute.rows)} of {dispute.judged} rows, most of all {what}"
    ax.text(0, place, shorten(words, 80), fontsize=SMALL, color=GREY, ha="center", va="center", bbox=GROUND)


def _line(ax: Axes, place: float, dispute: Dispute, evidence: Evidence) -> None:
    """The difference with its interval, positive to the left, where the first's name stands."""
    low, high = (evidence.difference if np.isnan(end) else end for end in (evidence.low, evidence.high))
    scale = max(abs(low), abs(high)) or 1.0
    ax.plot([-1, 1], [place, place], color=FAINT, linewidth=0.6, zorder=0)
    ax.plot([-low / scale, -high / scale], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt")
    full = INK if evidence.side is not None else "white"
    ax.plot(
        [-evidence.difference / scale], [place], marker="o", markersize=7, markerfacecolor=full, markeredgecolor=INK
    )
    heads = {name: name.partition("(")[0] for name in (dispute.first, dispute.second)}
    twins = len(set(heads.values())) == 1  # only their fields tell them apart
    for side, name, edge in (("right", dispute.first, -1.08), ("left", dispute.second, 1.08)):
        bold = "bold" if evidence.side == name else "normal"
        ax.text(
            edge, place, shorten(name if twins else heads[name], 24), ha=side, va="center", fontsize=SMALL, weight=bold
        )
    said = f"{evidence.metric} {number(abs(evidence.difference))}"
    ax.text(0, place + 0.28, said, fontsize=SMALL - 1.5, color=GREY, ha="center", va="top", bbox=GROUND)
