"""Voxels and millimetres: affines, and resampling to cubes of one size.

Arrays are (z, y, x). An affine (4, 4) takes (z, y, x, 1) to the patient's millimetres (left, posterior, superior: DICOM's axes).
Resampling keeps the first voxel's centre and the directions of the scan, whatever they are, and changes only the step:

    new affine = affine @ diag(step / spacing, 1)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

AIR = -1000.0  # Hounsfield units


def affine_of(position: np.ndarray, directions: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """position (3,) of the first voxel, directions (3, 3) with one row for each of z, y, x, spacing (3,) -> (4, 4)"""
    affine = np.eye(4)
    affine[:3, :3] = (np.asarray(directions) * np.asarray(spacing)[:, None]).T
    affine[:3, 3] = position
    return affine


def spacing_of(affine: np.ndarray) -> np.ndarray:
    """(3,): millimetres between voxels along z, y and x"""
    return np.linalg.norm(affine[:3, :3], axis=0)


def to_world(affine: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """voxels (..., 3) as (z, y, x) -> millimetres (..., 3)"""
    return np.asarray(voxels, float) @ affine[:3, :3].T + affine[:3, 3]


def to_voxels(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """millimetres (..., 3) -> voxels (..., 3), not rounded"""
    return (np.asarray(points, float) - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T


def resample(values: np.ndarray, affine: np.ndarray, step: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """values (z, y, x) -> linear interpolation on a grid of cubes inside the same box, and the affine of that grid

    The grid ends at the last centre that lies inside: nothing is extrapolated.
    """
    ratio = step / spacing_of(affine)  # old voxels per new voxel
    shape = tuple(int(np.floor((n - 1) / r + 1e-6)) + 1 for n, r in zip(values.shape, ratio, strict=True))
    for axis in np.argsort(np.divide(shape, values.shape)):  # first where there are fewest: the rest is then less
        values = _along(values, int(axis), ratio[axis] * np.arange(shape[axis]))
    return values, affine @ np.diag([*ratio, 1.0])


def _along(values: np.ndarray, axis: int, places: np.ndarray) -> np.ndarray:
    """Linear interpolation along one axis, at places in voxels; linear interpolation in a cube is one axis after the other"""
    low = np.clip(np.floor(places).astype(int), 0, max(values.shape[axis] - 2, 0))
    share = np.clip(places - low, 0, 1).astype(values.dtype)[
        tuple(slice(None) if a == axis else None for a in range(3))
    ]
    below = values.take(low, axis)
    moved = values.take(np.minimum(low + 1, values.shape[axis] - 1), axis)
    moved -= below
    moved *= share
    moved += below
    return moved


def crop(values: np.ndarray, centre: np.ndarray, size: int, outside: float) -> np.ndarray:
    """The cube of `size` voxels whose middle voxel (size // 2) is the one nearest to the centre, filled up with `outside`."""
    start = corner(centre, size)
    made = np.full((size,) * 3, outside, values.dtype)
    inside = [slice(max(s, 0), min(s + size, n)) for s, n in zip(start, values.shape, strict=True)]
    if all(part.stop > part.start for part in inside):
        there = tuple(slice(part.start - s, part.stop - s) for part, s in zip(inside, start, strict=True))
        made[there] = values[tuple(inside)]
    return made


def corner(centre: np.ndarray, size: int) -> tuple[int, int, int]:
    """The first voxel of the cube around a centre."""
    z, y, x = (int(np.floor(c + 0.5)) - size // 2 for c in centre)
    return z, y, x
