"""A volume: the three slices through its strongest place, side by side on one pair of axes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.records import Attribution
from pellucid.plot._paint import paint, picture_of
from pellucid.plot._style import INK, SMALL


def draw_slices(ax: Axes, values: np.ndarray | None, attribution: Attribution, row: int, limit: float) -> None:
    """values (d, h, w) over the input; without values, the middle slices of the input."""
    seen = picture_of(attribution, row)
    middle = tuple(side // 2 for side in seen.shape)
    through = middle if values is None else np.unravel_index(np.abs(values).argmax(), values.shape)
    left, space = 0.0, 0.05 * sum(seen.shape)
    for axis, at in enumerate(map(int, through)):
        beneath = seen.take(at, axis)
        pixels = np.repeat(beneath[..., None], 3, 2) if values is None else paint(values.take(at, axis), limit, beneath)
        h, w = beneath.shape
        ax.imshow(pixels, extent=(left - 0.5, left + w - 0.5, h - 0.5, -0.5))
        ax.text(left - 0.5, -0.9, f"axis {axis}, slice {at}", fontsize=SMALL, color=INK, va="bottom")
        down, across = (int(through[i]) for i in range(3) if i != axis)
        if values is not None:
            ax.plot([left + across], [down], marker="+", markersize=9, color=INK, markeredgewidth=0.9)
        left += w + space
    tallest = max(seen.shape[0], seen.shape[1])
    ax.set_xlim(-0.5, left - space - 0.5)
    ax.set_ylim(tallest - 0.5, -0.5 - 0.13 * tallest)
    ax.set_aspect("equal")
