"""The best parts of a picture, as a mask: what a reader of superpixels wants to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.core.records import Attribution


def best_parts(
    attribution: Attribution, row: int, k: int, positive_only: bool, hide_rest: bool
) -> tuple[np.ndarray, np.ndarray]:
    """See `Attribution.best_parts`."""
    players = attribution.players
    if players is None or players.labels is None:
        raise InputError(
            "this record has no parts that share the places out: explain with masker=Superpixels(), LabelMap(labels), or a "
            "Grid() of windows that do not overlap."
        )
    if not 0 <= row < len(attribution):
        raise InputError(f"row {row} is out of range: the record has {len(attribution)} rows.")
    if k < 1:
        raise InputError(f"k={k}: choose at least 1 part.")
    values, labels = players.row(row)[1], players.labels[row]
    sign = np.sign(values).astype(int)
    chosen = np.argsort(-(values if positive_only else np.abs(values)), kind="stable")[:k]
    told = np.zeros(len(values) + 1, int)  # the last one is for places of no part, labelled -1
    told[chosen] = np.maximum(sign[chosen], 0) if positive_only else sign[chosen]
    mask = told[labels]
    return (_hidden(attribution, row, mask) if hide_rest else attribution.data[row].copy()), mask


def _hidden(attribution: Attribution, row: int, mask: np.ndarray) -> np.ndarray:
    axis = {"channels-first": 0, "channels-last": -1}.get(attribution.layout)
    seen = mask != 0 if axis is None else np.expand_dims(mask != 0, axis)
    return np.asarray(np.where(seen, attribution.data[row], 0))
