"""The dependence scatter (SHAP's): a feature's own value across, what it did to the score upwards, a dot per row.

What one feature's value leaves open shows as vertical spread; colour by a second feature tells whether that one closes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Interactions
from pellucid.plot._beeswarm import colour_key, ranks
from pellucid.plot._labels import cell, feature_names, shorten, title
from pellucid.plot._partner import by_interactions, by_values
from pellucid.plot._style import FAINT, GREY, INK, SEQUENTIAL, Z95, dress, paper


def scatter(
    attribution: Attribution, feature: str | int, by: str | int | Interactions | None = None, ax: Axes | None = None
) -> Axes:
    """One column of a table by name or number; whiskers are 95 % intervals.

    `by` is the column that colours the dots: a name or number, interactions of these rows (the column that acts most
    together with this one), or "strongest", which estimates that column from the values.
    """
    if attribution.layout != "table":
        raise InputError(f"scatter draws columns of a table; this record's layout is {attribution.layout!r}.")
    j, done = _column(attribution, feature), attribution.done
    across, levels = _positions(attribution.data[done, j])
    values = attribution.values[done, j]
    ax = paper(ax, 3.2)
    ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    if attribution.stderr is not None:
        reach = Z95 * attribution.stderr[done, j]
        ax.errorbar(across, values, yerr=reach, fmt="none", ecolor=FAINT, elinewidth=1, zorder=0.5)
    other = _other(attribution, j, by)
    _dots(ax, across, values, None if other is None else attribution.data[done, other])
    if other is not None:
        colour_key(ax, feature_names(attribution)[other])
    if levels is not None:
        ax.set_xticks(range(len(levels)), levels)
    return dress(ax, title(attribution), feature_names(attribution)[j], "value: above 0 raises the score")


def _other(attribution: Attribution, feature: int, by: str | int | Interactions | None) -> int | None:
    """The column that colours the dots."""
    if by is None:
        return None
    if isinstance(by, Interactions):
        return by_interactions(by, feature)
    if by == "strongest" and by not in (attribution.feature_names or ()):
        return by_values(attribution, feature)
    return _column(attribution, by)


def _column(attribution: Attribution, feature: str | int) -> int:
    p = attribution.values.shape[1]
    if isinstance(feature, int):
        if -p <= feature < p:
            return feature % p
    elif attribution.feature_names is not None and feature in attribution.feature_names:
        return attribution.feature_names.index(feature)
    known = ", ".join(shorten(name) for name in (attribution.feature_names or ())[:20])
    names = f", or one of {known}" if known else ""
    raise InputError(f"no column {feature!r} among {p}: give a number from 0 to {p - 1}{names}.")


def _positions(column: np.ndarray) -> tuple[np.ndarray, list[str] | None]:
    """(n,) where each row goes across; the names of the levels where the column has no numbers."""
    try:
        return column.astype(float), None
    except (TypeError, ValueError):
        words = [cell(value) for value in column]
        levels = sorted(set(words))
        return np.array([levels.index(word) for word in words], dtype=float), levels


def _dots(ax: Axes, across: np.ndarray, values: np.ndarray, colour: np.ndarray | None) -> None:
    look: dict[str, Any] = {"s": 16, "linewidths": 0.25, "edgecolors": "#00000070"}
    shade = np.full(len(values), np.nan) if colour is None else ranks(colour)
    plain = np.isnan(shade)
    ax.scatter(across[plain], values[plain], color=INK if colour is None else GREY, **look)
    ax.scatter(across[~plain], values[~plain], c=shade[~plain], cmap=SEQUENTIAL, vmin=0, vmax=1, **look)
