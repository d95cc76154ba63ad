"""How the score moves along a column: rows' own curves in grey, their mean with its 95 % interval, and where the data are.

Only a part of the curves is drawn, evenly over the rows' order at the middle of the grid; the mean is over all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.effect import Effect
from pellucid.core.errors import InputError
from pellucid.plot._labels import number, shorten, target_name
from pellucid.plot._style import DIVERGING, INK, PLAIN, SEQUENTIAL, SMALL, Z95, dress, paper

_CURVES = 60


def effect(record: Effect, curves: int = _CURVES, ax: Axes | None = None) -> Axes:
    """One column: up to `curves` rows' curves, the mean, its interval, and ticks where rows lie. Two columns: a surface."""
    if curves < 0:
        raise InputError(f"curves={curves}: how many rows' curves to draw, from 0 on.")
    if len(record.axes) == 2:
        return _surface(record, paper(ax, 3.6))
    ax = paper(ax, 3.2)
    levels = record.grid.dtype == object
    x = np.arange(len(record.grid)) if levels else record.grid.astype(float)
    shown = _chosen(record, curves)
    if levels:
        _points(ax, record, x, shown)
    else:
        _lines(ax, record, x, shown)
    _where_rows_are(ax, record, x)
    return dress(ax, _title(record), _footer(record, len(shown)), _what(record))


def _chosen(record: Effect, curves: int) -> np.ndarray:
    """(k, g) rows' curves at even steps of their rank."""
    if record.curves is None or not curves:
        return np.empty((0, len(record.mean)))
    order = np.argsort(record.curves[:, len(record.mean) // 2], kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(curves, len(order))).astype(int))
    return np.asarray(record.curves[order[places]])


def _lines(ax: Axes, record: Effect, x: np.ndarray, shown: np.ndarray) -> None:
    ax.plot(x, shown.T, color=PLAIN, linewidth=0.6, alpha=0.45)
    reach = Z95 * np.nan_to_num(record.stderr)
    ax.fill_between(x, record.mean - reach, record.mean + reach, color=INK, alpha=0.18, linewidth=0)
    ax.plot(x, record.mean, color=INK, linewidth=2)
    ax.margins(x=0.02)


def _points(ax: Axes, record: Effect, x: np.ndarray, shown: np.ndarray) -> None:
    spread = np.linspace(-0.18, 0.18, max(len(shown), 1))
    for place in x:
        ax.scatter(place + spread[: len(shown)], shown[:, place], s=6, color=PLAIN, alpha=0.5, linewidths=0)
    reach = Z95 * np.nan_to_num(record.stderr)
    ax.errorbar(x, record.mean, reach, fmt="o", color=INK, markersize=6, capsize=3, linewidth=1.6)
    ax.set_xticks(x, [shorten(str(level), 14) for level in record.grid], rotation=0 if len(x) < 7 else 35)
    ax.set_xlim(-0.6, len(x) - 0.4)


def _where_rows_are(ax: Axes, record: Effect, x: np.ndarray) -> None:
    """A strip at the foot: as dark as rows are many."""
    share = record.density / max(record.density.max(), 1)
    low, high = ax.get_ylim()
    foot = low - 0.06 * (high - low)
    for place, dark in zip(x, share, strict=True):
        ax.plot(
            [place, place], [foot, foot + 0.035 * (high - low)], color=INK, alpha=float(dark), linewidth=2, clip_on=True
        )
    ax.set_ylim(foot, high)


def _surface(record: Effect, ax: Axes) -> Axes:
    from matplotlib.colors import Normalize

    first, second = record.axes
    places = [np.arange(len(axis)) if axis.dtype == object else axis.astype(float) for axis in (first, second)]
    own = not getattr(record.method, "everywhere", False)  # what is left beyond two curves has a sign
    limit = float(np.abs(record.surface).max()) or 1.0
    look: Any = {"cmap": DIVERGING, "norm": Normalize(-limit, limit)} if own else {"cmap": SEQUENTIAL}
    drawn = ax.pcolormesh(places[0], places[1], record.surface.T, shading="nearest", **look)
    drawn.set_rasterized(True)
    for axis, values, set_ticks in ((0, first, ax.set_xticks), (1, second, ax.set_yticks)):
        if values.dtype == object:
            set_ticks(places[axis], [shorten(str(level), 14) for level in values])
    figure: Any = ax.get_figure()
    bar = figure.colorbar(drawn, ax=ax, pad=0.02, aspect=22)
    bar.ax.tick_params(labelsize=SMALL, colors=INK)
    bar.outline.set_visible(False)
    title = f"{_title(record)}: what both do together" if own else _title(record)
    return dress(ax, title, shorten(record.features[0]), shorten(record.features[1]))


def _title(record: Effect) -> str:
    names = " and ".join(shorten(name) for name in record.features)
    return f"{record.receipt.method.partition('(')[0]} · {names}"


def _what(record: Effect) -> str:
    name = "score" if record.target is None else target_name(record, 0)
    return name if getattr(record.method, "everywhere", False) else f"{name}, less its mean"


def _footer(record: Effect, shown: int) -> str:
    name = shorten(record.features[0])
    if record.curves is None:
        return f"{name}\nband: 95 % interval; strip: where rows are"
    spread = number(float(np.sqrt(record.centred().variance.max())))
    rows = len(record.curves)
    return f"{name}\ngrey: {shown} of {rows} rows; largest spread of the rows' changes: {spread}; strip: where rows are"
