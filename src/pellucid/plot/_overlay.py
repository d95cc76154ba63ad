"""A map over a grey picture that stays visible: the weaker a value, the more of the picture shows through.

Signed values are red and blue as everywhere, striped where they are negative; zero leaves the picture as it is. Strengths from 0 to
1 go from blue to red by way of yellow, and even 0 tints the picture, so that it is seen how far the map reaches. The map is a layer
of `imshow` of its own, whose colour bar lies on the grey in the middle of the picture's range.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba

from pellucid.plot._paint import block, stripes
from pellucid.plot._style import BLUE, HATCH, INK, RED, SMALL, short, steepness, symmetric

Scale = Literal["signed", "unit", "none"]
Key = Literal["words", "numbers", "none"]
Extent = tuple[float, float, float, float]

_DENSE = 0.85  # how much of the picture the strongest value hides
_NOTHING = (0.0, 0.0, 0.0, 0.0)
_GROUND = "#7f7f7f"

OVER_SIGNED = LinearSegmentedColormap.from_list(
    "pellucid-over",
    [(0.0, to_rgba(BLUE, _DENSE)), (0.5, to_rgba(BLUE, 0)), (0.5, to_rgba(RED, 0)), (1.0, to_rgba(RED, _DENSE))],
).with_extremes(bad=_NOTHING)
OVER_UNIT = LinearSegmentedColormap.from_list(
    "pellucid-heat",
    [
        (0.0, to_rgba("#1b4fa8", 0.28)),
        (0.3, to_rgba("#35a7c2", 0.42)),
        (0.6, to_rgba("#f6dd6a", 0.6)),
        (0.8, to_rgba("#f08a2c", 0.75)),
        (1.0, to_rgba(RED, _DENSE)),
    ],
).with_extremes(bad=_NOTHING)


def lay_over(ax: Axes, values: np.ndarray, limit: float, scale: Scale, extent: Extent) -> None:
    """values (h, w) on the scale of the map, NaN where there is none, over what the axes show."""
    look: Any = {"extent": extent, "interpolation": "nearest", "aspect": "equal"}
    colours, norm = (OVER_SIGNED, symmetric(limit)) if scale == "signed" else (OVER_UNIT, Normalize(0, limit))
    ax.imshow(values, cmap=colours, norm=norm, **look)
    if scale == "signed" and (values < -limit / 8).any():
        negative = block(values < -limit / 8)
        ax.imshow(np.where(stripes(negative)[..., None], (1.0, 1.0, 1.0, 0.4), _NOTHING), **look)


def over_key(ax: Axes, limit: float, scale: Scale, *, clipped: bool, key: Key) -> Colorbar:
    """The colour bar of such a map."""
    figure: Any = ax.get_figure()
    signed = scale == "signed"
    norm, colours = (symmetric(limit), OVER_SIGNED) if signed else (Normalize(0, limit), OVER_UNIT)
    beyond = ("both" if signed else "max") if clipped else "neither"
    look: Any = {"extend": beyond, "pad": 0.02, "fraction": 0.04, "aspect": min(22.0, max(8.0, 26 * steepness(ax)))}
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=ax, **look)
    bar.ax.set_facecolor(_GROUND)
    bar.ax.tick_params(labelsize=SMALL, length=2, colors=INK)
    bar.outline.set_visible(False)
    if signed:
        bar.ax.axhspan(-limit, -limit / 8, facecolor="none", edgecolor="#ffffff99", hatch=HATCH, linewidth=0)
        words = (" lowers", " raises") if key == "words" else ("", "")
        bar.set_ticks([-limit, 0, limit], labels=[f"{short(-limit)}{words[0]}", "0", f"{short(limit)}{words[1]}"])
    else:
        bar.set_ticks([0, limit / 2, limit], labels=["0", "0.5", "1"])
    return bar
