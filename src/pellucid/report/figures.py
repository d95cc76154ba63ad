"""Plots as data: what a page can hold without a file or a network beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.transforms import ScaledTranslation

from pellucid import plot
from pellucid.core.concept_scores import ConceptScores
from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Importance
from pellucid.core.scores import Comparison, Curve
from pellucid.plot._projection import as_picture
from pellucid.report.record import ColumnTest, RegionTest
from pellucid.report.windows import grid
from pellucid.report.words import Box

COLUMN = 4.4  # inches of a figure that a phone still shows legibly
_MAP = 1.9  # inches of a small picture
_DOTS = 110  # an inch, of small pictures
_SIDE = 192  # pixels of the longer side of a picture that is shown as it is, at most
_TICKS, _LINE = 22, 11.5  # points below the axes: numbers, and each line of words under them
_RED = "#c1272d"


def svg(draw: Callable[[Axes], Any], height: float, width: float = COLUMN) -> str:
    """A drawing as a data URI; as an image, nothing in it can run or reach out."""
    figure = Figure(figsize=(width, height), layout="constrained")
    draw(figure.subplots())
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "pellucid"}):
        # tight: nothing of a legend or a long name is cut, whatever the layout left for it
        facts = {"Date": None, "Creator": None}
        return _uri(figure, "svg+xml", format="svg", metadata=facts, bbox_inches="tight", pad_inches=0.08)


def png(draw: Callable[[Axes], Any]) -> str:
    """A small picture without words, to its edges, as a data URI."""
    figure = Figure(figsize=(_MAP, _MAP))
    draw(figure.add_axes((0.01, 0.01, 0.98, 0.98)))
    return _uri(figure, "png", format="png", dpi=_DOTS, metadata={"Software": None})


def _uri(figure: Figure, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def pixels(row: np.ndarray) -> str | None:
    """(h, w), (c, h, w) or (h, w, c), scaled to its own range, pixel by pixel as a data URI; None where it is no picture."""
    try:
        made = as_picture(row)
    except InputError:
        return None
    step, buffer = -(-max(made.shape[:2]) // _SIDE), io.BytesIO()
    grown = made[::step, ::step]
    for axis in (0, 1):  # few pixels would be smoothed where a page enlarges them
        grown = np.repeat(grown, max(1, _SIDE // max(made.shape[:2])), axis=axis)
    imsave(buffer, grown, cmap="gray", vmin=0, vmax=1, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def shown(record: Attribution, row: int) -> str:
    """One row of what is neither table nor picture."""
    return svg(lambda ax: _untitled(plot.show(record, row, ax=ax)), 2.6)


def heat(record: Attribution, row: int) -> str:
    """One row's values over its input."""
    return png(lambda ax: _undressed(plot.image(record, row, ax=ax, key="none")))


def seen(record: Attribution, row: int) -> str:
    """The input alone."""
    return png(lambda ax: _undressed(plot.picture(record, row, ax=ax)))


def framed(record: Attribution, row: int, box: Box, values: bool) -> str:
    """The input, or one row's values over it, with a place framed."""

    def draw(ax: Axes) -> None:
        drawn = plot.image(record, row, ax=ax, key="none") if values else plot.picture(record, row, ax=ax)
        _undressed(drawn)
        top, left, height, width = box
        ax.add_patch(_box(left - 0.5, top - 0.5, width, height, _RED))

    return png(draw)


def _undressed(ax: Axes) -> None:
    """Without words: the page says them."""
    _untitled(ax)
    ax.set_xlabel("")


def _untitled(ax: Axes) -> None:
    ax.set_title("")
    ax.set_title("", loc="left")


def agreement(comparison: Comparison) -> str:
    """Every method with every other; the more of them, the larger, so that each number has room."""
    count = len(comparison.names)
    width = COLUMN + max(0, count - 4) * 0.55
    return svg(lambda ax: _untitled(plot.agreement(comparison, ax=ax)), 1.5 + 0.48 * count, width)


def curves(records: dict[str, Curve]) -> str:
    """One metric's mean curves, method by method."""
    return svg(lambda ax: _legend_below(plot.curves(records, ax=ax)), 3.5 + 0.22 * (len(records) + 2))


def _legend_below(ax: Axes) -> None:
    """A small figure has no room for a legend among its lines; below them, it begins where the words of the axis end."""
    below = ScaledTranslation(0, -(_TICKS + _LINE * (1 + ax.get_xlabel().count("\n"))) / 72, ax.figure.dpi_scale_trans)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles,
        labels,
        fontsize=9,
        frameon=False,
        title="area under the curve",
        title_fontsize=9,
        alignment="left",
        loc="upper left",
        bbox_to_anchor=(-0.02, 0),
        bbox_transform=ax.transAxes + below,
    )


def importance(record: Importance) -> str:
    """The most important columns."""
    return svg(lambda ax: plot.importance(record, 10, ax=ax), 1.2 + 0.27 * min(10, len(record.names)))


def concepts(record: ConceptScores) -> str:
    """The share of one class's rows that each concept raises."""
    return svg(lambda ax: _undressed(plot.concepts(record, ax=ax)), 0.9 + 0.32 * len(record))


def places(test: RegionTest, i: int) -> str:
    """The share of every window that was searched for one class, and the place that was judged."""
    return png(lambda ax: _draw_places(ax, test, i))


def _draw_places(ax: Axes, test: RegionTest, i: int) -> None:
    shares, (h, w) = np.clip(spread(test, i), 0, None), test.space
    ax.imshow(shares, cmap="Greys", vmin=0, vmax=max(0.5, float(shares.max())), extent=(0, w, h, 0))
    top, left, height, width = test.boxes[i]
    ax.add_patch(_box(left, top, width, height, _RED if test.suspicious[i] else "#6b6b6b"))
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color("#d9d9d9")


def spread(test: RegionTest, i: int) -> np.ndarray:
    """(h, w) the mean share of the windows that cover each pixel"""
    total, cover = np.zeros(test.space), np.zeros(test.space)
    for (top, left, height, width), share in zip(grid(test.space), test.maps[i].ravel(), strict=True):
        where = slice(top, top + height), slice(left, left + width)
        total[where] += share
        cover[where] += 1
    return total / np.maximum(cover, 1)


def _box(left: float, top: float, width: float, height: float, colour: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=2.2)


def columns_alone(test: ColumnTest, k: int = 8) -> str:
    """The share of the quality that each column carries, the largest first."""
    order = np.argsort(-test.share[:, 0], kind="stable")[:k]
    return svg(lambda ax: _draw_columns(ax, test, order), 1.0 + 0.27 * len(order))


def _draw_columns(ax: Axes, test: ColumnTest, order: np.ndarray) -> None:
    share, low, high = test.share[order].T
    names = [_plain(test.names[j]) for j in order]
    colours = [_RED if test.suspicious[j] else "#8a9bb0" for j in order]
    ax.barh(range(len(order)), share, color=colours, height=0.68)
    ax.errorbar(share, range(len(order)), xerr=[share - low, high - share], fmt="none", ecolor="#222222", capsize=2.5)
    ax.set_yticks(range(len(order)), names)
    ax.invert_yaxis()
    ax.set_xlim(min(0.0, float(low.min())), max(1.0, float(high.max())))
    ax.tick_params(labelsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xlabel("share that the column carries alone", fontsize=9)


def _plain(name: str) -> str:
    """A name as matplotlib may print it: a pair of `$` would be read as mathematics."""
    short = name if len(name) <= 30 else f"{name[:29]}…"
    return short.replace("$", r"\$")
