"""The beeswarm (SHAP's summary): every row's value of the most important features, coloured by the feature's own value.

Position tells the sign, so the colour is free to tell the data: dark is low, light is high, grey has no order. A value that is
known with an error has its 95 % interval as a thin line behind its dot.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._errors import WHISKERS, reach_of
from pellucid.plot._labels import feature_names, title
from pellucid.plot._style import FAINT, GREY, INK, SEQUENTIAL, SMALL, dress, message, name_rows, paper

_BINS = 60  # columns of dots across the axis
_WHISKER: dict[str, Any] = {"fmt": "none", "ecolor": "#b0b0b0", "elinewidth": 0.7, "zorder": 0.5}


def beeswarm(attribution: Attribution, k: int = 10, ax: Axes | None = None) -> Axes:
    """The k features with the largest mean magnitude from the top down, a dot per row."""
    values, data = table_of(attribution)
    names, order = feature_names(attribution), strongest(values, k)
    ax = paper(ax, 1.1 + 0.36 * len(order))
    if not len(values):
        return message(ax, "left out: the budget was spent before the first row", title(attribution))
    span = float(np.abs(values[:, order]).max()) or 1.0
    reach = reach_of(attribution)
    shades = None if data is None else np.column_stack([ranks(data[:, j]) for j in order])
    for place, j in enumerate(order):
        ax.axhline(place, color=FAINT, linewidth=0.6, zorder=0)
        height = place + spread(values[:, j], span)
        if reach is not None:
            ax.errorbar(values[:, j], height, xerr=np.nan_to_num(reach[:, j]), **_WHISKER)
        _dots(ax, values[:, j], height, None if shades is None else shades[:, place])
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [names[j] for j in order])
    notes = [WHISKERS] * (reach is not None) + ["grey: no order"] * (
        shades is not None and bool(np.isnan(shades).any())
    )
    footer = "value: right raises the score, left lowers it\n" + "; ".join(notes)
    dress(ax, f"{title(attribution)} · {len(values)} rows", footer)
    if shades is not None:
        colour_key(ax, "the feature's own value")
    return ax


def strongest(values: np.ndarray, k: int) -> np.ndarray:
    """values (n, p) -> the k columns with the largest mean magnitude, strongest first."""
    if k < 1:
        raise InputError(f"k={k}: show at least one feature.")
    size = np.abs(values).mean(axis=0) if len(values) else np.zeros(values.shape[1])
    return np.argsort(-size, kind="stable")[:k]


def table_of(attribution: Attribution) -> tuple[np.ndarray, np.ndarray | None]:
    """(n, p) values of the finished rows, and the data where one cell stands for one value."""
    done = attribution.done
    if attribution.players is not None:
        return attribution.players.values[done], None
    values = attribution.values.reshape(len(done), -1)[done]
    same = attribution.values.shape == attribution.data.shape
    return values, attribution.data[done].reshape(values.shape) if same else None


def ranks(column: np.ndarray) -> np.ndarray:
    """(n,) -> [0, 1] from the 5 % to the 95 % quantile; NaN for what has no order."""
    try:
        numbers = column.astype(float)
    except (TypeError, ValueError):
        return np.full(len(column), np.nan)
    if not np.isfinite(numbers).any():
        return numbers * np.nan
    low, high = np.nanquantile(numbers, [0.05, 0.95])
    if low == high:
        low, high = np.nanmin(numbers), np.nanmax(numbers)
    return np.clip((numbers - low) / (high - low), 0, 1) if high > low else np.full(len(numbers), 0.5)


def _dots(ax: Axes, values: np.ndarray, height: np.ndarray, colour: np.ndarray | None) -> None:
    look: dict[str, Any] = {"s": 13, "linewidths": 0.25, "edgecolors": "#00000070"}
    if colour is None:
        ax.scatter(values, height, color=INK, **look)
        return
    plain = np.isnan(colour)
    ax.scatter(values[plain], height[plain], color=GREY, **look)
    ax.scatter(values[~plain], height[~plain], c=colour[~plain], cmap=SEQUENTIAL, vmin=0, vmax=1, **look)


def spread(values: np.ndarray, span: float) -> np.ndarray:
    """(n,) heights in [-0.4, 0.4]: dots that fall together are stacked outwards from the middle."""
    bins = np.round(values / (2 * span) * _BINS).astype(int)
    height = np.zeros(len(values))
    for one in np.unique(bins):
        here = np.flatnonzero(bins == one)
        rank = np.arange(len(here))
        height[here] = (rank + 1) // 2 * np.where(rank % 2, 1, -1)
    widest = max(float(np.abs(height).max()), 5.0)
    return 0.4 * height / widest


def colour_key(ax: Axes, words: str) -> None:
    """The key of dots that are coloured by a feature's own value."""
    figure: Any = ax.get_figure()
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), SEQUENTIAL), ax=ax, aspect=22, pad=0.02, shrink=0.9)
    bar.set_ticks([0, 1], labels=["low", "high"])
    bar.set_label(words, fontsize=SMALL, color=INK, labelpad=-14)
    bar.ax.tick_params(labelsize=SMALL, length=0, colors=INK)
    bar.outline.set_visible(False)
