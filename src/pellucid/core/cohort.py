"""One question, asked of each group of rows by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.records import Record

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Cohorts(Record):
    """Does the answer differ between groups? One record per group, named by the group's value of `by`."""

    by: str
    names: tuple[str, ...]
    rows: np.ndarray  # (groups,) how many rows each answer rests on
    records: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: Any) -> Any:
        """The record of one group, by name."""
        if name not in self.names:
            raise InputError(f"no group {name!r} of {self.by!r}; there are {', '.join(self.names)}.")
        return self.records[self.names.index(name)]

    def to_frame(self) -> pd.DataFrame:
        """The groups' tables below one another, the group in front."""
        import pandas as pd

        tables = [
            record.to_frame().assign(**{self.by: name}) for name, record in zip(self.names, self.records, strict=True)
        ]
        whole = pd.concat(tables, ignore_index=True)
        return whole[[self.by, *(column for column in whole.columns if column != self.by)]]
