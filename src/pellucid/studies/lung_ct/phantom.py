"""Synthetic chests: a body with ribs and a spine, two lungs with vessels, a heart, and nodules of different size and density.

Lengths are millimetres in the patient's axes (x to the left, y to the back, z to the head); grey values are Hounsfield units.
A chest is a function of (seed, number of the patient), so a series of them can be made in parts, and made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from pellucid.studies.lung_ct.geometry import affine_of, spacing_of, to_voxels

Place = tuple[np.ndarray, np.ndarray, np.ndarray]

SOFT, LUNG, BONE, BLOOD, OUTSIDE = 40.0, -860.0, 500.0, 50.0, -1000.0
DENSITIES = {"solid": 40.0, "part-solid": -150.0, "ground-glass": -450.0}
_BODY, _HEIGHT = (118.0, 82.0), 132.0  # half axes in x and y; z
_LUNGS = (((-54.0, 0.0, 0.0), (40.0, 56.0, 60.0)), ((54.0, 0.0, 0.0), (40.0, 56.0, 60.0)))  # centre, half axes
_HEART = ((12.0, -22.0, -22.0), (34.0, 28.0, 32.0))
_SPINE = (0.0, 56.0, 13.0)  # x, y, radius
_BRANCHES, _STEPS = 26, 26  # vessels of a lung
_SHARPNESS, _NOISE = 0.6, 14.0  # of the scanner: millimetres of blur, HU


@dataclass(frozen=True)
class PhantomNodule:
    """An ellipsoid in the lung; `seen` are the readers who outline it."""

    centre: tuple[float, float, float]  # x, y, z
    radii: tuple[float, float, float]
    density: str
    seen: tuple[int, ...]

    def inside(self, *place: np.ndarray) -> np.ndarray:
        """x, y, z in mm, of shapes that go together -> whether they lie inside"""
        return _depth(place, self.centre, self.radii) < 1


@dataclass(frozen=True, eq=False)
class Chest:
    """A volume (z, y, x), its affine, and what is in it; `specks` are below 3 mm, `knots` look like nodules and are vessels."""

    hu: np.ndarray
    affine: np.ndarray
    nodules: tuple[PhantomNodule, ...]
    specks: tuple[tuple[float, float, float], ...]
    knots: tuple[tuple[float, float, float], ...]


def chest(patient: int, seed: int = 0, nodules: tuple[int, int] = (2, 4)) -> Chest:
    """One patient's chest, with a number of nodules within these bounds."""
    rng = np.random.default_rng([seed, patient])
    spacing = (float(rng.choice([1.5, 2.0, 2.5])), *(2 * [float(rng.uniform(1.45, 1.65))]))
    affine, shape = _grid(spacing)
    hu, depth = _tissue(places(affine, [slice(n) for n in shape]), rng)
    branches = [_branch(lung, rng) for lung in _LUNGS for _ in range(_BRANCHES)]
    for path, radii in branches:
        _tubes(hu, affine, path, radii, depth)
    planted = _plant(rng, int(rng.integers(nodules[0], nodules[1] + 1)))
    for one in planted:
        _draw(hu, affine, one)
    specks = tuple(_place(rng, 8.0) for _ in range(2))
    for speck in specks:
        _draw(hu, affine, PhantomNodule(speck, (1.2, 1.2, 1.2), "solid", ()))
    knots = tuple(tuple(map(float, branches[i][0][8])) for i in rng.choice(len(branches), 2, replace=False))
    hu = ndimage.gaussian_filter(hu, _SHARPNESS / np.array(spacing)) + rng.normal(0, _NOISE, hu.shape)
    return Chest(hu.astype(np.float32), affine, planted, specks, knots)  # type: ignore[arg-type]


def _grid(spacing: Sequence[float]) -> tuple[np.ndarray, tuple[int, ...]]:
    """The affine of a grid around the origin, and its shape"""
    extent = np.array([_HEIGHT, 2 * _BODY[1] + 12, 2 * _BODY[0] + 12])
    shape = np.ceil(extent / spacing).astype(int)
    start = -(shape - 1) / 2 * spacing
    return affine_of(start[::-1], np.eye(3)[::-1], spacing), tuple(map(int, shape))


def places(affine: np.ndarray, box: Sequence[slice]) -> Place:
    """x (1, 1, x), y (1, y, 1) and z (z, 1, 1) in mm of the voxels in a box; axes of phantoms are the patient's"""
    z, y, x = (
        affine[2 - axis, 3] + affine[2 - axis, axis] * np.arange(part.start or 0, part.stop)
        for axis, part in enumerate(box)
    )
    return x[None, None, :], y[None, :, None], z[:, None, None]


def around(
    affine: np.ndarray, shape: Sequence[int], centres: np.ndarray, reach: np.ndarray | Sequence[float]
) -> list[tuple[slice, slice, slice]]:
    """For each centre (n, 3) the voxels that lie within so many mm (n,) of it, as a box"""
    middle, far = to_voxels(affine, centres), np.asarray(reach)[:, None] / spacing_of(affine)
    low = np.clip(np.floor(middle - far), 0, shape).astype(int)
    high = np.clip(np.ceil(middle + far) + 1, low, shape).astype(int)
    ends = zip(low.tolist(), high.tolist(), strict=True)
    return [(slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2])) for a, b in ends]


