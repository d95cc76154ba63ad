"""Counterfactuals of many rows at a glance: which changes flip most of them, and for whom there is none, or a dearer one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.examples import Examples

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GroupRecourse:
    """One group of rows: how many, how many of them needed a change, for how many of those none was found (`proven`: provably so),
    and the quartiles of what it costs the others."""

    name: str
    rows: int
    needed: int
    without: int
    proven: int
    costs: tuple[float, float, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class ChangeSummary(Examples):
    """`indices (k,)`: for each of the commonest changes the row with the cheapest one of it, `weights (k,)` the share of all
    rows that
    needed a change and got this one, `curve` their running sum; `changes (k,)` says in words what changes.

    `importance (p,)` with its `names` is the share of answers that change each column, `up` and `down (p,)` in which direction
    (NaN for levels); `groups` has one entry a group, the whole first.
    """

    changes: tuple[str, ...]
    up: np.ndarray
    down: np.ndarray
    groups: tuple[GroupRecourse, ...]
    by: str | None = None

    def to_frame(self) -> pd.DataFrame:
        """One line for each of the commonest changes."""
        import pandas as pd

        return pd.DataFrame(
            {"changes": self.changes, "share": self.weights, "covered": self.curve, "row": self.indices}
        )

    def by_group(self) -> pd.DataFrame:
        """One line a group: rows, how many needed a change, for how many there was none, and what it cost the others."""
        import pandas as pd

        lines = [
            {
                "group": one.name,
                "rows": one.rows,
                "needed": one.needed,
                "without": one.without,
                "proven": one.proven,
                "share without": one.without / one.needed if one.needed else np.nan,
                "cost, lower quartile": one.costs[0],
                "cost, median": one.costs[1],
                "cost, upper quartile": one.costs[2],
            }
            for one in self.groups
        ]
        return pd.DataFrame(lines)
