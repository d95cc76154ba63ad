"""The decision plot (SHAP's): each row's path from the base value, feature by feature, towards its score.

Where a value is known with an error, the band around its path is the 95 % interval of the step that ends there.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._beeswarm import strongest, table_of
from pellucid.plot._errors import reach_of
from pellucid.plot._labels import feature_names, title
from pellucid.plot._style import FAINT, GREY, SEQUENTIAL, dress, paper


def decision(attribution: Attribution, k: int = 10, ax: Axes | None = None) -> Axes:
    """A line per row, read from the bottom: all but the k strongest features first, the strongest last."""
    values, base = table_of(attribution)[0], attribution.base_values[attribution.done]
    if not len(values) or not np.isfinite(base).all():
        raise InputError("a decision plot starts at base values, and this record has none: use plot.beeswarm.")
    order, names = strongest(values, k), feature_names(attribution)
    left = values.shape[1] - len(order)
    rest = [values.sum(axis=1) - values[:, order].sum(axis=1)] if left else []
    paths = np.cumsum(np.column_stack([base, *rest, values[:, order[::-1]]]), axis=1)  # (n, k + 1 or 2)
    ax = paper(ax, 1.2 + 0.3 * (paths.shape[1] - 1))
    shade = SEQUENTIAL(Normalize(*_ends(paths[:, -1]))(paths[:, -1]))
    for path, colour in zip(paths, shade, strict=True):
        ax.plot(path, range(len(path)), color=colour, linewidth=1.1, alpha=0.8)
    reach = reach_of(attribution)
    if reach is not None:
        start = np.full((len(base), 2), np.nan) if left else np.zeros((len(base), 1))
        _bands(ax, paths, np.hstack([start, reach[:, order[::-1]]]), shade)
    ax.axvline(base.mean(), color=GREY, linewidth=0.8, zorder=0)
    labels = [*[f"{left} other{'s' if left > 1 else ''}"] * bool(left), *(names[j] for j in order[::-1])]
    ax.set_yticks(np.arange(len(labels)) + 0.5, labels)
    ax.set_ylim(0, len(labels))
    ax.grid(axis="y", color=FAINT, linewidth=0.6)
    footer = "base value + values so far; at the top, all of them"
    footer += "\nbands: 95\u00a0% interval of the step that ends there" * (reach is not None)
    dress(ax, f"{title(attribution)} · {len(values)} rows", footer)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


def _bands(ax: Axes, paths: np.ndarray, reach: np.ndarray, shade: np.ndarray) -> None:
    """paths, reach (n, steps): the interval of each step by itself; none where its error is not known (NaN)."""
    for path, half, colour in zip(paths, reach, shade, strict=True):
        ax.fill_betweenx(range(len(path)), path - half, path + half, color=colour, alpha=0.2, linewidth=0, zorder=0.5)


def _ends(totals: np.ndarray) -> tuple[float, float]:
    low, high = float(totals.min()), float(totals.max())
    return (low, high) if high > low else (low - 1, high + 1)
