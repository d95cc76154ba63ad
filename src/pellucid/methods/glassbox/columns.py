"""Tables as rule learners see them: numbers as they are, levels as their place among the training rows' levels.

A value that no training row had is no error here: a rule that asks for a level does not hold for another one, whatever it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.frames import Codec, is_frame
from pellucid.core.inputs import plain_data
from pellucid.core.schema import Column

UNSEEN = -1.0  # the code of a level that no training row had


@dataclass(frozen=True, eq=False)
class Columns:
    """What the training rows' columns are."""

    columns: tuple[Column, ...]

    @classmethod
    def learn(cls, X: Any, names: tuple[str, ...] | None = None) -> Columns:
        """From a frame, or from an array (n, p) of numbers whose columns may have names."""
        if is_frame(X):
            return cls(Codec.learn(X).schema.columns)
        kind: Any = "integer" if X.dtype.kind in "iub" else "number"
        return cls(tuple(Column(f"x{j}" if names is None else names[j], kind, str(X.dtype)) for j in range(X.shape[1])))

    def encode(self, X: Any) -> np.ndarray:
        """(n, p) numbers and codes, NaN where missing; the columns of a frame are found by name, of an array by place."""
        cells, _, names = plain_data(X)
        known = names is not None and {column.name for column in self.columns} <= set(names)
        found = [names.index(column.name) if known else j for j, column in enumerate(self.columns)]  # type: ignore[union-attr]
        return np.column_stack(
            [_codes(cells[:, at], column) for at, column in zip(found, self.columns, strict=True)]
        ).astype(float)


def _codes(values: np.ndarray, column: Column) -> np.ndarray:
    if column.kind != "level":
        try:
            return values.astype(float)
        except (TypeError, ValueError) as error:
            raise InputError(f"column {column.name!r} held numbers when the model was fitted: {error}.") from error
    place = {level: float(code) for code, level in enumerate(column.levels)}
    return np.array([np.nan if value is None else place.get(value, UNSEEN) for value in values.tolist()])
