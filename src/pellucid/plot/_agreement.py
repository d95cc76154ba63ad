"""Do the methods agree? Their rank correlations (or another measure) as an annotated matrix, from -1 to 1 whatever the data."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.scores import Comparison
from pellucid.plot._labels import shorten
from pellucid.plot._paint import paint
from pellucid.plot._style import DIVERGING, INK, SIZE, bare, colour_bar, paper, symmetric

Measure = Literal["rank correlation", "kendall", "overlap"]


def agreement(
    comparison: Comparison, row: int | None = None, ax: Axes | None = None, measure: Measure = "rank correlation"
) -> Axes:
    """How far every two methods agree, the mean over rows or of one row: 1 the same order, 0 none, -1 reversed.

    `measure`: the rank correlation, "kendall", or "overlap", the share of the largest magnitudes that both have (means only).
    """
    matrix, count = _matrix(comparison, row, measure), len(comparison.names)
    ax = paper(ax, 1.4 + 0.5 * count, min(6.0, 3.2 + 0.6 * count), "compressed")
    ax.imshow(paint(matrix, 1.0), extent=(-0.5, count - 0.5, count - 0.5, -0.5))
    for i, j in np.ndindex(count, count):
        _number(ax, j, i, float(matrix[i, j]))
    which = f"row {row}" if row is not None else f"mean over rows ({len(comparison.by_row)})"
    bare(ax, f"{_title(comparison, measure)}, {which}")
    names = _names(comparison)
    ax.set_yticks(range(count), names)
    ax.set_xticks(range(count), names, rotation=35, ha="right", rotation_mode="anchor")
    ax.tick_params(length=0)
    colour_bar(ax, 1.0, words=("reversed", "same order") if measure != "overlap" else ("", "the same"))
    return ax


def _title(comparison: Comparison, measure: Measure) -> str:
    return {"kendall": "Kendall's tau", "overlap": f"shared top {comparison.k}"}.get(measure, measure)


def _matrix(comparison: Comparison, row: int | None, measure: Measure) -> np.ndarray:
    """(methods, methods)"""
    means = {
        "rank correlation": comparison.agreement,
        "kendall": comparison.kendall,
        "overlap": comparison.overlap,
    }
    if measure not in means:
        raise InputError(f"measure={measure!r}: choose one of {', '.join(means)}.")
    if row is None:
        return means[measure]
    if measure != "rank correlation":
        raise InputError(f"measure={measure!r} is kept as the mean over rows: leave row=None.")
    n = len(comparison.by_row)
    if not -n <= row < n:
        raise InputError(
            f"row {row} of a comparison of {n} rows: give a row from 0 to {n - 1}, or None for their mean."
        )
    return np.asarray(comparison.by_row[row])


def _names(comparison: Comparison) -> list[str]:
    """Names without hyper-parameters, unless these are all that tells two apart."""
    bare_names = [name.partition("(")[0] for name in comparison.names]
    alone = len(set(bare_names)) == len(bare_names)
    return [shorten(name, 24) for name in (bare_names if alone else comparison.names)]


def _number(ax: Axes, x: int, y: int, value: float) -> None:
    """The number on an even ground of its cell's colour, white where that is dark."""
    words = "n/a" if np.isnan(value) else f"{value:.2f}".replace("-", "−")
    light = np.isnan(value) or abs(value) < 0.6
    ground = {"facecolor": DIVERGING(symmetric(1.0)(value)), "edgecolor": "none", "pad": 1.5}
    ax.text(x, y, words, ha="center", va="center", fontsize=SIZE, color=INK if light else "white", bbox=ground)
