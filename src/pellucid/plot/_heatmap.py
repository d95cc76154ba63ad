"""The heat map over rows (SHAP's): rows across in the order of their score, the most important features downwards.

A dot marks a cell whose 95 % interval holds zero: its sign, and with it its colour, is not known.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.records import Attribution
from pellucid.plot._beeswarm import strongest, table_of
from pellucid.plot._errors import reach_of
from pellucid.plot._labels import feature_names, title
from pellucid.plot._paint import limit_of, paint
from pellucid.plot._style import FAINT, INK, SMALL, bare, colour_bar, dress, message, paper, width_of


def heatmap(attribution: Attribution, k: int = 10, ax: Axes | None = None, *, limit: float | None = None) -> Axes:
    """Values of the k strongest features in every row, with the score as a line on top."""
    values, names = table_of(attribution)[0], feature_names(attribution)
    order = strongest(values, k)
    ax = paper(ax, 1.6 + 0.26 * len(order))
    if not values.any():
        return message(ax, "nothing to draw: no row is done, or every value is zero", title(attribution))
    scores = attribution.scores[attribution.done]
    by_score = np.argsort(-scores, kind="stable")
    shown = values[by_score][:, order].T  # (k, n)
    limit, clipped = limit_of(shown, limit)
    n = shown.shape[1]
    wide = paint(np.repeat(shown, max(1, n // len(order)), axis=0), limit)  # blocks near square, so that stripes slant
    ax.imshow(wide, extent=(-0.5, n - 0.5, len(order) - 0.5, -0.5), aspect="auto")
    bare(ax)
    ax.set_yticks(range(len(order)), [names[j] for j in order])
    ax.tick_params(length=0)
    reach = reach_of(attribution)
    marked = reach is not None and _mark(ax, np.abs(shown) <= reach[by_score][:, order].T)
    words = f"{n} rows, highest score first" + "; dots: the 95\u00a0% interval holds zero" * marked
    ax.set_xlabel(words, fontsize=SMALL)
    colour_bar(ax, limit, clipped=clipped)
    _scores(ax, scores[by_score], title(attribution))
    return ax


def _mark(ax: Axes, unsure: np.ndarray) -> bool:
    """A dot in each of these cells (k, n), as large as a cell allows; whether there is one."""
    places, rows = np.nonzero(unsure)
    cell = 0.7 * width_of(ax) / unsure.shape[1]  # points; the key takes some of the width
    size = min(max(cell / 3, 0.8), 3.5)
    ax.scatter(rows, places, s=size**2, color=INK, linewidths=0)
    return bool(len(rows))


def _scores(ax: Axes, scores: np.ndarray, heading: str) -> None:
    top = ax.inset_axes((0, 1.03, 1, 0.2))
    top.plot(scores, color=INK, linewidth=1.3)
    top.set_xlim(-0.5, len(scores) - 0.5)
    dress(top, heading, ylabel="score")
    top.set_xticks([])
    top.spines["bottom"].set_color(FAINT)
