"""Where a patch lies in its scan, and the scan itself, on the grid that the patch was cut from.

`prepare` keeps grids (`scans/SCAN.json`), not scans: they would be copies of patients' pictures, 0.1 GB each. A scan that is to
be seen is read again from its DICOM files; the key of the pseudonyms says which it is. Nothing is taken on trust: its grid and
the patch that is cut from it have to be those of `prepare`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.studies.lung_ct.geometry import corner, crop, resample
from pellucid.studies.lung_ct.patches import load
from pellucid.studies.lung_ct.pseudonyms import Pseudonyms
from pellucid.studies.lung_ct.recipe import Recipe
from pellucid.studies.lung_ct.refusals import Refused, Tally
from pellucid.studies.lung_ct.series import Series, find, read

_NEAR = 1e-3  # mm between two grids, or steps of a value in [-1, 1]: processors round differently


@dataclass(frozen=True, eq=False)
class Place:
    """Where a patch lies: `first` is its first voxel on its scan's grid, of `shape` voxels with an affine into millimetres."""

    name: str
    scan: str
    centre: np.ndarray  # (3,) voxels of what the patch is about, not rounded
    size: int
    shape: tuple[int, int, int]
    affine: np.ndarray  # (4, 4)

    @cached_property
    def first(self) -> tuple[int, int, int]:
        return corner(self.centre, self.size)

    @property
    def middle(self) -> tuple[int, int, int]:
        """The voxel of the grid nearest to the centre"""
        z, y, x = (side + self.size // 2 for side in self.first)
        return z, y, x

    @property
    def own(self) -> np.ndarray:
        """(4, 4): the affine of the patch, which begins at its first voxel"""
        return np.column_stack([self.affine[:, :3], self.affine @ [*self.first, 1]])


def place_of(patches: str | Path, row: Mapping[str, Any]) -> Place:
    """The place of a patch, from its row of the index"""
    path = Path(patches) / "scans" / f"{row['scan']}.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        affine, (z, y, x) = np.array(told["affine"], dtype=float), map(int, told["shape"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"there is no grid of the scan {row['scan']}: give the folder that `prepare` wrote."
        ) from error
    centre = np.array([row[axis] for axis in "zyx"], dtype=float)
    return Place(str(row["name"]), str(row["scan"]), centre, Recipe.of(patches).size, (z, y, x), affine)


def contexts(
    patches: str | Path, data: str | Path, pseudonyms: Pseudonyms, places: Iterable[Place], tally: Tally
) -> Iterator[tuple[tuple[Place, ...], np.ndarray]]:
    """Of every scan that has such patches: the patches, and the scan in Hounsfield units on their grid, one at a time

    A scan that cannot be read, is not in the folder, or is not what the patches were cut from is refused into the tally.
    """
    wanted: dict[str, list[Place]] = {}
    for place in places:
        wanted.setdefault(place.scan, []).append(place)
    for series in find(data, tally) if wanted else []:
        here = wanted.pop(pseudonyms.scan(series.uid), None)
        if here is None:
            continue
        try:
            hu = _again(Path(patches), series, here[0], tally)
            _check(Path(patches), here, hu)
        except Refused as error:
            tally.refuse(here[0].scan, error)
            continue
        yield tuple(here), hu
    for scan in wanted:
        tally.refuse(scan, Refused("no such scan"))


def _again(patches: Path, series: Series, place: Place, tally: Tally) -> np.ndarray:
    """The resampled scan; `Refused` where its grid is not that of the patches"""
    scan = read(series, tally)
    hu, affine = resample(scan.hu, scan.affine, Recipe.of(patches).step)
    if hu.shape != place.shape or np.abs(affine - place.affine).max() > _NEAR:
        raise Refused("another scan", f"a grid of {hu.shape} instead of {place.shape} voxels")
    return hu


def _check(patches: Path, places: Iterable[Place], hu: np.ndarray) -> None:
    recipe = Recipe.of(patches)
    for place in places:
        cut = recipe.windowed(crop(hu, place.centre, place.size, recipe.window[0]))
        if np.abs(cut - load(patches, [place.name])[0, 0]).max() > _NEAR:
            raise Refused("another scan", "the patch cut from it is not the one that was kept")
