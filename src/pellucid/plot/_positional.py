"""Positional bias: how many answers follow the order, and what each role of the question says for the option named first."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.positional import BiasLine, PositionalBias, RoleLine
from pellucid.plot._labels import shorten
from pellucid.plot._style import BLUE, FAINT, GREY, HATCH, INK, RED, SMALL, dress, leave_room, name_rows, paper

_LINE, _BAR = 0.32, 0.62  # inches, and the share of a line that is bar


def orders(record: PositionalBias, by: tuple[str, ...] = ("all", "category", "style"), ax: Axes | None = None) -> Axes:
    """The share of combinations whose answer follows the option named first (right) or second (left); `by` chooses lines."""
    lines = [line for kind in by for line in record.lines if line.by == kind]
    if not lines:
        raise InputError(
            f"there is no line by {', '.join(by)}: choose among {', '.join({line.by for line in record.lines})}."
        )
    ax = paper(ax, 1.35 + _LINE * len(lines))
    for row, line in enumerate(lines):
        _shares(ax, row, line)
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [f"{shorten(line.name, 30)} ({line.clear})" for line in lines])
    leave_room(ax, -1.0, 1.0, (True, True))
    ax.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["100\u00a0%", "50\u00a0%", "0", "50\u00a0%", "100\u00a0%"])
    sides = "← follow the option named second · follow the one named first →"
    footer = f"{sides}\nof the combinations in brackets; whiskers: exact 95\u00a0% intervals of the share to the right"
    return dress(ax, shorten(record.title, 60), footer)


def _shares(ax: Axes, row: int, line: BiasLine) -> None:
    ax.axhline(row, color=FAINT, linewidth=0.6, zorder=0)
    if not line.clear:
        return
    left = -line.second / line.clear
    ax.barh(row, line.first_share, height=_BAR, color=RED)
    ax.barh(row, left, height=_BAR, color=BLUE, hatch=HATCH, edgecolor="white", linewidth=0)
    ax.plot([line.first_low, line.first_high], [row, row], color=INK, linewidth=1.4, solid_capstyle="butt")
    ends = ((line.first_high, line.first, "left", 5), (left, line.second, "right", -5))
    for x, count, side, away in ends:
        if count:
            beside: dict[str, Any] = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": SMALL}
            ax.annotate(f"{count}", (x, row), (away, 0), **beside)


def roles(record: PositionalBias, order: str = "both", ax: Axes | None = None) -> Axes:
    """Summed values of each role towards the option named first, with intervals over combinations; names also by token."""
    lines = [line for line in record.roles if line.order == order]
    if not lines:
        known = ", ".join(dict.fromkeys(line.order for line in record.roles)) or "none, because nothing was explained"
        raise InputError(f"there are no roles for the order {order!r}; there are those of {known}.")
    ax = paper(ax, 1.3 + _LINE * len(lines))
    for row, line in enumerate(lines):
        _role(ax, row, line)
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [_indented(line.role) for line in lines])
    ends = np.array([(line.low, line.high, line.mean, 0.0) for line in lines])
    leave_room(ax, float(np.nanmin(ends)), float(np.nanmax(ends)), (bool(np.nanmin(ends) < 0), True))
    said = f"mean log-odds towards the option named first, over {lines[0].prompts} explained prompts"
    return dress(ax, shorten(record.title, 60), f"{said}\nwhiskers: 95\u00a0% intervals over combinations")


def _role(ax: Axes, row: int, line: RoleLine) -> None:
    part = ", " in line.role
    look = {"color": RED} if line.mean >= 0 else {"color": BLUE, "hatch": HATCH, "edgecolor": "white", "linewidth": 0}
    ax.axhline(row, color=FAINT, linewidth=0.6, zorder=0)
    ax.barh(row, line.mean, height=_BAR * (0.6 if part else 1), alpha=0.6 if part else 1, **look)
    far = line.mean
    if np.isfinite(line.low):
        ax.plot([line.low, line.high], [row, row], color=INK, linewidth=1.4, solid_capstyle="butt")
        far = line.high if line.mean >= 0 else line.low
    side, away = ("left", 5) if line.mean >= 0 else ("right", -5)
    said = f"{line.mean:+.2f}".replace("-", "\u2212")
    ax.annotate(
        said, (far, row), (away, 0), textcoords="offset points", ha=side, va="center", fontsize=SMALL, color=INK
    )


def _indented(role: str) -> str:
    """A part of a name stands under it."""
    name, _, part = role.partition(", ")
    return f"… {part}" if part else name
