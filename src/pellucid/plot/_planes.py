"""Three planes through a place of a volume, at true proportion, and turned as a radiologist sees them.

Without an affine, the planes are those of the array: the first axis that is left runs down, the other one across. With an affine
into the patient's millimetres, whatever axes the array has, they are seen from the feet, from the front and from the left:

    axial     right of the patient on the left, front at the top
    coronal   right of the patient on the left, head at the top
    sagittal  front on the left, head at the top

Millimetres are DICOM's: towards the patient's left, back and head (LPS). A NIfTI file's are turned (RAS): give
`np.diag([-1, -1, 1, 1]) @ affine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from pellucid.core.affine import checked_affine
from pellucid.core.errors import InputError

_TOWARDS, _AWAY = "LPS", "RAI"
_SENSE = np.array([1, 1, -1])  # left runs to the right, back runs to the right or down, head runs up
_OBLIQUE = 0.26  # the cosine from which on a second letter is told: 15 degrees out of the plane


@dataclass(frozen=True)
class Plane:
    """Which axis of the array is cut, which runs down and which across; `letters` stand at left, right, top and bottom."""

    name: str
    cut: int
    down: int
    across: int
    letters: tuple[str, str, str, str] | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """What is drawn: the voxels from `low` to `high` (exclusive) of each axis, `steps` millimetres apart, cut at `at`.

    `backward` says which axes are shown against their index.
    """

    low: np.ndarray  # (3,)
    high: np.ndarray  # (3,)
    at: np.ndarray  # (3,)
    steps: np.ndarray  # (3,)
    backward: tuple[bool, bool, bool]
    planes: tuple[Plane, Plane, Plane]

    def size(self, plane: Plane) -> tuple[float, float]:
        """Height and width in millimetres"""
        height, width = ((self.high - self.low) * self.steps)[[plane.down, plane.across]]
        return float(height), float(width)

    def place(self, plane: Plane, voxel: np.ndarray) -> tuple[float, float]:
        """Millimetres to the right and down of a plane's corner, of a voxel's centre (3,)"""
        x, y = (self._along(axis, float(voxel[axis])) for axis in (plane.across, plane.down))
        return x, y

    def _along(self, axis: int, index: float) -> float:
        voxels = self.high[axis] - 0.5 - index if self.backward[axis] else index + 0.5 - self.low[axis]
        return float(voxels * self.steps[axis])

    def raster(self, plane: Plane, values: np.ndarray, corner: np.ndarray) -> np.ndarray:
        """(h, w): a plane of a volume whose first voxel is `corner`; NaN where the volume has nothing"""
        h, w = (self.high - self.low)[[plane.down, plane.across]]
        made = np.full((h, w), np.nan)
        depth = int(self.at[plane.cut] - corner[plane.cut])
        if 0 <= depth < values.shape[plane.cut]:
            part = values.take(depth, plane.cut)
            part = part if plane.down < plane.across else part.T
            y, x = (corner - self.low)[[plane.down, plane.across]]
            made[y : y + part.shape[0], x : x + part.shape[1]] = part
        return made[:: -1 if self.backward[plane.down] else 1, :: -1 if self.backward[plane.across] else 1]


def frame(
    shape: Sequence[int],
    corner: np.ndarray,
    size: Sequence[int],
    at: Sequence[float],
    *,
    affine: np.ndarray | None = None,
    spacing: Sequence[float] | None = None,
) -> Frame:
    """Planes of a volume of this shape through a voxel, with room for a map of `size` voxels from `corner` on."""
    steps, backward, planes = _seen_along(affine, spacing)
    low, high = np.minimum(0, corner), np.maximum(shape, corner + np.asarray(size))
    place = np.floor(np.asarray(at, dtype=float) + 0.5)
    if place.shape != (3,) or not np.isfinite(place).all() or (place < low).any() or (place >= high).any():
        raise InputError(f"at={tuple(at)}: give three voxels inside of a volume of shape {tuple(shape)}, axis by axis.")
    return Frame(low, high, place.astype(int), steps, backward, planes)


def _seen_along(
    affine: np.ndarray | None, spacing: Sequence[float] | None
) -> tuple[np.ndarray, tuple[bool, bool, bool], tuple[Plane, Plane, Plane]]:
    """Steps, senses and planes of a grid"""
    if affine is None:
        steps = np.ones(3) if spacing is None else np.asarray(spacing, dtype=float)
        if steps.shape != (3,) or not (np.isfinite(steps).all() and steps.min() > 0):
            raise InputError(f"spacing={spacing}: give three numbers above 0, one for each axis of the volume.")
        first, second, third = Plane("axis 0", 0, 1, 2), Plane("axis 1", 1, 0, 2), Plane("axis 2", 2, 0, 1)
        return steps, (False, False, False), (first, second, third)
    if spacing is not None:
        raise InputError("an affine knows the spacing: give one of the two.")
    matrix = checked_affine(affine)
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    return steps, *_turned(matrix[:3, :3] / steps)


def _turned(directions: np.ndarray) -> tuple[tuple[bool, bool, bool], tuple[Plane, Plane, Plane]]:
    """directions (3, 3), a column for each axis of the array -> senses and anatomical planes"""
    # the axis of the array that goes most nearly along each of left, back and head
    left, back, head = max(permutations(range(3)), key=lambda axes: abs(directions[range(3), axes]).sum())
    shown = np.empty((3, 3))  # a row for each axis of the array: where the picture goes along it
    against = [False] * 3
    for world, axis in enumerate((left, back, head)):
        against[axis] = bool(directions[world, axis] * _SENSE[world] < 0)
        shown[axis] = -directions[:, axis] if against[axis] else directions[:, axis]
    cuts = {"axial": (head, back, left), "coronal": (back, head, left), "sagittal": (left, head, back)}
    axial, coronal, sagittal = (
        Plane(
            name,
            cut,
            down,
            across,
            (_letters(-shown[across]), _letters(shown[across]), _letters(-shown[down]), _letters(shown[down])),
        )
        for name, (cut, down, across) in cuts.items()
    )
    return (against[0], against[1], against[2]), (axial, coronal, sagittal)


def _letters(direction: np.ndarray) -> str:
    """`L`; `LA` where a direction lies between two"""
    order = np.argsort(-np.abs(direction), kind="stable")
    strong = [axis for n, axis in enumerate(order) if n == 0 or abs(direction[axis]) > _OBLIQUE]
    return "".join((_TOWARDS if direction[axis] > 0 else _AWAY)[axis] for axis in strong)
