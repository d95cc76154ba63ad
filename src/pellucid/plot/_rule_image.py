"""A rule on the parts of a picture: the parts that are enough in full colour and outlined, the rest pale or hidden."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.rules import Rules
from pellucid.plot._labels import plain
from pellucid.plot._paint import picture_of
from pellucid.plot._style import INK, bare, paper
from pellucid.plot._superpixels import drawn


def rule_image(record: Rules, row: int = 0, ax: Axes | None = None, *, hide_rest: bool = False) -> Axes:
    """One row's rule where it is: its parts outlined, and below what it holds for and how surely."""
    if record.labels is None or record.labels.ndim != 3:
        raise InputError("rule_image draws rules on the parts of pictures, as of masker=Superpixels(): use plot.rules.")
    if not -len(record) <= row < len(record):
        raise InputError(f"row={row}: the record has {len(record)} rows, numbered from 0.")
    row %= len(record)
    parts = [condition.column for condition in record.rules[row]]
    mask = np.isin(record.labels[row], parts).astype(int)
    h, w = mask.shape
    ax = paper(ax, float(np.clip(0.6 + 3.7 * h / w, 1.8, 6.0)), 5.0, layout="compressed")
    seen = picture_of(record, row)
    pixels = drawn(seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, 2), mask, hide_rest, ((1, INK),))
    ax.imshow(pixels, extent=(-0.5, w - 0.5, h - 0.5, -0.5))
    return bare(ax, _title(record, row), _footer(record, row, float(mask.mean())))


def _title(record: Rules, row: int) -> str:
    which = f" · row\u00a0{row}" if len(record) > 1 else ""
    verb = "Enough for" if record.reached[row] else "Most precise rule for"
    return plain(f"{verb} {record.answers[row]}{which}")


def _footer(record: Rules, row: int, area: float) -> str:
    """How much is shown, and the share of perturbed pictures under the rule that keep the answer, with its bounds."""
    k = len(record.rules[row])
    what = f"{k} part{'s' * (k != 1)} on {area:.0%} of the places" if k else "no part is needed"
    held = f"{record.precision[row]:.0%} keep the answer ({record.low[row]:.0%} to {record.high[row]:.0%})"
    return f"{what}; {held}"
