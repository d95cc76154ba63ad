"""Similarity: how alike the layers of two networks are, over the same inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.records import Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Similarity(Record):
    """`matrix (a, b)`: the similarity of each of a layers, named in `rows (a,)`, and each of b others, named in `columns (b,)`.

    `value` is the mean of `matrix`: of two single layers their similarity. `chance (a, b)` is what layers that have nothing to do
    with each other come to by their sizes and spread alone. `stderr (a, b)` is known where the inputs are taken in batches.
    `n` inputs were looked at. Layers that do not vary over them are NaN throughout.
    """

    value: float
    matrix: np.ndarray
    chance: np.ndarray
    stderr: np.ndarray | None = None
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    n: int
    method: Any = None

    @property
    def matches(self) -> np.ndarray:
        """(a,) the position in `columns` of the layer most similar to each of `rows`; -1 where none is known"""
        known = ~np.isnan(self.matrix).all(axis=1)
        return np.where(known, np.nan_to_num(self.matrix, nan=-np.inf).argmax(axis=1), -1)

    def to_frame(self) -> pd.DataFrame:
        """The matrix, one line per layer of `rows`."""
        import pandas as pd

        return pd.DataFrame(self.matrix, index=list(self.rows), columns=list(self.columns))
