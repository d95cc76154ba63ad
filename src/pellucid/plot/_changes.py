"""Many counterfactuals at a glance: the changes that flip most rows, and what it costs each group, or that there is none for
them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.change_summary import ChangeSummary, GroupRecourse
from pellucid.plot._labels import plain
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, paper, wrap

_GAP = 1.0  # between the changes and the groups, in lines


def changes(record: ChangeSummary, ax: Axes | None = None) -> Axes:
    """Above, a bar for each of the commonest changes: the share of the rows that needed one and got this one. Below, a line
    for each group: the share of them without any answer (grey), and in words what the others' answers cost."""
    lines = len(record.changes) + len(record.groups)
    ax = paper(ax, 1.5 + 0.42 * lines)
    for place, (said, share) in enumerate(zip(record.changes, record.weights, strict=True)):
        _bar(ax, place, share, INK, f"{share:.0%}")
        _label(ax, place, said)
    start = len(record.changes) + _GAP
    if record.changes:
        ax.axhline(start - (1 + _GAP) / 2 + 0.1, color=FAINT, linewidth=0.8)
    for place, group in enumerate(record.groups):
        share = group.without / group.needed if group.needed else 0.0
        _bar(ax, start + place, share, GREY, _costs(group, share))
        _label(ax, start + place, f"{group.name} ({group.needed})")
    ax.set_ylim(start + len(record.groups) - 0.4, -0.7)
    ax.set_xlim(0, 1.0)
    ax.set_yticks([])
    ax.set_xticks([])
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    by = "" if record.by is None else f" by {record.by}"
    footer = f"dark: share of rows that a change flips · grey: share without any answer{by} (rows that needed one)"
    return dress(ax, "Which changes flip most, and for whom there is none", footer)


def _bar(ax: Axes, place: float, share: float, colour: str, said: str) -> None:
    ax.barh(place, share, height=0.34, color=colour, align="center")
    ax.text(share + 0.012, place, said, fontsize=SMALL, color=INK, va="center")


def _label(ax: Axes, place: float, said: str) -> None:
    first, *rest = wrap(ax, plain(said), SMALL).split("\n")
    text = ax.text(0, place - 0.24, first + " …" * bool(rest), fontsize=SMALL, color=INK, va="bottom")
    text.set_in_layout(False)


def _costs(group: GroupRecourse, share: float) -> str:
    """What a group's line says: who has none, and the quartiles of the others' cost."""
    if not group.needed:
        return "none needed a change"
    proven = f", {group.proven} proven" if group.proven else ""
    none = f"{share:.0%} without{proven}" if group.without else "all have one"
    low, median, high = group.costs
    return none if np.isnan(median) else f"{none}; cost {median:.3g} ({low:.3g} to {high:.3g})"
