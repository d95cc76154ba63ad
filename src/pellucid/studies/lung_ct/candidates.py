"""Where patches are cut: at nodules that enough readers outlined, and at places in the lung away from anything marked.

A nodule's voxels are those inside the outlines of at least half of the readers who outlined it; its centre is their centroid, its
diameter that of a ball of their volume. A background patch lies inside of the scan and holds no part of a nodule of whatever size,
whoever marked it: what one reader alone saw is neither positive nor background. Places that readers called no nodule may be in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.studies.lung_ct.agreement import Nodule
from pellucid.studies.lung_ct.annotations import OTHER, Mark, Reading
from pellucid.studies.lung_ct.geometry import spacing_of, to_voxels, to_world
from pellucid.studies.lung_ct.lungs import STRIDE
from pellucid.studies.lung_ct.refusals import Refused
from pellucid.studies.lung_ct.series import Scan

_TRIES = 2000  # places that are looked at for background patches


@dataclass(frozen=True, eq=False)
class Outlined:
    """A nodule in a scan's voxels: one mask for each reader (readers, z, y, x), of the box that begins at `start`."""

    nodule: Nodule
    masks: np.ndarray
    start: np.ndarray
    affine: np.ndarray

    @cached_property
    def consensus(self) -> np.ndarray:
        """(z, y, x): what at least half of them outlined; what any did, where there is no such voxel"""
        half: np.ndarray = 2 * self.masks.sum(0) >= len(self.masks)
        return half if half.any() else np.asarray(self.masks.any(0))

    @property
    def centre(self) -> np.ndarray:
        """The centroid in mm"""
        return to_world(self.affine, np.argwhere(self.consensus).mean(0) + self.start)

    @property
    def diameter(self) -> float:
        """Of a ball of the same volume, in mm"""
        volume = self.consensus.sum() * np.prod(spacing_of(self.affine))
        return float((6 * volume / np.pi) ** (1 / 3))

    def votes(self, affine: np.ndarray, first: Sequence[int], size: int) -> np.ndarray:
        """How many readers outlined the voxel in which each place lies (uint8), over the cube at `first` of another grid

        The grids have the same directions. Each place takes the nearest voxel: interpolation would shrink what is small.
        """
        ends = to_voxels(self.affine, to_world(affine, np.array([first, np.add(first, size - 1)])))
        counts = np.pad(self.masks.sum(0, dtype=np.uint8), 1)  # beyond the box there is nothing
        near = (
            np.clip(np.floor(np.linspace(low, high, size) + 0.5).astype(int) + 1, 0, n - 1)
            for low, high, n in zip(*(ends - self.start), counts.shape, strict=True)
        )
        return counts[np.ix_(*near)]


def outlined(nodule: Nodule, scan: Scan) -> Outlined:
    """A nodule's outlines put into its scan; `Refused` where they lie outside of it."""
    cells = [_cells(mark, scan) for mark in nodule.marks]
    everything = np.concatenate(cells)
    start, end = everything.min(0), everything.max(0) + 1
    masks = np.zeros((len(cells), *(end - start)), bool)
    for mask, voxels in zip(masks, cells, strict=True):
        mask[tuple((voxels - start).T)] = True
    return Outlined(nodule, masks, start, scan.affine)


def _cells(mark: Mark, scan: Scan) -> np.ndarray:
    """(m, 3): the voxels inside of a mark"""
    inside: dict[int, set[tuple[int, int]]] = {}
    for line in sorted(mark.outlines, key=lambda line: not line.inside):  # holes last
        if line.sop not in scan.places:
            raise Refused("annotation elsewhere", "a slice that the series does not have")
        pixels = {(int(y), int(x)) for x, y in line.pixels}
        held = inside.setdefault(scan.places[line.sop], set())
        held.update(pixels) if line.inside else held.difference_update(pixels)
    voxels = np.array([(z, y, x) for z, held in inside.items() for y, x in held], int).reshape(-1, 3)
    if not len(voxels) or (voxels >= scan.hu.shape).any():
        raise Refused("annotation elsewhere", "pixels that the slices do not have")
    return voxels


def forbidden(reading: Reading, scan: Scan, affine: np.ndarray) -> np.ndarray:
    """(marks, 2, 3): the boxes, in voxels of another grid, of all that anybody took for a nodule of whatever size"""
    boxes = [
        to_voxels(affine, to_world(scan.affine, np.array([cells.min(0), cells.max(0)])))
        for cells in (_cells(mark, scan) for mark in reading.marks if mark.kind != OTHER and len(mark.cells))
    ]
    return np.array(boxes).reshape(-1, 2, 3)


def backgrounds(
    lungs: np.ndarray, boxes: np.ndarray, size: int, many: int, clearance: float, rng: np.random.Generator
) -> np.ndarray:
    """(at most `many`, 3): centres in the lung whose cubes stay inside of the scan, clear of all boxes, and apart"""
    half = -(-size // (2 * STRIDE))
    inner = lungs[half : len(lungs) - half]
    inside = np.argwhere(inner[:, half : lungs.shape[1] - half, half : lungs.shape[2] - half]) + half
    chosen: list[np.ndarray] = []
    for place in inside[rng.permutation(len(inside))[:_TRIES]] * STRIDE:
        far = np.maximum(boxes[:, 0] - place, place - boxes[:, 1]).max(1, initial=-np.inf) > size / 2 + clearance
        apart = all(np.abs(place - other).max() >= size / 2 for other in chosen)
        if far.all() and apart and len(chosen) < many:
            chosen.append(place)
    return np.array(chosen, int).reshape(-1, 3)
