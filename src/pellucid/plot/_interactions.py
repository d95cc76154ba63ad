"""Which features act together: a cell for every pair of the strongest features, on the diagonal what each does alone."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.records import Interactions
from pellucid.plot._labels import shorten
from pellucid.plot._paint import limit_of, paint
from pellucid.plot._style import DIVERGING, INK, SMALL, bare, colour_bar, message, paper, symmetric

_NAME = 24  # letters


def interactions(record: Interactions, row: int | None = None, k: int = 8, ax: Axes | None = None) -> Axes:
    """Both halves of a pair, in one row or, with None, the mean over rows; features by the size of all that they take part in.

    Signs of different rows may cancel in a mean: `row` shows one of them.
    """
    values = record.values.mean(axis=0) if row is None else record.values[row]
    p = len(values)
    order = np.argsort(-np.abs(record.values).sum(axis=(0, 2)), kind="stable")[:k]
    both = (values * (2 - np.eye(p)))[np.ix_(order, order)]  # (k, k)
    count = len(order)
    ax = paper(ax, 1.6 + 0.5 * count, min(6.0, 3.4 + 0.6 * count), "compressed")
    which = f"mean over {len(record)} rows" if row is None else f"row {row}"
    if not both.any():
        return message(ax, "nothing acts on its own or together: every value is zero", which)
    limit, clipped = limit_of(both, None)
    ax.imshow(paint(both, limit), extent=(-0.5, count - 0.5, count - 0.5, -0.5))
    for i, j in np.ndindex(count, count):
        _number(ax, j, i, float(both[i, j]), limit)
    bare(ax, f"{record.receipt.method.partition('(')[0]}: together and, on the\ndiagonal, alone; {which}")
    names = [shorten(_names(record)[j], _NAME) for j in order]
    ax.set_yticks(range(count), names)
    ax.set_xticks(range(count), names, rotation=35, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    colour_bar(ax, limit, clipped=clipped)
    return ax


def _names(record: Interactions) -> tuple[str, ...]:
    return record.feature_names or tuple(f"x{j}" for j in range(record.values.shape[1]))


def _number(ax: Axes, x: int, y: int, value: float, limit: float) -> None:
    """The number on an even ground of its cell's colour, white where that is dark."""
    light = abs(value) < 0.6 * limit
    ground = {"facecolor": DIVERGING(symmetric(limit)(value)), "edgecolor": "none", "pad": 1.2}
    words = f"{value:.2g}".replace("-", "−")
    ax.text(x, y, words, ha="center", va="center", fontsize=SMALL, color=INK if light else "white", bbox=ground)
