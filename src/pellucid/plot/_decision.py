"""The decision plot (SHAP's): each row's path from the base value, feature by feature, towards its score."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._beeswarm import strongest, table_of
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
    ax.axvline(base.mean(), color=GREY, linewidth=0.8, zorder=0)
    labels = [*[f"{left} other{'s' if left > 1 else ''}"] * bool(left), *(names[j] for j in order[::-1])]
    ax.set_yticks(np.arange(len(labels)) + 0.5, labels)
    ax.set_ylim(0, len(labels))
    ax.grid(axis="y", color=FAINT, linewidth=0.6)
    dress(ax, f"{title(attribution)} · {len(values)} rows", "base value + values so far; at the top, all of them")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax


def _ends(totals: np.ndarray) -> tuple[float, float]:
    low, high = float(totals.min()), float(totals.max())
    return (low, high) if high > low else (low - 1, high + 1)
