"""The signed bar: one row's largest values, each with its data value, its sign and its error bar."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._errors import WHISKERS
from pellucid.plot._labels import Named, equation, named, row_of, signed, title
from pellucid.plot._style import (
    BLUE,
    GREY,
    HATCH,
    INK,
    RED,
    SMALL,
    Z95,
    dress,
    leave_room,
    message,
    name_rows,
    paper,
)

_REST = {"table": "feature", "tokens": "word"}  # what there is more of, by layout


def bar(attribution: Attribution, row: int = 0, k: int = 10, ax: Axes | None = None) -> Axes:
    """The k largest values of one row from the top down, the rest in one bar; whiskers are 95 % intervals.

    Works for columns and for players (windows, superpixels, words). The sum of the rest has no whisker: errors of
    different features depend on each other, so the error of their sum is not known from theirs.
    """
    row = row_of(attribution, row)
    shown = largest(attribution, row, k)
    ax = paper(ax, height_of(len(shown.names)))
    heading = title(attribution, row)
    if not attribution.done[row]:
        return message(ax, "left out: the budget was spent before this row", heading)
    if not shown.values.any():
        return message(ax, "degenerate: every value is zero", heading)
    draw_bars(ax, shown)
    return dress(ax, heading, _footer(attribution, row, shown))


def largest(attribution: Attribution, row: int, k: int) -> Named:
    """The k values that are largest by magnitude and, where more are left, the sum of the others."""
    if k < 1:
        raise InputError(f"k={k}: show at least one feature.")
    names, values, stderr = named(attribution, row)
    order = np.argsort(-np.abs(values), kind="stable")
    first, rest = order[:k], order[k:]
    kept = Named([names[i] for i in first], values[first], stderr[first])
    if len(rest) == 0:
        return kept
    words = f"{len(rest)} other {_REST.get(attribution.layout, 'place')}{'s' if len(rest) > 1 else ''}"
    return Named([*kept.names, words], np.append(kept.values, values[rest].sum()), np.append(kept.stderr, np.nan))


def height_of(lines: int) -> float:
    """Inches for this many bars, a title and a footer."""
    return 1.0 + 0.26 * lines


def draw_bars(ax: Axes, shown: Named) -> None:
    """Bars left and right of zero, names on the left, numbers at the ends."""
    values, whiskers = shown.values, Z95 * np.nan_to_num(shown.stderr)
    for place, value in enumerate(values):
        step(ax, place, 0, value)
    draw_whiskers(ax, values, shown.stderr)
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, shown.names)
    low, high = np.minimum(0, values - whiskers).min(), np.maximum(0, values + whiskers).max()
    leave_room(ax, low, high, (bool((values < 0).any()), bool((values >= 0).any())))
    for place, (value, whisker) in enumerate(zip(values, whiskers, strict=True)):
        label_end(ax, signed(value), place, value + np.copysign(whisker, value), left=value < 0)


def step(ax: Axes, place: int, start: float, value: float, colour: str | None = None) -> None:
    """One bar from start to start + value: red to the right, hatched blue to the left."""
    ax.barh(
        place,
        value,
        left=start,
        height=0.68,
        color=colour or (BLUE if value < 0 else RED),
        hatch=HATCH if value < 0 else "",
        edgecolor="white",
        linewidth=0,
    )


def draw_whiskers(ax: Axes, ends: np.ndarray, stderr: np.ndarray, quantile: float = Z95) -> None:
    """95 % intervals at the ends of bars, where a standard error is known."""
    known = np.flatnonzero(np.isfinite(stderr))
    if len(known):
        look: dict[str, Any] = {"fmt": "none", "ecolor": INK, "elinewidth": 1.2, "capsize": 2.5}
        ax.errorbar(ends[known], known, xerr=quantile * stderr[known], **look)


def label_end(ax: Axes, words: str, place: int, end: float, *, left: bool) -> None:
    """A number beyond the end of a bar and its whisker."""
    ax.annotate(
        words,
        (end, place),
        xytext=(-4 if left else 4, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=SMALL,
        color=INK,
    )


def _footer(attribution: Attribution, row: int, shown: Named) -> str:
    whiskers = f"\n{WHISKERS}" if np.isfinite(shown.stderr).any() else ""
    return f"{equation(attribution, row)}\nred raises it, hatched blue lowers\u00a0it{whiskers}".lstrip()