def _depth(place: Any, centre: Any, half_axes: Any) -> np.ndarray:
    """Below 1 inside of an ellipsoid, 1 on it"""
    return np.sqrt(sum(((p - c) / h) ** 2 for p, c, h in zip(place, centre, half_axes, strict=True)))


def _tissue(place: Place, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Everything but vessels and nodules, and how deep in a lung each voxel lies (1 on its surface)."""
    x, y, z = place
    body = np.hypot(x / _BODY[0], y / _BODY[1]) + 0 * z
    hu = np.where(body < 1, SOFT, OUTSIDE)
    lungs = np.minimum(*(_depth(place, centre, half) for centre, half in _LUNGS))
    cage = np.hypot(x / (_BODY[0] - 14), y / (_BODY[1] - 12))
    phase = (z + 0.35 * y + rng.uniform(0, 24)) % 24
    hu[(np.abs(cage - 1) < 0.04) & (phase < 8)] = BONE
    hu[lungs < 1] = LUNG
    heart = _depth(place, *_HEART) < 1
    hu[heart] = SOFT
    hu[np.broadcast_to(np.hypot(x - _SPINE[0], y - _SPINE[1]) < _SPINE[2], hu.shape)] = BONE - 150
    return hu, np.where(heart, 2.0, lungs)


def _branch(lung: tuple[Sequence[float], Sequence[float]], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A vessel from the hilum outwards: places (steps, 3) and radii (steps,)"""
    centre, half = np.array(lung[0]), np.array(lung[1])
    aim = centre + half * rng.uniform(-0.95, 0.95, 3) - (start := centre - [np.sign(centre[0]) * half[0], 0, 0])
    along = np.linspace(0, 1, _STEPS)[:, None]
    wander = ndimage.gaussian_filter1d(rng.normal(0, 9, (_STEPS, 3)), 3, axis=0) * along
    return start + along * aim + wander, np.linspace(rng.uniform(1.6, 2.8), 0.8, _STEPS)


def _tubes(hu: np.ndarray, affine: np.ndarray, path: np.ndarray, radii: np.ndarray, depth: np.ndarray) -> None:
    """Draw a tube into the lung, as many balls in a row; a voxel that it fills in part is mixed."""
    fine = np.linspace(0, len(path) - 1, 3 * len(path))
    balls = np.stack([np.interp(fine, np.arange(len(path)), path[:, axis]) for axis in range(3)], -1)
    thick = np.interp(fine, np.arange(len(path)), radii)
    grid = places(affine, [slice(n) for n in hu.shape])
    for ball, radius, box in zip(balls, thick, around(affine, hu.shape, balls, thick + 0.5), strict=True):
        z, y, x = box
        beside = (grid[0][:, :, x] - ball[0]) ** 2 + (grid[1][:, y] - ball[1]) ** 2 + (grid[2][z] - ball[2]) ** 2
        share = np.clip(radius + 0.5 - np.sqrt(beside), 0, 1) * (depth[box] < 1)
        hu[box] = np.maximum(hu[box], LUNG + share * (BLOOD - LUNG))


def _place(rng: np.random.Generator, margin: float) -> tuple[float, float, float]:
    """A place in a lung, at least so many mm from its surface and from the heart."""
    while True:
        centre, half = map(np.array, _LUNGS[rng.integers(2)])
        place = centre + (half - margin) * rng.uniform(-1, 1, 3)
        heart = _depth(place, _HEART[0], np.add(_HEART[1], margin)) < 1
        if _depth(place, centre, half - margin) < 1 and not heart and abs(place[2]) < _HEIGHT / 2 - margin - 4:
            return float(place[0]), float(place[1]), float(place[2])


def _plant(rng: np.random.Generator, many: int) -> tuple[PhantomNodule, ...]:
    """Nodules that keep a distance from each other; about one of six is seen by one reader alone."""
    planted: list[PhantomNodule] = []
    while len(planted) < many:
        size = rng.uniform(3.5, 8.0)
        place = _place(rng, size + 3)
        if any(np.linalg.norm(np.subtract(place, other.centre)) < 24 for other in planted):
            continue
        radii = tuple(float(r) for r in size * rng.uniform(0.85, 1.15, 3))
        density = str(rng.choice(list(DENSITIES), p=[0.6, 0.25, 0.15]))
        readers = 1 if rng.random() < 1 / 6 else int(rng.integers(2, 5))
        seen = tuple(sorted(int(r) for r in rng.permutation(4)[:readers]))
        planted.append(PhantomNodule(place, radii, density, seen))  # type: ignore[arg-type]
    return tuple(planted)


def _draw(hu: np.ndarray, affine: np.ndarray, one: PhantomNodule) -> None:
    """A nodule with an edge of one millimetre; a part-solid one has a solid core."""
    (box,) = around(affine, hu.shape, np.array([one.centre]), [max(one.radii) + 1])
    core = [(np.multiply(one.radii, 0.5), DENSITIES["solid"])] if one.density == "part-solid" else []
    for radii, value in [(one.radii, DENSITIES[one.density]), *core]:
        share = np.clip((1 - _depth(places(affine, box), one.centre, radii)) * np.mean(radii) + 0.5, 0, 1)
        hu[box] = np.where(share > 0, np.maximum(hu[box], LUNG + share * (value - LUNG)), hu[box])
