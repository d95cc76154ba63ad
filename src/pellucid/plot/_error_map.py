"""A map and its error bar side by side: what is seen in a sampled map, and how much of it is chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._labels import row_of, title
from pellucid.plot._paint import grey, limit_of, paint, picture_of
from pellucid.plot._style import INK, SEQUENTIAL, SMALL, WIDTH, Panel, Sheet, bare, colour_bar


def error_map(attribution: Attribution, row: int = 0, axes: Sequence[Axes] | None = None) -> np.ndarray:
    """One picture's values less their mean, and their standard errors; returns the two axes.

    The mean is taken off because a map without a base value (RISE) has an offset that says nothing. Places less than 1.96
    standard errors from the mean are white: their difference may be chance.
    """
    row = row_of(attribution, row)
    if attribution.stderr is None:
        raise InputError("this record has no standard errors: explain with a method that samples, such as RISE().")
    values, error = attribution.values[row], attribution.stderr[row]
    if len(attribution.spatial) != 2:
        raise InputError(f"error_map draws pictures; this record's rows have space {attribution.spatial}.")
    if values.ndim == 3:
        axis = 0 if attribution.layout == "channels-first" else -1
        values, error = values.sum(axis), error.sum(axis)  # channels share their noise: the sum bounds it
    left, right = _panels(attribution) if axes is None else list(axes)
    apart = values - values.mean()
    sure = np.abs(apart) > 1.96 * np.nan_to_num(error, nan=np.inf)
    limit, clipped = limit_of(apart, None) if apart.any() else (1.0, False)
    (h, w), ground = values.shape, grey(picture_of(attribution, row), 2)
    extent = (-0.5, w - 0.5, h - 0.5, -0.5)
    left.imshow(paint(np.where(sure, apart, 0), limit, ground), extent=extent)
    bare(
        left,
        title(attribution, row),
        f"less the mean, {values.mean():.3g}; {sure.mean():.0%} of places differ",
    )
    colour_bar(left, limit, clipped=clipped, words=("", ""))
    shown = right.imshow(error, cmap=SEQUENTIAL, vmin=0, extent=extent)
    bare(right, "standard error")
    bar = right.get_figure().colorbar(shown, ax=right, pad=0.03, fraction=0.05)  # type: ignore[union-attr]
    bar.ax.tick_params(labelsize=SMALL, length=2, colors=INK)
    bar.outline.set_visible(False)
    return np.array([left, right], dtype=object)


def _panels(attribution: Attribution) -> list[Axes]:
    h, w = attribution.spatial
    figure = Sheet(figsize=(WIDTH, float(np.clip(0.7 + 2.2 * h / w, 1.6, 4.0))), layout="compressed")
    return [figure.add_subplot(1, 2, i + 1, axes_class=Panel) for i in range(2)]
