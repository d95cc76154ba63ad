"""What is known of one method on the patches: a line of the table, and how numbers of patches become numbers of the table.

Patches of one patient are alike, so a patient counts once, with the mean of his patches. Intervals are of 95 % over patients:
Student's for means, Wilson's for shares of hits, which stay between 0 and 1.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.intervals import ratio, wilson

NAN = math.nan


@dataclass(frozen=True)
class MethodLine:
    """One method. Times are in seconds, of one patch; `ahead` is better than random orders of the same patch, positive = better.

    Maps whose values are all alike are left out of everything that judges a pattern; `degenerate` is their share, and
    `degenerate_copies` the share among noisy copies. What was not asked, or cannot be known, is NaN.
    """

    name: str
    method: str  # its spelling
    patches: int = 0
    patients: int = 0
    seconds: float = NAN  # median
    seconds_p95: float = NAN
    seconds_batch: float = NAN  # of a patch, where several are explained at once
    forward_seconds: float = NAN  # one forward pass of the network, measured right before and after
    forwards: float = NAN  # seconds / forward_seconds
    rows_forward: float = NAN  # model rows that one explanation asks for
    rows_backward: float = NAN
    peak_bytes: float = NAN
    cosine: float = NAN
    cosine_low: float = NAN
    cosine_high: float = NAN
    centred_cosine: float = NAN
    rank_correlation: float = NAN
    degenerate: float = NAN
    degenerate_copies: float = NAN
    deletion: float = NAN
    deletion_random: float = NAN
    deletion_ahead: float = NAN
    deletion_ahead_low: float = NAN
    deletion_ahead_high: float = NAN
    insertion: float = NAN
    insertion_random: float = NAN
    insertion_ahead: float = NAN
    insertion_ahead_low: float = NAN
    insertion_ahead_high: float = NAN
    nodules: int = 0  # patches with a readers' mask, which localisation is judged on
    pointing: float = NAN  # share of maps whose highest voxel lies where the readers drew
    pointing_low: float = NAN
    pointing_high: float = NAN
    pointing_chance: float = NAN
    mass: float = NAN  # share of positive relevance inside
    mass_low: float = NAN
    mass_high: float = NAN
    mass_chance: float = NAN
    energy: float = NAN  # the same of magnitudes
    rank_accuracy: float = NAN
    iou: float = NAN
    iou_chance: float = NAN
    grain_mm: float = NAN  # the side of the smallest thing that the map can show
    notes: tuple[str, ...] = ()
    failed: str = ""  # why there is nothing to tell

    def facts(self) -> dict[str, Any]:
        """Plain values by name; None for NaN."""
        told = dataclasses.asdict(self) | {"notes": list(self.notes)}
        return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in told.items()}

    @classmethod
    def of(cls, facts: dict[str, Any]) -> MethodLine:
        """The line that `facts` told."""
        told: dict[str, Any] = {key: NAN if value is None else value for key, value in facts.items()}
        return cls(**(told | {"notes": tuple(told["notes"])}))


def over_patients(values: np.ndarray, patients: np.ndarray, hits: bool = False) -> tuple[float, float, float]:
    """values (n,) of patches, NaN where not known -> mean over patients and the ends of its interval; `hits` are in [0, 1]

    Wilson's interval is that of hits and misses; a patient's share of hits varies less, so it is then wider than it need be.
    """
    known = np.isfinite(values)
    means = np.array([values[known & (patients == who)].mean() for who in np.unique(patients[known])])
    if len(means) < 2:
        return float(means[0]) if len(means) else NAN, NAN, NAN
    if hits:
        return float(means.mean()), *wilson(float(means.sum()), len(means))
    return ratio(means, np.ones(len(means)))
