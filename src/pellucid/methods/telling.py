"""What a record of texts tells beside its numbers: the parts of each text, which of them were players, and where they stand."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.records import Players
from pellucid.models.adapter import Told


def told_of(texts: list[str], bounds: dict[int, Any]) -> Told:
    """Row -> the bound masker of its text; rows that a budget left out have none."""
    inner = {row: _spans(bound) for row, bound in bounds.items()}
    n, width = len(texts), max(len(spans.parts) for spans in inner.values())
    data, mask = np.full((n, width), "", dtype=object), np.zeros((n, width), dtype=bool)
    labels = np.full((n, max(1, *map(len, texts))), -1)
    for row, spans in inner.items():
        data[row, : len(spans.parts)] = spans.parts
        mask[row, : len(spans.parts)] = spans.seen
        labels[row, : len(texts[row])] = bounds[row].labels
    return Told(data, mask, tuple(texts), labels)


def told_warnings(told: Told, bounds: dict[int, Any], done: np.ndarray) -> tuple[str, ...]:
    """What was never seen, and what had nothing to hide."""
    found, n = [], len(done)
    unseen = np.array([_spans(bound).cut for bound in bounds.values()])
    if unseen.any():
        found.append(
            f"{int((unseen > 0).sum())} of {n} texts are longer than the model reads: {int(unseen.sum())} parts were never "
            "seen, their value is 0 and their mask False"
        )
    empty = int((done & ~told.mask.any(axis=1)).sum())
    if empty:
        found.append(f"{empty} of {n} texts have no words, so there is nothing to explain in them")
    return tuple(found)


def players_of(told: Told, values: np.ndarray, stderr: np.ndarray | None) -> Players:
    """The players of methods that hide nothing: the tokens themselves; values, stderr (n, t) -> (n, p)"""
    width = int(told.mask.sum(axis=1).max())
    own = tuple(tuple(row[there]) for row, there in zip(told.data, told.mask, strict=True))
    error = None if stderr is None else _packed(stderr, told.mask, width)
    return Players(_packed(values, told.mask, width), tuple(map(str, range(width))), error, told.labels, own)


def _packed(values: np.ndarray, mask: np.ndarray, width: int) -> np.ndarray:
    """(n, t) -> (n, width): each row's masked values at the front, then NaN"""
    made = np.full((len(values), width), np.nan)
    for row, there in enumerate(mask):
        made[row, : there.sum()] = values[row, there]
    return made


def _spans(bound: Any) -> Any:
    """The parts of a text, also behind groups of them."""
    while hasattr(bound, "inner"):
        bound = bound.inner
    return bound
