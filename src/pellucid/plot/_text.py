"""Coloured words: each token on a ground coloured by its value; what lowers the score also has a dashed frame.

What was no player, or was never seen, is grey. A question and its context stand on lines of their own, and the answer that a record
is about has a line under it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from pellucid.core.errors import InputError
from pellucid.core.pairs import BREAK
from pellucid.core.records import Attribution
from pellucid.plot._coloured import answer_of
from pellucid.plot._labels import equation, plain, row_of, title
from pellucid.plot._paint import constant, limit_of
from pellucid.plot._style import (
    BLUE,
    DIVERGING,
    GREY,
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
    places = _places(attribution[np.array([row])], words)
    lines = len(set(_lines(words, 72 * WIDTH - _KEY, places.breaks)[1]))
    ax = paper(ax, max(1.4, 0.75 + lines * _LINE / 72))
    if not attribution.done[row]:
        return message(ax, "left out: the budget was spent before this row", title(attribution, row))
    if not words:
        return message(ax, "no tokens: this row is all padding", title(attribution, row))
    played = values[np.isfinite(values)]
    if constant(played) and (len(played) > 1 or not played.any()):
        return message(ax, "degenerate: every token has the same value", title(attribution, row))
    limit, clipped = limit_of(played, limit)
    _write(ax, words, values, limit, places)
    bare(ax, title(attribution, row), equation(attribution, row))
    colour_bar(ax, limit, clipped=clipped)
    return ax


def _tokens(attribution: Attribution, row: int) -> tuple[list[str], np.ndarray]:
    """The words of one row and their values, NaN for what is no player; without the padding."""
    values, cells = attribution.values[row], attribution.data[row]
    if values.ndim != 1:
        raise InputError(f"text draws one value a token; this row's values have shape {values.shape}.")
    if cells.dtype.kind not in "OUS" and attribution.feature_names is not None:
        cells = np.asarray(attribution.feature_names, dtype=object)
    played = np.ones(len(values), bool) if attribution.mask is None else attribution.mask[row].astype(bool)
    present = played | (cells != "") if cells.dtype.kind in "OUS" and attribution.texts is not None else played
    return [plain(word) or "␣" for word in cells[present]], np.where(played, values, np.nan)[present]


@dataclass(frozen=True)
class _Places:
    """Which words a new line begins before, and which are of the answer."""

    breaks: frozenset[int] = frozenset()
    answer: frozenset[int] = frozenset()


def _places(record: Attribution, words: list[str]) -> _Places:
    """Words in the order of a row's text, looked up in it one after the other; special tokens stand nowhere."""
    if record.texts is None:
        return _Places()
    text, at, breaks, answer = record.texts[0], 0, set(), set()
    start, stop = answer_of(record)
    for number, word in enumerate(words):
        found = text.find(word, at)
        if found < 0:
            continue
        if BREAK in text[at:found]:
            breaks.add(number)
        at = found + len(word)
        if found < stop and at > start:
            answer.add(number)
    return _Places(frozenset(breaks), frozenset(answer))


def _lines(words: list[str], width: float, breaks: frozenset[int] = frozenset()) -> tuple[list[float], list[int]]:
    """Where each word goes when lines are `width` points long: left edge, line."""
    across, down = [0.0], [0]
    for number, word in enumerate(words):
        length = float(text_to_path.get_text_width_height_descent(word, _FONT, ismath=False)[0])
        if across[-1] > 0 and (across[-1] + length > width or number in breaks):
            across[-1], down[-1] = 0.0, down[-1] + 1
        across.append(across[-1] + length + _SPACE)
        down.append(down[-1])
    return across[:-1], down[:-1]


def _write(ax: Axes, words: list[str], values: np.ndarray, limit: float, places: _Places) -> None:
    """In units of points; a word's ground fits the word by itself."""
    width = max(width_of(ax) - _KEY + 16, 120.0)
    across, down = _lines(words, width - 8, places.breaks)
    for number, (word, value, x, line) in enumerate(zip(words, values, across, down, strict=True)):
        if number in places.answer:
            length = float(text_to_path.get_text_width_height_descent(word, _FONT, ismath=False)[0])
            ax.plot([x - 1, x + length + 1], [line * _LINE + 9.0] * 2, color=INK, linewidth=1.6, solid_capstyle="butt")
        if np.isnan(value):
            ax.text(x, line * _LINE, word, fontsize=SIZE, color=GREY, va="center")
            continue
        ground = DIVERGING(symmetric(limit)(np.clip(value, -limit, limit)))
        light = np.dot(ground[:3], (0.299, 0.587, 0.114)) > 0.5
        box: dict[str, Any] = {"facecolor": ground, "edgecolor": "none", "pad": 2.0}
        if value < -limit / 8:
            box |= {"edgecolor": BLUE, "linestyle": (0, (2, 1.5)), "linewidth": 1.2}
        ax.text(x, line * _LINE, word, fontsize=SIZE, color=INK if light else "white", va="center", bbox=box)
    ax.set_xlim(-6, width)
    ax.set_ylim((down[-1] + 0.75) * _LINE if down else 1, -0.75 * _LINE)
