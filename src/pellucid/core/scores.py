"""What evaluation hands back: a curve and a line per metric, a scorecard per explanation, a comparison of several."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.dispute import Dispute, Evidence
from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Record, per_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve(Record):
    """What one metric says of one attribution, row by row.

    `value (n,)` is the metric; `chance (n,)` the same for a random explanation where that makes sense, `reverse (n,)` for the same
    order backwards; `x (s,)` and `curves`, `chance_curves`, `reverse_curves (n, s)` where the metric is an area; `detail` further
    numbers `(n,)` or `(n, ...)` by name.
    """

    metric: str
    higher_is_better: bool
    value: np.ndarray = per_row()
    chance: np.ndarray | None = per_row(None)
    reverse: np.ndarray | None = per_row(None)
    x: np.ndarray | None = None
    curves: np.ndarray | None = per_row(None)
    chance_curves: np.ndarray | None = per_row(None)
    reverse_curves: np.ndarray | None = per_row(None)
    detail: dict[str, np.ndarray] = field(default_factory=dict)
    labels: tuple[str, ...] = ()  # names of the columns of details (n, k): layers, other methods, fills
    degenerate: np.ndarray | None = per_row(None)  # (n,) True where the map is constant and its ranking says nothing

    def __len__(self) -> int:
        return len(self.value)

    def _selected(self, index: np.ndarray) -> dict[str, Any]:
        return {"detail": {name: value[index] for name, value in self.detail.items()}}

    @property
    def advantage(self) -> np.ndarray:
        """(n,) how much better than chance, positive = better; NaN without a chance level."""
        return self._better_than(self.chance)

    @property
    def over_reverse(self) -> np.ndarray:
        """(n,) how much better than its own order backwards, positive = better; NaN where there is none."""
        return self._better_than(self.reverse)

    def _better_than(self, other: np.ndarray | None) -> np.ndarray:
        if other is None:
            return np.full(len(self.value), np.nan)
        return (self.value - other) * (1 if self.higher_is_better else -1)


@dataclass(frozen=True)
class Line:
    """One metric in a scorecard: mean over rows with its 95 % interval, and the paired advantage over chance with its own.

    Where a metric judges an order, also the paired advantage over the same order backwards.
    """

    metric: str
    mean: float
    low: float
    high: float
    chance: float | None
    advantage: float | None
    advantage_low: float | None
    advantage_high: float | None
    higher_is_better: bool
    verdict: str
    rows: int = 0  # rows that the verdict rests on
    degenerate: int = 0  # rows whose map is constant
    reverse: float | None = None
    over_reverse: float | None = None
    over_reverse_low: float | None = None
    over_reverse_high: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Scorecard(Record):
    """Is it any good? One `Curve` and one `Line` per metric."""

    lines: tuple[Line, ...]
    curves: tuple[Curve, ...]
    method: str = ""

    def __getitem__(self, name: Any) -> Any:
        """The curve of a metric by its name, its spelling or its value."""
        for curve in self.curves:
            if name == curve.metric or name == curve.receipt.method or repr(name) == curve.receipt.method:
                return curve
        known = ", ".join(curve.metric for curve in self.curves)
        raise InputError(f"no metric {name!r} in this scorecard; it has {known}.")

    def to_frame(self) -> pd.DataFrame:
        """One line per metric."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(line) for line in self.lines])


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison(Record):
    """Several methods on the same rows: an attribution and a scorecard each, and how far their rankings agree."""

    attributions: tuple[Attribution, ...]
    scorecards: tuple[Scorecard, ...]
    names: tuple[str, ...]
    agreement: np.ndarray  # (methods, methods) mean rank correlation of signed values over rows
    overlap: np.ndarray  # (methods, methods) mean share of the k largest magnitudes that both have
    by_row: np.ndarray  # (n, methods, methods) rank correlation, NaN where a map is constant
    k: int
    kendall: np.ndarray  # (methods, methods) mean of Kendall's tau-b of signed values over rows
    disputes: tuple[
        Dispute, ...
    ] = ()  # every pair of methods: where they disagree, and which side the evidence supports

    def to_frame(self) -> pd.DataFrame:
        """One line per method and metric."""
        import pandas as pd

        frames = [card.to_frame().assign(method=name) for name, card in zip(self.names, self.scorecards, strict=True)]
        return pd.concat(frames, ignore_index=True)

    def disputed(self) -> pd.DataFrame:
        """One line per pair of methods and metric: on how many rows they disagree, about what, and the paired evidence there."""
        import pandas as pd

        lines = [
            {
                "first": dispute.first,
                "second": dispute.second,
                "disputed_rows": len(dispute.rows),
                "features": ", ".join(dispute.features),
                **dataclasses.asdict(evidence),
            }
            for dispute in self.disputes
            for evidence in dispute.evidence or (_NO_EVIDENCE,)
        ]
        names = ["first", "second", "disputed_rows", "features", *(f.name for f in dataclasses.fields(Evidence))]
        return pd.DataFrame(lines, columns=names)


_NO_EVIDENCE = Evidence("", np.nan, np.nan, np.nan, 0, None)
