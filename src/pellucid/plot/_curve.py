"""Deletion and insertion curves beside the random ranking, and any metric's values beside its chance level.

A curve is the mean over rows; its band is the 95 % t interval of that mean. The random ranking is grey and dashed, the same order
backwards, which stands beside a single explanation, grey and dotted. The
areas stand in the legend, so that picture and number are read together. Rows whose map is constant have no ranking and
are left out, as in a scorecard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.special import stdtrit

from pellucid.core.errors import InputError
from pellucid.core.scores import Curve
from pellucid.plot._labels import number, shorten
from pellucid.plot._style import DASHES, GREY, INK, LINES, SIZE, SMALL, dress, message, paper

_DASHED, _DOTTED = (0, (4, 2)), (0, (1, 1.5))


def curve(record: Curve, ax: Axes | None = None) -> Axes:
    """One metric of one explanation: its mean curve, or, where it has no curve, its value in every row."""
    if record.curves is None or record.x is None:
        return _rows(record, paper(ax, 1.9))
    return curves({"this explanation": record}, ax)


def curves(records: Mapping[str, Curve], ax: Axes | None = None) -> Axes:
    """Several explanations of the same rows by one metric, {name: curve}; the random ranking is drawn once."""
    if not records or any(record.curves is None or record.x is None for record in records.values()):
        raise InputError("curves draws records that hold curves, such as those of Deletion() and Insertion().")
    first, ax = next(iter(records.values())), paper(ax, 3.5)
    heading = f"{shorten(first.metric)} · {_direction(first)}"
    ranked = {name: record[_judged(record)] for name, record in records.items()}
    some = [record for record in ranked.values() if len(record)]
    if not some:
        return message(ax, "degenerate: every map is constant and ranks nothing", heading)
    _chance(ax, some[0])
    if len(records) == 1:
        _reverse(ax, some[0])
    for i, (name, record) in enumerate(ranked.items()):
        look = {"color": LINES[i % len(LINES)], "linestyle": DASHES[i % len(DASHES)]}
        _line(ax, record.x, record.curves, _label(name, record, len(records[name])), look)
    ax.legend(fontsize=SMALL, frameon=False, title="area under the curve", title_fontsize=SMALL, alignment="left")
    ax.margins(x=0)
    footer = "share of the input changed, most important first"
    return dress(ax, heading, f"{footer}\n{_said(records, some)}", "score")


def _label(name: str, judged: Curve, rows: int) -> str:
    """An explanation with its mean area, and how many rows that is where some were left out."""
    if not len(judged):
        return f"{shorten(name)}: degenerate, constant maps"
    some = f" ({len(judged)} of {rows} rows)" if len(judged) < rows else ""
    return f"{shorten(name)}: {number(_mean(judged.value))}{some}"


def _said(records: Mapping[str, Curve], some: list[Curve]) -> str:
    """What the picture rests on; for one explanation also its paired advantage, which the bands do not show."""
    rows = max(map(len, records.values()))
    words = [f"{rows} row{'s' if rows > 1 else ''}", *(["bands: 95 % interval of the mean"] if rows > 1 else [])]
    advantage = some[0].advantage
    if len(records) == 1 and len(advantage) > 1 and np.isfinite(advantage).all():
        reach = _reach(advantage)
        ends = f"{number(advantage.mean() - reach)} to {number(advantage.mean() + reach)}"
        words.append(f"\nbetter than random by {number(advantage.mean())} ({ends}), row by row")
    return "; ".join(words).replace("; \n", "\n")


def _reach(values: np.ndarray) -> np.ndarray:
    """values (n, ...) -> half the width of the 95 % t interval of the mean over rows."""
    return np.asarray(stdtrit(len(values) - 1, 0.975) * values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def _chance(ax: Axes, record: Curve) -> None:
    """The random ranking: its mean curve, and its area; for one row, the range of the areas of its orders."""
    if record.chance_curves is None or record.chance is None:
        return
    words, areas = f"random ranking: {number(_mean(record.chance))}", record.detail.get("chance_areas")
    if areas is not None and len(record) == 1 and areas.size > 1:
        words += f" ({number(float(areas.min()))} to {number(float(areas.max()))})"
    _line(ax, record.x, record.chance_curves, words, {"color": GREY, "linestyle": _DASHED})


def _reverse(ax: Axes, record: Curve) -> None:
    """The same order backwards, least important first."""
    if record.reverse_curves is None or record.reverse is None:
        return
    look = {"color": GREY, "linestyle": _DOTTED}
    _line(ax, record.x, record.reverse_curves, f"least important first: {number(_mean(record.reverse))}", look)


def _line(ax: Axes, x: Any, lines: Any, label: str, look: dict[str, Any]) -> None:
    """x (s,), lines (n, s) -> their mean and its interval; without rows only the label."""
    if not len(lines):
        ax.plot([], [], label=label, **look)
        return
    mean = lines.mean(axis=0)
    ax.plot(x, mean, linewidth=1.8, label=label, **look)
    if len(lines) > 1:
        reach = _reach(lines)
        ax.fill_between(x, mean - reach, mean + reach, color=look["color"], alpha=0.18, linewidth=0)


def _judged(record: Curve) -> np.ndarray:
    """(n,) rows that have a value and a ranking."""
    known = np.isfinite(record.value)
    return known if record.degenerate is None else known & ~record.degenerate


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _direction(record: Curve) -> str:
    return "higher is better" if record.higher_is_better else "lower is better"


def _rows(record: Curve, ax: Axes) -> Axes:
    """A dot per row, hollow where the map is constant, and the mean; the chance level where there is one."""
    known, heading = np.isfinite(record.value), f"{shorten(record.metric)} · {_direction(record)}"
    if not known.any():
        return message(ax, "no row could be judged", heading)
    values, flat = record.value[known], (known & ~_judged(record))[known]
    height = 0.6 * (np.arange(len(values)) * 0.6180339887 % 1) - 0.3  # evenly spread, the same every time
    ax.scatter(values[~flat], height[~flat], s=22, color=LINES[0], alpha=0.55, linewidths=0, label="rows")
    if flat.any():
        ax.scatter(values[flat], height[flat], s=22, facecolors="none", edgecolors=GREY, label="constant maps")
    if not flat.all():
        mean = _mean(values[~flat])
        ax.axvline(mean, color=INK, linewidth=1.8, label=f"mean {number(mean)}")
    if record.chance is not None and np.isfinite(record.chance).any():
        level = _mean(record.chance)
        ax.axvline(level, color=GREY, linewidth=1.4, linestyle=_DASHED, label=f"chance {number(level)}")
    ax.set_ylim(-0.6, 0.6)
    dress(ax, xlabel=f"one dot per row, {len(record)} in all")
    ax.set_title(heading, loc="left", fontsize=SIZE, color=INK, pad=20)  # above the legend
    ax.legend(fontsize=SMALL, frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(-0.02, 0.9), columnspacing=1.2)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    return ax
