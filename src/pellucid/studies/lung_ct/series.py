"""DICOM series: found in a folder, told apart by their UID, sorted by position, checked, and stacked into a volume.

    position of voxel (z, y, x) = ImagePositionPatient of slice z + y * row spacing * second direction + x * column spacing * first
    HU = RescaleSlope * stored value + RescaleIntercept

File names, instance numbers and slice locations are not believed: slices are sorted along the normal of the plane they lie in.
The first look reads headers only; pixels are read of series that are used, one series at a time.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.studies.lung_ct.geometry import affine_of
from pellucid.studies.lung_ct.refusals import Refused, Tally

FEWEST = 3  # slices of a volume
LOWEST = -1024.0  # HU; what scanners write outside of their circle is lower, and is air
_STRAY = 0.02  # of the distance between slices: how far it may vary, and how far a slice may lie beside the normal
_TILT = 0.5  # degrees
_NEEDED = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
)
_WANTED = (
    "StudyInstanceUID",
    "Modality",
    "ImageType",
    "Rows",
    "Columns",
    "GantryDetectorTilt",
    "SamplesPerPixel",
    "NumberOfFrames",
)


@dataclass(frozen=True)
class Slice:
    """Where one slice lies; no pixels yet."""

    path: Path
    sop: str
    position: tuple[float, float, float]
    directions: tuple[float, ...]  # six: along a row, along a column
    spacing: tuple[float, float]  # between rows, between columns
    shape: tuple[int, int]
    tilt: float


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
    whose: dict[str, set[tuple[str, str]]] = defaultdict(set)  # (patient, study)
    for path in _files(Path(folder)):
        try:
            header = _header(path)
            if header is not None:
                slices[str(header.SeriesInstanceUID)].append(_slice(path, header))
                whose[str(header.SeriesInstanceUID)].add(
                    (str(header.PatientID), str(header.get("StudyInstanceUID", "")))
                )
        except Refused as error:
            tally.refuse("a file", error)
    found = []
    for uid in sorted(slices):
        if len(whose[uid]) > 1:
            tally.refuse("a series", Refused("mixed series", "slices of several patients or studies"))
            continue
        patient, study = next(iter(whose[uid]))
        found.append(Series(uid, study, patient, tuple(slices[uid])))
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Files in a fixed order; links that lead elsewhere are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _header(path: Path) -> Any:
    """The header of a CT slice; None for a file that does not claim to be DICOM."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd values are common, and are checked here
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*_NEEDED, *_WANTED])
            _check(header)
            return header
    except InvalidDicomError:
        if path.suffix.lower() not in (".dcm", ".ima"):
            return None
        raise Refused("not DICOM", "no DICOM preamble") from None
    except Refused:
        raise
    except Exception as error:  # damaged files raise whatever they hit first
        raise Refused("not DICOM", f"damaged ({type(error).__name__})") from None


def _check(header: Any) -> None:
    modality = str(header.get("Modality", "none"))
    if modality != "CT":
        raise Refused("not CT", f"modality {modality[:16]}")
    kinds = [str(kind).upper() for kind in header.get("ImageType", [])]
    if "LOCALIZER" in kinds or int(header.get("SamplesPerPixel", 1)) != 1:
        raise Refused("no axial image")
    if int(header.get("NumberOfFrames", None) or 1) != 1:
        raise Refused("no axial image", "several frames in one file")
    if missing := [name for name in _NEEDED if header.get(name) in (None, "")]:
        raise Refused("incomplete header", f"no {', '.join(missing)}")


def _slice(path: Path, header: Any) -> Slice:
    try:
        position, directions, spacing = (
            tuple(float(number) for number in header[name].value)
            for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
        )
        shape = (int(header.Rows), int(header.Columns))
        tilt = float(header.get("GantryDetectorTilt", None) or 0.0)
    except (AttributeError, TypeError, ValueError):
        raise Refused("incomplete header", "a position, a spacing or a size is no number") from None
    if (len(position), len(directions), len(spacing)) != (3, 6, 2) or not min(spacing) > 0:
        raise Refused("incomplete header", "position, orientation or spacing of the wrong length")
    return Slice(path, str(header.SOPInstanceUID), position, directions, spacing, shape, tilt)  # type: ignore[arg-type]


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
        hu = _hounsfield(one)
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


def _hounsfield(one: Slice) -> np.ndarray:
    """(y, x) float32"""
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(one.path)
            if not data.file_meta.TransferSyntaxUID.is_compressed:
                _enough(data)
            stored = data.pixel_array.astype(np.float32)
        slope, intercept = float(data.get("RescaleSlope", 1)), float(data.get("RescaleIntercept", 0))
    except Refused:
        raise
    except (RuntimeError, NotImplementedError) as error:
        raise Refused(
            "unreadable pixels", f"{type(error).__name__}: `pip install pylibjpeg[all]` brings codecs"
        ) from None
    except Exception as error:  # damaged files raise whatever they hit first
        raise Refused("truncated", type(error).__name__) from None
    if stored.shape != one.shape or not np.isfinite([slope, intercept]).all():
        raise Refused("truncated", "the picture is not of the size that its header says")
    return np.maximum(stored * np.float32(slope) + np.float32(intercept), np.float32(LOWEST))


def _enough(data: Any) -> None:
    wanted = data.Rows * data.Columns * data.BitsAllocated // 8
    there = len(data.get("PixelData", b"") or b"")
    if there < wanted:
        raise Refused("truncated", f"{there:,} of {wanted:,} bytes")


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
    return step
