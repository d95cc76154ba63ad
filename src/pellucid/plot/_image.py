"""The heat map over a picture; a line for a signal, three slices for a volume, words for text.

Colours have one symmetric limit and a colour bar, so zero is white in every map and maps drawn with the same `limit`
can be compared. A constant map explains nothing and is labelled so instead of being drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Collapse
from pellucid.plot._labels import equation, method_name, row_of, title
from pellucid.plot._overlay import Key
from pellucid.plot._paint import constant, grey, has_offset, limit_of, paint, picture_of, places
from pellucid.plot._signal import draw_signal
from pellucid.plot._slices import slices
from pellucid.plot._style import SMALL, WIDTH, Panel, Sheet, bare, colour_bar, dress, message, paper

_FAR = {"table": "plot.bar", "tokens": "plot.text"}


def image(
    attribution: Attribution,
    row: int = 0,
    ax: Axes | None = None,
    *,
    limit: float | None = None,
    collapse: Collapse = "sum",
    key: Key = "words",
) -> Axes:
    """One row's values over its input; `limit` is the value of full colour (None: the largest of this map).

    Of maps with more than 4,096 places, a few of which stand far out, None takes the 99.5 % quantile, and the colour
    bar shows that some lie beyond. `collapse` folds channels ("sum" keeps signs); `key` is what stands at the colour bar.
    """
    row, size = row_of(attribution, row), _size(attribution)
    if len(attribution.spatial) == 3:
        return slices(attribution, row, ax, limit=limit, collapse=collapse, key=key)
    ax = paper(ax, *size, layout="compressed")
    heading = title(attribution, row)
    if not attribution.done[row]:
        return _words(ax, attribution, "left out: the budget was spent before this row", heading)
    values = places(attribution, row, collapse)
    if constant(values):
        return _words(ax, attribution, "degenerate:\nconstant map", heading)
    limit, clipped = limit_of(values, limit)
    _draw(ax, values, attribution, row, limit)
    footer = "values less their mean" if has_offset(attribution) else equation(attribution, row)
    _finish(ax, heading, footer, values.ndim)
    if key != "none":
        colour_bar(ax, limit, clipped=clipped, words=("lowers", "raises") if key == "words" else ("", ""))
    return ax


def picture(attribution: Attribution, row: int = 0, ax: Axes | None = None) -> Axes:
    """The input alone, as the model saw it, stretched to the full range of grey or colour."""
    row, size = row_of(attribution, row), _size(attribution)
    if len(attribution.spatial) == 3:
        return slices(attribution, row, ax, scale="none")
    ax = paper(ax, *size, layout="compressed")
    _draw(ax, None, attribution, row, 1.0)
    return _finish(ax, "input", "", len(attribution.spatial))


def gallery(
    attributions: Sequence[Attribution],
    row: int = 0,
    axes: Sequence[Axes] | None = None,
    *,
    limit: float | None = None,
    collapse: Collapse = "sum",
) -> np.ndarray:
    """The input and several explanations of it side by side, one panel each; returns the axes (1 + records,).

    Each map has its own limit, since methods differ in unit, unless `limit` gives one for all.
    """
    panels = _panels(attributions) if axes is None else np.asarray(axes, dtype=object)
    if len(panels) != 1 + len(attributions):
        raise InputError(
            f"{len(panels)} axes for the input and {len(attributions)} records: give {1 + len(attributions)}."
        )
    picture(attributions[0], row, panels[0])
    for record, ax in zip(attributions, panels[1:], strict=True):
        image(record, row, ax, limit=limit, collapse=collapse, key="numbers")
        ax.set_title(method_name(record), loc="left", fontsize=SMALL)
        ax.set_xlabel("")
    return panels


def _panels(attributions: Sequence[Attribution]) -> np.ndarray:
    """A panel for the input and one for each record: pictures three in a line, signals and volumes one."""
    count, space = 1 + len(attributions), attributions[0].spatial
    across = min(count, 3) if len(space) == 2 else 1
    down = -(-count // across)
    panel = float(np.clip(0.35 + 1.25 * space[0] / space[1], 0.8, 3.0)) if len(space) == 2 else 1.6
    figure = Sheet(figsize=(WIDTH, panel * down), layout="compressed")
    made: list[Any] = [figure.add_subplot(down, across, i + 1, axes_class=Panel) for i in range(count)]
    return np.array(made, dtype=object)


def _size(attribution: Attribution) -> tuple[float, float]:
    """Height and width in inches of a new figure."""
    space = attribution.spatial
    if attribution.layout in _FAR or len(space) > 3:
        raise InputError(
            f"image draws signals, pictures and volumes; this record's layout is {attribution.layout!r} with rows of "
            f"shape {attribution.data.shape[1:]}: use {_FAR.get(attribution.layout, 'plot.bar')}."
        )
    if len(space) == 2:
        return float(np.clip(0.6 + 3.7 * space[0] / space[1], 1.8, 6.0)), 5.0
    return 2.4, WIDTH


def _draw(ax: Axes, values: np.ndarray | None, attribution: Attribution, row: int, limit: float) -> None:
    """Values over the input, or the input alone."""
    if len(attribution.spatial) == 1:
        return draw_signal(ax, values, attribution, row, limit)
    seen = picture_of(attribution, row)
    (h, w), plain = seen.shape[:2], seen if seen.ndim == 3 else seen[..., None].repeat(3, 2)
    pixels = plain if values is None else paint(values, limit, grey(seen, 2))
    ax.imshow(pixels, extent=(-0.5, w - 0.5, h - 0.5, -0.5))


def _finish(ax: Axes, heading: str, footer: str, sides: int) -> Axes:
    if sides == 1:
        return dress(ax, heading, footer)
    bare(ax, heading, footer)
    ax.spines[:].set_visible(sides == 2)
    return ax


def _words(ax: Axes, attribution: Attribution, words: str, heading: str) -> Axes:
    """A message of the picture's shape."""
    if len(attribution.spatial) == 2:
        ax.set_box_aspect(attribution.spatial[0] / attribution.spatial[1])
    return message(ax, words, heading)
