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


def as_points(X: Any) -> np.ndarray:
    """rows of any kind -> (n, d), finite"""
    if is_frame(X):
        return _of_frame(X)
    rows = checked(plain_array(X), "X")
    points = rows.reshape(len(rows), -1).astype(float)
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        raise InputError(
            f"{int(bad.sum())} of {len(bad)} rows hold NaN or infinite values (the first is row {int(bad.argmax())}), and no "
            "distance to them is known: leave those rows out or fill them in."
        )
    return points


def _of_frame(frame: Any) -> np.ndarray:
    codec = Codec.learn(frame)
    coded = codec.encode(frame)
    checked(coded, "X")
    parts = []
    for column, values in zip(codec.schema.columns, coded.T, strict=True):
        missing = ~np.isfinite(values)
        if missing.any():
            raise InputError(
                f"column {column.name!r} is missing or infinite in {int(missing.sum())} of {len(values)} rows, and no distance to "
                "them is known: leave those rows out or fill them in."
            )
        if column.kind == "level":
            parts.append(np.eye(len(column.levels))[values.astype(int)] / np.sqrt(2))
        else:
            parts.append(values[:, None] / (values.std() or 1.0))
    return np.hstack(parts)


def repeated(points: np.ndarray) -> int:
    """(n, d) -> how many rows equal one before them."""
    seen = {hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=16).digest() for row in points + 0.0}
    return len(points) - len(seen)
