"""A signal: its line over time (one per channel) on a background coloured by value."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.records import Attribution
from pellucid.plot._paint import paint
from pellucid.plot._style import DASHES, INK

_FEW = 4  # channels that dashes can tell apart


def draw_signal(ax: Axes, values: np.ndarray | None, attribution: Attribution, row: int, limit: float) -> None:
    """values (t,) as background, the channels of one row as lines."""
    lines = np.atleast_2d(attribution.data[row].astype(float))
    lines = lines.T if attribution.layout == "channels-last" else lines  # (c, t)
    low, high = float(np.nanmin(lines)), float(np.nanmax(lines))
    pad, steps = 0.08 * (high - low or 1.0), lines.shape[1]
    if values is not None:
        tall = values[None].repeat(max(1, steps // 3), axis=0)  # so that stripes keep their slant
        ax.imshow(paint(tall, limit), extent=(-0.5, steps - 0.5, low - pad, high + pad), aspect="auto")
    for i, line in enumerate(lines):
        few = len(lines) <= _FEW
        ax.plot(line, color=INK, linewidth=1.3 if few else 0.5, linestyle=DASHES[i] if few else "-")
    ax.set_xlim(-0.5, steps - 0.5)
    ax.set_ylim(low - pad, high + pad)
