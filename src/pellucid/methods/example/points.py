"""Rows as points, between which distances mean something.

Arrays are taken as they are, one long row each, so that pixels and embeddings keep their own scale. A frame's columns have
different units: numbers are divided by their standard deviation, and each level is a coordinate of its own, 1 / sqrt(2)
where the row has it, so that two rows of different levels are 1 apart.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.frames import Codec, is_frame
from pellucid.core.inputs import checked, plain_array
from pellucid.core.schema import Column


def as_points(*given: Any) -> tuple[np.ndarray, ...]:
    """Rows of any kind, several lots of one kind -> (n, d) each, finite, in the units of the first."""
    if is_frame(given[0]):
        return _of_frames(given)
    lots = [checked(plain_array(X), "X") for X in given]
    return tuple(_finite(rows.reshape(len(rows), -1).astype(float)) for rows in lots)


def _finite(points: np.ndarray) -> np.ndarray:
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} of {len(bad)} rows hold NaN or infinite values (the first is row {int(bad.argmax())}), and no "
            "distance to them is known: leave those rows out or fill them in."
        )
    return points


def _of_frames(frames: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    codec = Codec.learn(*frames)
    lots, columns = [checked(codec.encode(frame), "X") for frame in frames], codec.schema.columns
    for coded in lots:
        _check_known(coded, [column.name for column in columns])
    units = lots[0].std(axis=0)
    return tuple(
        np.hstack(
            [
                _coordinates(column, values, unit or 1.0)
                for column, values, unit in zip(columns, coded.T, units, strict=True)
            ]
        )
        for coded in lots
    )


def _coordinates(column: Column, values: np.ndarray, unit: float) -> np.ndarray:
    """(n,) -> (n, 1), or (n, levels)"""
    if column.kind == "level":
        return np.eye(len(column.levels))[values.astype(int)] / np.sqrt(2)
    return values[:, None] / unit


def _check_known(coded: np.ndarray, names: list[str]) -> None:
    missing = ~np.isfinite(coded)
    if missing.any():
        j = int(missing.any(axis=0).argmax())
        raise InputError(
            f"column {names[j]!r} is missing or infinite in {int(missing[:, j].sum())} of {len(coded)} rows, and no distance to "
            "them is known: leave those rows out or fill them in."
        )


def repeated(points: np.ndarray) -> int:
    """(n, d) -> how many rows equal one before them."""
    seen = {hashlib.blake2b((row + 0.0).tobytes(), digest_size=16).digest() for row in points}
    return len(points) - len(seen)
