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

    `weights (k,)` says how much each one brings; `curve (k,)` how good the first 1, 2, ... k of them are together (for
    SubmodularPick, the share of all importance that they cover). `criticisms` are rows that the prototypes do not stand for,
    and `witness` how far each row is from being stood for, where a method finds them. For explanations of explained rows,
    `importance (p,)` is that of each feature over all rows, with its `names`.
    """

    indices: np.ndarray
    weights: np.ndarray
    curve: np.ndarray
    criticisms: np.ndarray | None = None
    witness: np.ndarray | None = None
    importance: np.ndarray | None = None
    names: tuple[str, ...] | None = None
    method: Any = None

    def __len__(self) -> int:
        return len(self.indices)

    def to_frame(self) -> pd.DataFrame:
        """One line per prototype, in the order of picking."""
        import pandas as pd

        return pd.DataFrame({"row": self.indices, "weight": self.weights, "covered": self.curve})
