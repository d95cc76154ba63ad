"""Influence: what each training example did for what the model says of each query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.records import Record, per_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Influence(Record):
    """One number for every query and training example: `scores (q, n)`.

    **Positive means that training on this example lowers the query's loss** (it helps, a proponent); negative that it raises
    it (it harms, an opponent). Where `unit` is "loss", the number is by how much the query's loss would rise if training left that
    example out, to first order; other units only rank. `self_influence (n,)` is an example's influence on itself: large
    where nothing else in the training data teaches the model this answer, as with wrong labels. `stderr (q, n)` where the method
    draws random numbers, `residual (q,)` what an iterative solver left unsolved, relative to the query's gradient.
    """

    scores: np.ndarray = per_row()
    losses: np.ndarray = per_row()  # (q,) what was measured at each query
    stderr: np.ndarray | None = per_row(None)
    residual: np.ndarray | None = per_row(None)
    self_influence: np.ndarray | None = None
    unit: str = "loss"
    method: Any = None

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def helpful(self) -> np.ndarray:
        """(n,) the mean over queries: what each training example did for them all."""
        return np.asarray(self.scores.mean(axis=0))

    def proponents(self, k: int = 5, query: int = 0) -> list[tuple[int, float]]:
        """The training examples that help this query most, the most helpful first, each with its score."""
        return self._first(-self.scores[query], k, query)

    def opponents(self, k: int = 5, query: int = 0) -> list[tuple[int, float]]:
        """The training examples that harm this query most, the most harmful first, each with its score."""
        return self._first(self.scores[query], k, query)

    def _first(self, key: np.ndarray, k: int, query: int) -> list[tuple[int, float]]:
        order = np.argsort(key, kind="stable")[:k]
        return [(int(i), float(self.scores[query, i])) for i in order]

    def to_frame(self, k: int = 5) -> pd.DataFrame:
        """The k strongest proponents and opponents of each query, one line each."""
        import pandas as pd

        sides = (("proponent", self.proponents), ("opponent", self.opponents))
        lines = [
            (query, side, example, score)
            for query in range(len(self))
            for side, first in sides
            for example, score in first(k, query)
        ]
        return pd.DataFrame(lines, columns=["query", "side", "example", "score"])
