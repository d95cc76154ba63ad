"""Regions of units against masks of concepts: counts of pixels in groups of inputs, overlaps, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

GROUPS = 20  # of consecutive inputs: neighbours in a film are not independent


@dataclass(eq=False)
class Counts:
    """Pixels in g groups of inputs: in a unit's region and a concept (g, u, c), in the region (g, u), in the concept (g, c)."""

    both: np.ndarray
    region: np.ndarray
    concept: np.ndarray

    @classmethod
    def empty(cls, groups: int, units: int, concepts: int) -> Counts:
        return cls(np.zeros((groups, units, concepts)), np.zeros((groups, units)), np.zeros((groups, concepts)))

    def add(self, group: int, units: np.ndarray, regions: np.ndarray, masks: tuple[np.ndarray, np.ndarray]) -> None:
        """units (k,) with regions (k, pixels) of 0 and 1 on an input with these masks (pixels, c), (pixels,)"""
        marked, looked = masks
        self.concept[group] += marked.sum(axis=0, dtype=float)
        self.both[group, units] += regions @ marked
        self.region[group, units] += regions.sum(axis=1) if looked.all() else regions @ looked.astype(np.float32)

    def iou(self) -> np.ndarray:
        """(u, c), 0 where neither a region nor a concept is"""
        return _iou(self.both.sum(axis=0), self.region.sum(axis=0), self.concept.sum(axis=0))

    def left_out(self) -> np.ndarray:
        """(g, u, c) the overlap without each group"""
        sums = [part.sum(axis=0) for part in (self.both, self.region, self.concept)]
        return np.stack(
            [
                _iou(sums[0] - b, sums[1] - r, sums[2] - c)
                for b, r, c in zip(self.both, self.region, self.concept, strict=True)
            ]
        )


def _iou(both: np.ndarray, region: np.ndarray, concept: np.ndarray) -> np.ndarray:
    union = region[:, None] + concept - both
    return np.divide(both, union, out=np.zeros_like(both), where=union > 0)


def jackknife(left_out: np.ndarray) -> np.ndarray:
    """(g, ...) estimates without each group -> (...) their standard error; NaN for a single group"""
    g = len(left_out)
    return np.asarray(np.sqrt((g - 1) * left_out.var(axis=0))) if g > 1 else np.full(left_out.shape[1:], np.nan)


def above_chance(found: Counts, other: Counts) -> np.ndarray:
    """(u, c) the p of an overlap that is not above that with other inputs' masks: one-sided t, g - 1 degrees of freedom"""
    g = len(found.both)
    lead = found.iou() - other.iou()
    error = jackknife(found.left_out() - other.left_out())
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(error > 0, lead / error, np.where(lead > 0, np.inf, -np.inf))
    return np.where(np.isnan(error), np.nan, stats.t.sf(t, max(g - 1, 1)))
