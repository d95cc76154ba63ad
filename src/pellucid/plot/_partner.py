"""Which other column closes what a dependence scatter leaves open.

With interactions at hand (`pc.interact`), the column whose interaction with the feature is largest on average. Without, an
estimate from the values alone: rows are cut into slices of nearly equal feature value; what still varies inside a slice is
no main effect, and the column whose ranks go with it (mean |correlation| over slices) is the partner. Slices smaller than
ten rows say nothing, so few rows have no partner.
"""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Interactions
from pellucid.plot._beeswarm import ranks

_SLICE, _MOST = 10, 50  # rows in a slice


def by_interactions(record: Interactions, feature: int) -> int:
    """The column that acts most together with a feature."""
    p = record.values.shape[1]
    if p < 2:
        raise InputError("these interactions are of one column: there is no other to colour by.")
    size = np.abs(record.values[:, feature]).mean(axis=0)
    size[feature] = -1
    return int(size.argmax())


def by_values(attribution: Attribution, feature: int) -> int | None:
    """The column whose values go with what the feature's own value leaves open; None where too few rows tell."""
    done = attribution.done
    own, values = ranks(attribution.data[done, feature]), attribution.values[done, feature]
    if not np.isfinite(own).any():
        return None
    order = np.argsort(attribution.data[done, feature].astype(float), kind="stable")
    width = int(np.clip(len(order) // 10, _SLICE, _MOST))
    slices = [order[i : i + width] for i in range(0, len(order) - width + 1, width)]
    scores = [
        -1.0 if j == feature else _together(values, ranks(attribution.data[done, j]), slices)
        for j in range(attribution.values.shape[1])
    ]
    return int(np.argmax(scores)) if len(slices) > 1 and max(scores) > 0 else None


def _together(values: np.ndarray, other: np.ndarray, slices: list[np.ndarray]) -> float:
    """Mean |correlation| inside slices, weighted by what varies there."""
    total = 0.0
    for rows in slices:
        a, b = values[rows], other[rows]
        if np.isfinite(b).all() and np.ptp(a) > 0 and np.ptp(b) > 0:
            total += float(a.std() * abs(np.corrcoef(a, b)[0, 1]))
    return total
