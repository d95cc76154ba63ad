"""Examples: a few rows that stand for many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.records import Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Examples(Record):
    """A few rows that stand for many: `indices (k,)` in the order in which they were picked, prototypes only.

    `weights (k,)` says how much each one brings; `curve (k,)` how good the first 1, 2, ... k of them are together, in terms of
    `measure`: the share of all importance that they cover, or the squared discrepancy (MMD^2) that they leave. `criticisms (c,)`
    are rows that the prototypes do not stand for; `witness (n,)` is positive where rows are underrepresented and negative where
    they are overrepresented. `nearest (n,)` is the position of the nearest prototype; with `labels (n,)`, `accuracy` is the share
    of rows, prototypes aside, whose nearest prototype has their label. Of rows that are explained, `importance (p,)` is that of
    each feature over all of them, with its `names`.
    """

    indices: np.ndarray
    weights: np.ndarray
    curve: np.ndarray
    measure: str = "covered"
    criticisms: np.ndarray | None = None
    witness: np.ndarray | None = None
    nearest: np.ndarray | None = None
    accuracy: float | None = None
    labels: np.ndarray | None = None
    importance: np.ndarray | None = None
    names: tuple[str, ...] | None = None
    method: Any = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shares(self) -> np.ndarray | None:
        """(k,) the share of all rows to which each prototype is the nearest."""
        if self.nearest is None:
            return None
        return np.bincount(self.nearest, minlength=len(self)) / len(self.nearest)

    def to_frame(self) -> pd.DataFrame:
        """One line per prototype, in the order of picking."""
        import pandas as pd

        label = {} if self.labels is None else {"label": self.labels[self.indices]}
        share = {} if self.shares is None else {"nearest to": self.shares}
        return pd.DataFrame({"row": self.indices, **label, "weight": self.weights, self.measure: self.curve, **share})
