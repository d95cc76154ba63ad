"""What the columns of a table are, in plain facts.

Inside, a table is a float matrix `(n, p)`: numbers stand for themselves, anything else for its position in the
column's `levels`. `models/tabular.py` turns frames into this and back; methods only ask `kind` and `levels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["number", "integer", "level"]


@dataclass(frozen=True)
class Column:
    """One column: `dtype` as its frame spells it; `levels`, the values that codes stand for, when it has no numbers.

    `text` where these are texts to be read rather than levels to be told apart: nearly all different, of several words.
    """

    name: str
    kind: Kind
    dtype: str
    levels: tuple[Any, ...] = ()
    ordered: bool = False
    text: bool = False


@dataclass(frozen=True)
class Schema:
    """The columns of a frame in order; `library` is the kind of frame the model is fed ("pandas", "polars", ...)."""

    columns: tuple[Column, ...]
    library: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that hold texts."""
        return tuple(column.name for column in self.columns if column.text)

    @property
    def coded(self) -> np.ndarray:
        """(p,) True where a column holds codes of levels, not numbers."""
        return of_kind(self.columns, "level")

    @property
    def whole(self) -> np.ndarray:
        """(p,) True where a column holds integers: a perturbed value has to be rounded."""
        return of_kind(self.columns, "integer")

    def readable(self, matrix: np.ndarray) -> np.ndarray:
        """The values a person knows: (n, p) floats -> (n, p), of objects where a column has levels."""
        if not self.coded.any():
            return matrix
        shown = matrix.astype(object)
        for j in np.flatnonzero(self.coded):
            levels = self.columns[j].levels
            shown[:, j] = [None if np.isnan(code) else levels[int(code)] for code in matrix[:, j]]
        return shown


def of_kind(columns: Sequence[Column], kind: str) -> np.ndarray:
    """(p,) True where a column is of this kind"""
    return np.array([column.kind == kind for column in columns], dtype=bool)
