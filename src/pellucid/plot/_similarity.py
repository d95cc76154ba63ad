"""How alike layers are: a heat map from 0 to 1 whatever the data, and for every layer the one that is most like it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from pellucid.core.similarity import Similarity
from pellucid.plot._labels import cut
from pellucid.plot._style import FAINT, GREY, INK, SEQUENTIAL, SIZE, SMALL, WIDTH, dress, paper

_NUMBERS = 10  # layers up to which every cell has its number
_SMALLEST = 5.5  # points: below this, only every second or third layer is named
_LIGHT = 0.6  # from here on cells are light, and what is written on them dark
_NAME = 28  # letters


def similarity(record: Similarity, ax: Axes | None = None) -> Axes:
    """A cell per pair of layers; a ring marks, in each row, the column most like it. Cells without an answer are grey."""
    a, b = record.matrix.shape
    ax = paper(ax, _height(a, b))
    colours = SEQUENTIAL.with_extremes(bad=FAINT)
    ax.imshow(
        np.ma.masked_invalid(record.matrix), cmap=colours, norm=Normalize(0, 1), aspect="auto", interpolation="nearest"
    )
    if max(a, b) <= _NUMBERS:
        for i, j in np.ndindex(a, b):
            _number(ax, j, i, float(record.matrix[i, j]), record.matches[i] == j and b > 1)
    elif b > 1:
        found = np.flatnonzero(record.matches >= 0)
        light = record.matrix[found, record.matches[found]] >= _LIGHT
        edges = np.where(light, INK, "white").tolist()
        ax.scatter(record.matches[found], found, s=9, facecolors="none", edgecolors=edges, linewidths=0.9)
    dress(ax, _title(record))
    _name(ax, "y", record.rows)
    _name(ax, "x", record.columns)
    _key(ax, record)
    ax.spines[:].set_visible(False)
    return ax


def _height(a: int, b: int) -> float:
    """Inches that leave each row of a map `WIDTH` wide about as high as it is broad, within reason."""
    return float(np.clip(1.9 + 0.72 * WIDTH * a / max(b, 1), 2.4, 1.9 + max(0.42 * min(a, 8), 0.135 * a)))


def _title(record: Similarity) -> str:
    name = record.receipt.method.partition("(")[0]
    more = " (unbiased)" if getattr(record.method, "unbiased", False) else ""
    of = "" if record.matrix.size > 1 else f" {record.value:.3f}"
    return f"{name}{more}{of} of layers over {record.n:,} inputs"


def _name(ax: Axes, axis: Literal["x", "y"], names: Sequence[str]) -> None:
    """As many names as are readable, in type as small as must be."""
    room = 72 * (ax.get_figure(root=True).get_size_inches()[int(axis == "y")] - 1.6) / len(names)  # type: ignore[union-attr]
    size = float(np.clip(0.85 * room, _SMALLEST, SMALL))
    every = max(1, int(np.ceil(_SMALLEST / max(room, 0.1))))
    places = range(0, len(names), every)
    turned: dict[str, Any] = {"rotation": 90} if axis == "x" and len(names) > 3 else {}
    set_ticks = ax.set_xticks if axis == "x" else ax.set_yticks
    set_ticks(list(places), [cut(names[place], _NAME) for place in places], fontsize=size, **turned)
    ax.tick_params(axis=axis, length=0, labelsize=size)


def _number(ax: Axes, x: int, y: int, value: float, best: bool) -> None:
    words = "n/a" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
    dark = not np.isnan(value) and value < _LIGHT
    weight = "bold" if best else "normal"
    ax.text(x, y, words, ha="center", va="center", fontsize=SIZE, color="white" if dark else INK, fontweight=weight)


def _key(ax: Axes, record: Similarity) -> None:
    """The colours, and on them what chance alone makes."""
    figure: Any = ax.get_figure()
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), SEQUENTIAL), ax=ax, fraction=0.05, pad=0.03, aspect=22)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, length=2, colors=INK)
    known = record.chance[np.isfinite(record.chance)]
    if known.size and known.max() > 0.005:
        low, high = float(known.min()), float(min(known.max(), 1.0))
        bar.ax.plot([0.5, 0.5], [low, high], color="white", linewidth=2.5)
        upto = "" if high - low < 0.005 else "up to "
        bar.set_label(f"white: chance alone, {upto}{high:.2f}", fontsize=SMALL, color=GREY)
