"""Standard errors as every picture of many values draws them: 95 % intervals, each of one value by itself.

Errors of different features of a row depend on each other (where values add up, they cancel), so the error of a sum of
values is not known from theirs: an interval is drawn where a value ends, and never added up along the way.
"""

from __future__ import annotations

import numpy as np

from pellucid.core.records import Attribution
from pellucid.plot._style import Z95

WHISKERS = "whiskers: 95\u00a0% interval"
_VISIBLE = 1e-9  # of the largest value; below, an interval is rounding


def reach_of(attribution: Attribution) -> np.ndarray | None:
    """Half widths of 95 % intervals (n, p) of the finished rows' values or players; None where none is known to be wide."""
    done = attribution.done
    players = attribution.players
    stderr = attribution.stderr if players is None else players.stderr
    if stderr is None:
        return None
    reach = Z95 * stderr.reshape(len(done), -1)[done]
    values = attribution.values.reshape(len(done), -1)[done] if players is None else players.values[done]
    largest = np.nanmax(np.abs(values), initial=0)
    return reach if np.nanmax(reach, initial=0) > _VISIBLE * largest else None
