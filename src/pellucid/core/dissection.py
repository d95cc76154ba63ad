"""Dissection: what each unit of a layer answers to, measured against masks of concepts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pellucid.core.concept_scores import ConceptScores


@dataclass(frozen=True, eq=False, kw_only=True)
class Dissection:
    """u units of one layer against c concepts, over all pixels of n inputs.

    `iou (u, c)`: the overlap of the places where a unit is among its highest activations, above `levels (u,)`, with the concept's
    mask, divided by their union; `stderr (u, c)` from leaving out groups of inputs; `chance (u, c)` the same with the masks of
    other inputs, so a unit that only knows where things usually are has as much by chance. `area (u,)` and `share (c,)` are the
    shares of pixels in a unit's places and in a concept's masks; a unit cannot overlap more than `ceiling (u, c)`.
    `top (u, t)` are the inputs that excite a unit most, `peaks (u, t)` how far, `maps (u, t, *space)` its activations there.
    A unit is a detector of its best concept where the overlap is above `threshold`.
    """

    iou: np.ndarray
    stderr: np.ndarray
    chance: np.ndarray
    levels: np.ndarray
    area: np.ndarray
    share: np.ndarray
    top: np.ndarray
    peaks: np.ndarray
    maps: np.ndarray
    threshold: float

    def __len__(self) -> int:
        return len(self.iou)

    @property
    def ceiling(self) -> np.ndarray:
        """(u, c) the largest overlap that the two areas allow"""
        small = np.minimum(self.area[:, None], self.share)
        large = np.maximum(self.area[:, None], self.share)
        return np.divide(small, large, out=np.zeros_like(small), where=large > 0)

    @property
    def best(self) -> np.ndarray:
        """(u,) the concept that each unit overlaps most"""
        return np.asarray(np.nan_to_num(self.iou, nan=-1.0).argmax(axis=1))

    @property
    def detects(self) -> np.ndarray:
        """(u,) the concept of each detector, -1 for units that are none"""
        reached = np.nan_to_num(self.iou.max(axis=1), nan=-1.0) > self.threshold
        return np.where(reached, self.best, -1)

    @property
    def unique(self) -> np.ndarray:
        """the concepts that at least one unit detects: unique detectors, as they are counted"""
        found = np.unique(self.detects)
        return found[found >= 0]

    def of(self, concepts: np.ndarray) -> Dissection:
        """The same for some of the concepts."""
        few = {name: getattr(self, name)[:, concepts] for name in ("iou", "stderr", "chance")}
        return replace(self, share=self.share[concepts], **few)

    def ranked(self) -> np.ndarray:
        """(u,) units by their overlap with their best concept, largest first"""
        overlap = np.nan_to_num(self.iou[np.arange(len(self)), self.best], nan=-1.0)
        return np.argsort(-overlap, kind="stable")


def dissected(record: ConceptScores) -> list[dict[str, Any]]:
    """One line per concept and layer: its best unit and how many units detect it."""
    return [_line(record, i, j) for i in range(len(record.concepts)) for j in range(len(record.layers))]


def _line(record: ConceptScores, i: int, j: int) -> dict[str, Any]:
    units = record.units[j]
    best = int(np.nan_to_num(units.iou[:, i]).argmax())
    return {
        "concept": record.concepts[i],
        "layer": record.layers[j],
        "unit": best,
        "IoU": record.scores[i, j],
        "low": record.low[i, j],
        "high": record.high[i, j],
        "by chance": units.chance[best, i],
        "at most": units.ceiling[best, i],
        "p adjusted": record.adjusted[i, j],
        "significant": bool(record.significant[i, j]),
        "detectors": int((units.detects == i).sum()),
        "share of pixels": units.share[i],
    }


def in_words(record: ConceptScores, i: int, j: int) -> str:
    """What is to be said of a concept at a layer."""
    line, units = _line(record, i, j), record.units[j]
    count = line["detectors"]
    detectors = f"{count} unit{'s detect' if count != 1 else ' detects'} it" if count else "no unit detects it"
    beside = f"by chance {line['by chance']:.3f}, at most {line['at most']:.3f}"
    clear = "" if line["significant"] else "; not clearly above chance"
    return f"{detectors} (IoU above {units.threshold:g}); the best is unit {line['unit']}, IoU {line['IoU']:.3f} ({beside}){clear}"
