"""DICOM series: found in a folder, told apart by their UID, sorted by position, checked, and stacked into a volume.

    position of voxel (z, y, x) = ImagePositionPatient of slice z + y * row spacing * second direction + x * column spacing * first

File names, instance numbers and slice locations are not believed: slices are sorted along the normal of the plane they lie in.
The first look reads headers only (`headers.py`); pixels (`pixels.py`) are read of series that are used, one series at a time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.studies.lung_ct import headers
from pellucid.studies.lung_ct.geometry import affine_of
from pellucid.studies.lung_ct.headers import Slice
from pellucid.studies.lung_ct.pixels import hounsfield
from pellucid.studies.lung_ct.refusals import Refused, Tally

FEWEST = 3  # slices of a volume
_STRAY = 0.02  # of the distance between slices: how far it may vary, and how far a slice may lie beside the normal
_TILT = 0.5  # degrees
_LONGEST = 3000.0  # mm of a volume along each side


@dataclass(frozen=True)
class Series:
    """The slices of one series as they were found; identifiers stay in memory."""

    uid: str
    study: str
    patient: str
    slices: tuple[Slice, ...]

    def __repr__(self) -> str:
        return f"Series({len(self.slices)} slices)"


@dataclass(frozen=True, eq=False)
class Scan:
    """A volume in Hounsfield units (z, y, x), its affine into the patient's millimetres, and which slice is which."""

    hu: np.ndarray
    affine: np.ndarray
    sops: tuple[str, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """Which slice an SOP UID names"""
        return {sop: z for z, sop in enumerate(self.sops)}

    @property
    def heights(self) -> np.ndarray:
        """(z,): the third coordinate of each slice's first voxel, as readers' files write it"""
        return self.affine[2, 3] + self.affine[2, 0] * np.arange(len(self.sops))


def find(folder: str | Path, tally: Tally) -> list[Series]:
    """All CT series below a folder, by UID; what is no CT slice is refused into the tally."""
    need("pydicom", "Reading DICOM")
    if not Path(folder).is_dir():
        raise InputError(f"there is no folder {Path(folder).name!r}: give the one that holds the DICOM files.")
    slices: dict[str, list[Slice]] = defaultdict(list)
    for path in _files(Path(folder)):
        try:
            if (one := headers.look(path)) is not None:
                slices[one.series].append(one)
        except Refused as error:
            tally.refuse("a file", error)
    found = []
    for uid in sorted(slices):
        whose = {one.whose for one in slices[uid]}
        if len(whose) > 1:
            tally.refuse("a series", Refused("mixed series", "slices of several patients or studies"))
        else:
            (patient, study) = whose.pop()
            found.append(Series(uid, study, patient, tuple(slices[uid])))
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Files in a fixed order; links that lead elsewhere are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def read(series: Series, tally: Tally) -> Scan:
    """One series as a volume; `Refused` where it is none."""
    slices = _one_of_each(series.slices, tally)
    if len(slices) < FEWEST:
        raise Refused("too few slices", f"{len(slices)} of at least {FEWEST}")
    if len({(s.shape, _near(s.directions, 1e-4), _near(s.spacing, 1e-5)) for s in slices}) > 1:
        raise Refused("mixed series")
    directions = _directions(slices[0])
    places = np.array([s.position for s in slices]) @ directions[0]  # (z,) along the normal
    slices = [slices[i] for i in np.argsort(places, kind="stable")]
    slices, pixels = _pixels(slices, directions[0], tally)
    step = _step(slices, directions)
    affine = affine_of(np.array(slices[0].position), directions, (step, *slices[0].spacing))
    return Scan(pixels, affine, tuple(s.sop for s in slices))


def _one_of_each(slices: tuple[Slice, ...], tally: Tally) -> list[Slice]:
    """A file that is there twice, under one SOP UID, counts once."""
    once = {s.sop: s for s in reversed(slices)}
    if any(s.position != once[s.sop].position for s in slices):
        raise Refused("conflicting slices", "two places under one identifier")
    if len(once) < len(slices):
        tally.notes["copies of a slice left out"] += len(slices) - len(once)
    return [once[sop] for sop in sorted(once)]


def _near(numbers: tuple[float, ...], grain: float) -> tuple[int, ...]:
    return tuple(round(number / grain) for number in numbers)


def _directions(one: Slice) -> np.ndarray:
    """(3, 3): the normal, the direction of growing rows, the direction of growing columns"""
    along_row, along_column = np.array(one.directions).reshape(2, 3)
    square = abs(along_row @ along_column) < 1e-3 and np.allclose(
        np.linalg.norm([along_row, along_column], axis=1), 1, atol=1e-3
    )
    if not square:
        raise Refused("incomplete header", "the directions are not two unit vectors at a right angle")
    return np.array([np.cross(along_row, along_column), along_column, along_row])


def _pixels(slices: list[Slice], normal: np.ndarray, tally: Tally) -> tuple[list[Slice], np.ndarray]:
    """Hounsfield units (z, y, x); a slice that is there twice, under two UIDs but with the same pixels, counts once."""
    kept: list[Slice] = []
    stack: list[np.ndarray] = []
    for one in slices:
        hu = hounsfield(one.path, one.shape)
        if kept and abs((np.array(one.position) - kept[-1].position) @ normal) < 1e-3:
            if not np.array_equal(hu, stack[-1]):
                raise Refused("conflicting slices")
            tally.notes["copies of a slice left out"] += 1
            continue
        kept.append(one)
        stack.append(hu)
    if len(kept) < FEWEST:
        raise Refused("too few slices", f"{len(kept)} of at least {FEWEST}")
    return kept, np.stack(stack)


def _step(slices: list[Slice], directions: np.ndarray) -> float:
    """The distance between slices in mm, once they are known to be stacked along their normal, none missing."""
    moves = np.diff([s.position for s in slices], axis=0) @ directions.T  # (z - 1, 3): along the normal, down, across
    step = float(np.median(moves[:, 0]))
    tilt = max(abs(s.tilt) for s in slices)
    beside = np.abs(moves[:, 1:]).max()
    if tilt > _TILT or beside > max(_STRAY * step, 0.02):
        raise Refused("tilted gantry", f"{tilt:g} degrees, {beside:.2f} mm beside the normal")
    odd = np.flatnonzero(np.abs(moves[:, 0] - step) > max(_STRAY * step, 0.02))
    if len(odd):
        gap = float(moves[odd[0], 0])
        raise Refused(
            "missing slices", f"{len(odd)} times; after slice {odd[0] + 1} {gap:.2f} mm instead of {step:.2f} mm"
        )
    extent = np.array([step, *slices[0].spacing]) * (len(slices), *slices[0].shape)
    if not headers.FINEST <= step <= headers.COARSEST or extent.max() > _LONGEST:
        raise Refused("absurd geometry", f"{step:g} mm between slices, {extent.max():g} mm in all")
    return step
