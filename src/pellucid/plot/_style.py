"""What every picture shares: two colours, one sheet of paper, one way to dress an axis. Nothing global is touched.

Red raises the score, blue lowers it. Both have the same contrast on white (5.8 and 5.9 to 1), so neither looks stronger
and in greyscale they are alike; the sign is therefore told a second time, by position, by a sign in the label, or by
hatching: whatever is hatched is negative. Sizes are for columns about 600 pixels wide.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from pellucid.plot._labels import cut

RED, BLUE = "#c1272d", "#2166ac"
INK, GREY, FAINT = "#222222", "#6b6b6b", "#d9d9d9"
PLAIN = "#8a9bb0"  # bars that have no sign
HATCH = "/////"
SIZE, SMALL = 10.0, 9.0  # points: titles, everything else
WIDTH = 6.0  # inches, 600 pixels at the default 100 dots an inch
Z95 = 1.959963984540054  # half width of a 95 % interval in standard errors

DIVERGING = LinearSegmentedColormap.from_list("pellucid", [BLUE, "#ffffff", RED]).with_extremes(bad=FAINT)
SEQUENTIAL = colormaps["viridis"]  # its lightness rises throughout: readable in greyscale and by the colour-blind
LINES = ["#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#8a6d00"]  # after Okabe & Ito
DASHES: list[Any] = ["-", (0, (5, 2)), (0, (1, 1.3)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (9, 3))]


class Sheet(Figure):
    """A figure that no `pyplot` knows of; a notebook shows it as the last expression of a cell."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=150)
        return buffer.getvalue()


class Panel(Axes):
    """Axes on a sheet of ours; a notebook shows the sheet."""

    def _repr_png_(self) -> bytes:
        return self.get_figure(root=True)._repr_png_()  # type: ignore[union-attr]


def paper(
    ax: Axes | None, height: float, width: float = WIDTH, layout: Literal["constrained", "compressed"] = "constrained"
) -> Axes:
    """The axes to draw on: the caller's, or the only ones of a new figure (inches); "compressed" for square cells."""
    if ax is not None:
        return ax
    figure = Sheet(figsize=(width, height), layout=layout)
    return figure.add_subplot(axes_class=Panel)


def dress(ax: Axes, title: str = "", xlabel: str = "", ylabel: str = "") -> Axes:
    """Titles wrapped to the width, small type, no box."""
    ax.set_title(wrap(ax, title, SIZE), loc="left", fontsize=SIZE, color=INK)
    ax.set_xlabel(wrap(ax, xlabel, SMALL), fontsize=SMALL, color=INK)
    ax.set_ylabel(ylabel, fontsize=SMALL, color=INK)
    ax.tick_params(labelsize=SMALL, colors=INK)
    ax.tick_params(axis="x", length=3)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set_fontsize(SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    return ax


def bare(ax: Axes, title: str = "", xlabel: str = "") -> Axes:
    """A picture: no ticks, a thin frame."""
    dress(ax, title, xlabel)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color(FAINT)
    return ax


def message(ax: Axes, text: str, title: str = "") -> Axes:
    """Words in the place of a picture that would mean nothing."""
    bare(ax, title)
    ax.text(
        0.5,
        0.5,
        wrap(ax, text, SIZE),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=SIZE,
        color=GREY,
        style="italic",
    )
    return ax


def wrap(ax: Axes, text: str, size: float) -> str:
    """Lines that fit the width of the axes; line breaks in the text stay."""
    letters = max(16, int(width_of(ax) / (0.53 * size)))  # an average letter is half as wide as the type is high
    lines = (textwrap.wrap(line, letters, break_long_words=False) or [""] for line in text.split("\n"))
    return "\n".join(part for line in lines for part in line)


def width_of(ax: Axes) -> float:
    """The axes' width in points; an estimate where a layout engine has yet to make room for the labels."""
    if ax.get_figure(root=True).get_layout_engine() is None:  # type: ignore[union-attr]
        return slot_of(ax)
    longest = max((len(label.get_text()) for label in ax.get_yticklabels()), default=0)
    return max(72.0, slot_of(ax) - 0.55 * SMALL * longest - 16)


def slot_of(ax: Axes) -> float:
    """The width in points that a layout engine shares out to the axes and their labels; without one, the axes' own."""
    figure: Any = ax.get_figure(root=True)
    width, grid = 72 * float(figure.get_size_inches()[0]), ax.get_subplotspec()
    if figure.get_layout_engine() is None:
        return width * float(ax.get_position().width)
    return width if grid is None else width * len(grid.colspan) / grid.get_gridspec().ncols


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """One named line each, from the top down, without ticks or an axis of their own; names take half the width at most."""
    longest = max(12, int(0.5 * slot_of(ax) / (0.55 * SMALL)))
    ax.set_yticks(range(len(names)), [cut(name, longest) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def leave_room(ax: Axes, low: float, high: float, sides: tuple[bool, bool]) -> None:
    """Limits from low to high with room for a number beyond each end that has one."""
    label = 46.0  # points
    room = ((high - low) or 1.0) * label / max(width_of(ax) - label * sum(sides), label)
    ax.set_xlim(low - room * (sides[0] or 0.1), high + room * (sides[1] or 0.1))


def symmetric(limit: float) -> Normalize:
    """Zero in the middle, whatever the data."""
    return Normalize(-limit, limit)


def colour_bar(
    ax: Axes, limit: float, *, clipped: bool = False, words: tuple[str, str] = ("lowers", "raises")
) -> Colorbar:
    """The key of a heat map, as high as the map: symmetric, its negative half hatched as the map's is."""
    figure: Any = ax.get_figure()
    scale = ScalarMappable(symmetric(limit), DIVERGING)
    look: Any = {"extend": "both" if clipped else "neither", "pad": 0.03, "fraction": 0.05}
    bar = figure.colorbar(scale, ax=ax, aspect=min(22.0, max(6.0, 22 * steepness(ax))), **look)
    bar.ax.axhspan(-limit, -limit / 8, facecolor="none", edgecolor="#ffffff99", hatch=HATCH, linewidth=0)
    labels = (f"{short(-limit)} {words[0]}", "0", f"{short(limit)} {words[1]}")
    bar.set_ticks([-limit, 0, limit], labels=[label.strip() for label in labels])
    bar.ax.tick_params(labelsize=SMALL, length=2, colors=INK)
    bar.outline.set_visible(False)
    return bar


def steepness(ax: Axes) -> float:
    """Height over width of what is drawn: of the picture where cells are square, else of the axes."""
    if ax.get_aspect() == "auto":
        return float(ax.bbox.height / ax.bbox.width)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return abs((top - bottom) / (right - left))


def short(value: float) -> str:
    return f"{value:+.2g}".replace("-", "−")
