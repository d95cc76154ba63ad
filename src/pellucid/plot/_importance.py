"""What matters overall: a bar per feature with its 95 % interval; larger is more important for scores and losses."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from scipy.special import stdtrit

from pellucid.core.errors import InputError
from pellucid.core.records import Importance
from pellucid.plot._bar import draw_whiskers, height_of, label_end
from pellucid.plot._labels import number, shorten, unrounded
from pellucid.plot._style import GREY, PLAIN, Z95, dress, leave_room, message, name_rows, paper

_SHORT = 0.05  # of the width: the number of a shorter bar below zero goes to the right of it, off the names


def importance(record: Importance, k: int = 12, ax: Axes | None = None) -> Axes:
    """The k most important features from the top down; whiskers are 95 % t intervals over repeats, or rows."""
    if k < 1:
        raise InputError(f"k={k}: show at least one feature.")
    known = int((~np.isnan(record.mean)).sum())
    order = np.argsort(-record.mean, kind="stable")[: min(k, known)]  # what is undefined comes last
    if not known:
        return message(
            ax or paper(None, height_of(1)), "undefined: there is nothing to take a share of", _heading(record)
        )
    mean, stderr = unrounded(np.nan_to_num(record.mean))[order], record.stderr[order]
    ax = paper(ax, height_of(len(order)))
    ax.barh(np.arange(len(order)), mean, height=0.68, color=PLAIN, linewidth=0)
    draw_whiskers(ax, mean, stderr, _quantile(record))
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [shorten(record.names[i]) for i in order])
    _numbers(ax, mean, _quantile(record) * np.nan_to_num(stderr))
    return dress(ax, _heading(record), _footer(record, len(order)))


def _heading(record: Importance) -> str:
    return f"{record.receipt.method.partition('(')[0]} · {record.metric}"


def _quantile(record: Importance) -> float:
    """Student's, since repeats are few."""
    repeats = record.samples.shape[-1]
    return float(stdtrit(repeats - 1, 0.975)) if repeats > 1 else Z95


def _numbers(ax: Axes, mean: np.ndarray, reach: np.ndarray) -> None:
    low, high = float(np.minimum(0, mean - reach).min()), float(np.maximum(0, mean + reach).max())
    left = mean < -_SHORT * (high - low)
    leave_room(ax, low, high, (bool(left.any()), True))
    for place, value in enumerate(mean):
        end = value - reach[place] if left[place] else max(value + reach[place], 0)
        label_end(ax, number(value), place, end, left=bool(left[place]))


def _footer(record: Importance, shown: int) -> str:
    undefined = int(np.isnan(record.mean).sum())
    left = len(record.names) - shown - undefined
    more = (f"; {left} more not shown" if left else "") + (f"; {undefined} undefined" if undefined else "")
    if record.receipt.method.startswith("FriedmanH"):
        of = "the score's variance" if record.metric == "H²" else "the two columns' joint effect"
        what, times = f"the share of {of} that is interaction", "rows"
    elif record.receipt.method.startswith("ShapImportance"):
        what, times = f"how far it moves the score from the base value, {number(record.baseline)}", "rows"
    else:
        what, times = f"how much worse without it; untouched data: {number(record.baseline)}", "repeats"
    return f"{what}\nwhiskers: 95\u00a0% interval over {record.samples.shape[-1]:,} {times}{more}"
