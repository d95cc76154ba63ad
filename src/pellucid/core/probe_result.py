"""ProbeResult: what can be read off each layer, and how much of that is the probe's own memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.records import Record, per_row

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class ProbeResult(Record):
    """One probe for each of l layers, in the order asked for.

    `accuracy (l,)` on held-out examples, with `stderr` and the ends `low` and `high` of its 95 % interval (examples of one row
    count as one another's company); `control (l,)` the same probe's held-out accuracy on control labels, `selectivity` their
    difference with `selectivity_stderr`; `trained (l,)` and `memorised (l,)` the accuracies on the examples that the probe and the
    control probe learned from. NaN where no control task was asked for.

    `majority` is the accuracy of always saying the commonest label, `by_type` that of saying each type's commonest (words: without
    looking at the context); NaN without types. `unit` says what has a label: "row", "word" or "token".
    """

    layers: tuple[str, ...] = per_row()
    accuracy: np.ndarray = per_row()
    stderr: np.ndarray = per_row()
    low: np.ndarray = per_row()
    high: np.ndarray = per_row()
    control: np.ndarray = per_row()
    selectivity: np.ndarray = per_row()
    selectivity_stderr: np.ndarray = per_row()
    trained: np.ndarray = per_row()
    memorised: np.ndarray = per_row()
    width: np.ndarray = per_row()  # numbers of a vector
    majority: float = float("nan")
    by_type: float = float("nan")
    classes: tuple[Any, ...] = ()
    train: int = 0  # examples
    test: int = 0
    unit: str = "row"
    method: Any = None

    def __len__(self) -> int:
        return len(self.layers)

    @property
    def controlled(self) -> bool:
        """Whether there was a control task."""
        return bool(np.isfinite(self.control).all())

    @property
    def best(self) -> str:
        """The layer with the highest accuracy; of equals the most selective, and the first of those."""
        return self.layers[int(np.lexsort((-np.nan_to_num(self.selectivity), -self.accuracy))[0])]

    def to_frame(self) -> pd.DataFrame:
        """One line per layer."""
        import pandas as pd

        return pd.DataFrame(
            {
                "layer": self.layers,
                "accuracy": self.accuracy,
                "low": self.low,
                "high": self.high,
                "control": self.control,
                "selectivity": self.selectivity,
                "trained": self.trained,
                "memorised": self.memorised,
                "width": self.width,
            }
        )

    def words(self) -> tuple[str, ...]:
        """Plain sentences: where the label is read best, against what, and whether the probe remembers."""
        at = self.layers.index(self.best)
        said = [
            f"{self.best}: {self.accuracy[at]:.1%} of {self.test:,} held-out {self.unit}s right "
            f"[{self.low[at]:.1%}, {self.high[at]:.1%}]; always the commonest label: {self.majority:.1%}"
            + (f"; each type's commonest: {self.by_type:.1%}." if np.isfinite(self.by_type) else ".")
        ]
        if self.controlled:
            said.append(
                f"control labels: {self.control[at]:.1%}, so selectivity {self.selectivity[at]:.1%} "
                f"± {1.96 * self.selectivity_stderr[at]:.1%}."
            )
        weak = [
            name for name, gain in zip(self.layers, self.selectivity, strict=True) if self.controlled and gain <= 0.05
        ]
        if weak:
            said.append(
                f"at {', '.join(weak)} the probe does no better than on random labels: its accuracy says nothing of the layer."
            )
        return tuple(said)
