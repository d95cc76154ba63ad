"""Coloured words: each token on a ground coloured by its value; what lowers the score also has a dashed frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._labels import equation, plain, row_of, title
from pellucid.plot._paint import constant, limit_of
from pellucid.plot._style import (
    BLUE,
    DIVERGING,
    INK,
    SIZE,
    WIDTH,
    bare,
    colour_bar,
    message,
    paper,
    symmetric,
    width_of,
)

_LINE, _SPACE, _KEY = 21.0, 9.0, 80.0  # points: from line to line, between words, for the colour bar
_FONT = FontProperties(size=SIZE)


def text(
    attribution: Attribution,
    row: int = 0,
    ax: Axes | None = None,
    *,
    limit: float | None = None,
    join: str | None = None,
) -> Axes:
    """One row's tokens in reading order, wrapped; `limit` is the value of full colour (None: the largest of this row).

    `join="words"` adds subwords up to words.
    """
    attribution = attribution if join is None else attribution.joined(join)
    row = row_of(attribution, row)
    words, values = _tokens(attribution, row)
    lines = len(set(_lines(words, 72 * WIDTH - _KEY)[1]))
    ax = paper(ax, max(1.4, 0.75 + lines * _LINE / 72))
    if not attribution.done[row]:
        return message(ax, "left out: the budget was spent before this row", title(attribution, row))
    if not words:
        return message(ax, "no tokens: this row is all padding", title(attribution, row))
    if constant(values) and (len(values) > 1 or not values.any()):
        return message(ax, "degenerate: every token has the same value", title(attribution, row))
    limit, clipped = limit_of(values, limit)
    _write(ax, words, values, limit)
    bare(ax, title(attribution, row), equation(attribution, row))
    colour_bar(ax, limit, clipped=clipped)
    return ax


def _tokens(attribution: Attribution, row: int) -> tuple[list[str], np.ndarray]:
    """The words of one row and their values, without the padding."""
    values, cells = attribution.values[row], attribution.data[row]
    if values.ndim != 1:
        raise InputError(f"text draws one value a token; this row's values have shape {values.shape}.")
    if cells.dtype.kind not in "OUS" and attribution.feature_names is not None:
        cells = np.asarray(attribution.feature_names, dtype=object)
    present = np.ones(len(values), bool) if attribution.mask is None else attribution.mask[row].astype(bool)
    return [plain(word) or "␣" for word in cells[present]], values[present]


def _lines(words: list[str], width: float) -> tuple[list[float], list[int]]:
    """Where each word goes when lines are `width` points long: left edge, line."""
    across, down = [0.0], [0]
    for word in words:
        length = float(text_to_path.get_text_width_height_descent(word, _FONT, ismath=False)[0])
        if across[-1] > 0 and across[-1] + length > width:
            across[-1], down[-1] = 0.0, down[-1] + 1
        across.append(across[-1] + length + _SPACE)
        down.append(down[-1])
    return across[:-1], down[:-1]


def _write(ax: Axes, words: list[str], values: np.ndarray, limit: float) -> None:
    """In units of points; a word's ground fits the word by itself."""
    width = max(width_of(ax) - _KEY + 16, 120.0)
    across, down = _lines(words, width - 8)
    for word, value, x, line in zip(words, values, across, down, strict=True):
        ground = DIVERGING(symmetric(limit)(np.clip(value, -limit, limit)))
        light = np.dot(ground[:3], (0.299, 0.587, 0.114)) > 0.5
        box: dict[str, Any] = {"facecolor": ground, "edgecolor": "none", "pad": 2.0}
        if value < -limit / 8:
            box |= {"edgecolor": BLUE, "linestyle": (0, (2, 1.5)), "linewidth": 1.2}
        ax.text(x, line * _LINE, word, fontsize=SIZE, color=INK if light else "white", va="center", bbox=box)
    ax.set_xlim(-6, width)
    ax.set_ylim((down[-1] + 0.75) * _LINE if down else 1, -0.75 * _LINE)
