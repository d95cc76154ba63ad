"""ConceptScores: which concepts raise a score, at which layer, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.dissection import Dissection, dissected, in_words
from pellucid.core.records import Record, per_row
from pellucid.core.target import Target

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class ConceptScores(Record):
    """c concepts at l layers, over n inputs and r runs.

    `scores (c, l)` is the share of inputs whose score rises when the layer's activations move towards the concept: 1 for all, 0
    for none, one half for a direction that means nothing to the output. **NaN where nothing is reported**; `reasons (c, l)`
    says why not, "" elsewhere. `stderr` is the standard deviation over runs, `low` and `high` the ends of their 95 % interval,
    `p` that of a score of one half, `adjusted` the same after Holm over all concepts and layers.

    `accuracy (c, l)` says how well the concept is told from random examples that were left out of the run, with
    `accuracy_stderr`; `runs (c, l, r)` are all scores, also of what is not reported; `reference (l, r)` are those of random sets
    against each other; `sensitivity (c, l, n)` is the mean slope of each input's score along the concept's unit vector, and
    `directions` has these vectors, `(c, *layer)` for each layer (a vector over channels where places were averaged).

    Of a dissection, `scores (c, l)` is the overlap (IoU) of a concept with the unit of the layer that overlaps it most, `stderr`,
    `low` and `high` come from leaving out groups of inputs, `p` is that of an overlap that other inputs' masks give as well, times
    the number of units; and `units` has, for each layer, what each unit overlaps with. Accuracy, runs, sensitivity, reference
    and directions are TCAV's, and None in a dissection.
    """

    concepts: tuple[str, ...] = per_row()
    layers: tuple[str, ...]
    scores: np.ndarray = per_row()
    stderr: np.ndarray = per_row()
    low: np.ndarray = per_row()
    high: np.ndarray = per_row()
    p: np.ndarray = per_row()
    adjusted: np.ndarray = per_row()
    accuracy: np.ndarray = per_row(None)
    accuracy_stderr: np.ndarray = per_row(None)
    reasons: tuple[tuple[str, ...], ...] = per_row()
    runs: np.ndarray = per_row(None)
    sensitivity: np.ndarray = per_row(None)
    reference: np.ndarray | None = None
    directions: tuple[np.ndarray, ...] = ()
    units: tuple[Dissection, ...] = ()
    target: Target | None = None  # None for each input's predicted class, or the only output
    level: float = 0.05
    method: Any = None

    def __len__(self) -> int:
        return len(self.concepts)

    def _selected(self, index: np.ndarray) -> dict[str, Any]:
        return {
            "directions": tuple(vectors[index] for vectors in self.directions),
            "units": tuple(layer.of(index) for layer in self.units),
        }

    @property
    def reported(self) -> np.ndarray:
        """(c, l) where there is a score"""
        return np.isfinite(self.scores)

    @property
    def significant(self) -> np.ndarray:
        """(c, l) where the score is not what a meaningless direction or unit has, at the method's level after correction"""
        return np.asarray(self.reported & (np.nan_to_num(self.adjusted, nan=1.0) <= self.level))

    def to_frame(self) -> pd.DataFrame:
        """One line per concept and layer."""
        import pandas as pd

        if self.units:
            return pd.DataFrame(dissected(self))
        lines = [
            {
                "concept": concept,
                "layer": layer,
                "score": self.scores[i, j],
                "low": self.low[i, j],
                "high": self.high[i, j],
                "p adjusted": self.adjusted[i, j],
                "significant": bool(self.significant[i, j]),
                "probe accuracy": self.accuracy[i, j],
                "not reported because": self.reasons[i][j],
            }
            for i, concept in enumerate(self.concepts)
            for j, layer in enumerate(self.layers)
        ]
        return pd.DataFrame(lines)

    def words(self) -> tuple[str, ...]:
        """One sentence per concept and layer."""
        cells = [(i, j) for i in range(len(self.concepts)) for j in range(len(self.layers))]
        return tuple(self._sentence(i, j) for i, j in cells)

    def _sentence(self, i: int, j: int) -> str:
        about = f"{self.concepts[i]} at {self.layers[j]}"
        if self.reasons[i][j]:
            return f"{about}: not reported, because {self.reasons[i][j]}."
        if self.units:
            return f"{about}: {in_words(self, i, j)}."
        share = f"{self.scores[i, j]:.0%} of inputs [{self.low[i, j]:.0%}, {self.high[i, j]:.0%}]"
        p = f"p = {self.adjusted[i, j]:.2g} after Holm"
        if not self.significant[i, j]:
            return f"{about}: no clear direction; it raises the score of {share} ({p})."
        verb = "raises" if self.scores[i, j] > 0.5 else "lowers"
        told = share if verb == "raises" else f"all but {share}"
        return f"{about} {verb} the score of {told} ({p}; told from random examples {self.accuracy[i, j]:.0%} of the time)."
