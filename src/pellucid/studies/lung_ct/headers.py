"""The header of one slice: where it lies, whose it is, and why it is none of a CT volume.

Nothing in a header is believed: numbers have to be finite and what a scanner can have, and what a refusal tells is made of words of
ours and of numbers, for a name may stand in any element. Files that are deflated as a whole are refused: a kilobyte of one may
become a gigabyte.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.studies.lung_ct.refusals import Refused

MOST_PIXELS = 4096  # along a side
FINEST, COARSEST = 0.02, 20.0  # mm between pixels or slices
_FURTHEST = 10_000.0  # mm from the scanner's middle
_LARGEST = 256 << 20  # bytes of a slice's file; half a megabyte is common
_PLAIN = "incomplete header"
_NEEDED = (
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
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
    "PhotometricInterpretation",
    "RescaleType",
)
_NAMED = (
    "MR",
    "PT",
    "NM",
    "US",
    "CR",
    "DX",
    "RF",
    "MG",
    "OT",
    "SC",
    "SR",
    "PR",
    "SEG",
    "RTSTRUCT",
)  # modalities that may be told


@dataclass(frozen=True)
class Slice:
    """Where one slice lies and whose it is; no pixels yet, and identifiers stay in memory."""

    path: Path
    sop: str
    series: str
    whose: tuple[str, str]  # patient, study
    position: tuple[float, float, float]
    directions: tuple[float, ...]  # six: along a row, along a column
    spacing: tuple[float, float]  # between rows, between columns
    shape: tuple[int, int]
    tilt: float

    def __repr__(self) -> str:
        return f"Slice({self.shape[0]} x {self.shape[1]})"


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """pydicom warns of odd values, which are common and are checked here, and logs them, names and all: not in this block."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def look(path: Path) -> Slice | None:
    """A CT slice without its pixels; None for a file that does not claim to be DICOM; `Refused` for anything else"""
    from pydicom.errors import InvalidDicomError

    try:
        with hushed():
            header = _header(path)
            _check(header)
            return _slice(path, header)
    except InvalidDicomError:
        if path.suffix.lower() not in (".dcm", ".ima"):
            return None
        raise Refused("not DICOM", "no DICOM preamble") from None
    except Refused:
        raise
    except Exception as error:  # damaged files raise whatever they hit first
        raise Refused("not DICOM", f"damaged ({type(error).__name__})") from None


def _header(path: Path) -> Any:
    import pydicom
    from pydicom.filereader import read_file_meta_info
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    if path.stat().st_size > _LARGEST:
        raise Refused("not DICOM", "too large for a slice")
    syntax = read_file_meta_info(path).get("TransferSyntaxUID")
    if syntax is None:
        raise Refused(_PLAIN, "no transfer syntax")
    if syntax == DeflatedExplicitVRLittleEndian:
        raise Refused("unreadable pixels", "the file is deflated as a whole")
    return pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[*_NEEDED, *_WANTED])


def _check(header: Any) -> None:
    modality = str(header.get("Modality", ""))
    if modality != "CT":
        raise Refused("not CT", f"modality {modality}" if modality in _NAMED else "")
    if "LOCALIZER" in str(header.get("ImageType", "")).upper() or int(header.get("SamplesPerPixel", None) or 1) != 1:
        raise Refused("no axial image")
    if str(header.get("PhotometricInterpretation", "MONOCHROME2")) not in ("MONOCHROME1", "MONOCHROME2"):
        raise Refused("no axial image", "not in shades of grey")
    if int(header.get("NumberOfFrames", None) or 1) != 1:
        raise Refused("no axial image", "several frames in one file")
    if str(header.get("RescaleType", None) or "HU").upper() not in ("HU", "US"):  # US: unspecified
        raise Refused("no axial image", "its values are no Hounsfield units")
    if missing := [name for name in _NEEDED if header.get(name) in (None, "")]:
        raise Refused(_PLAIN, f"no {', '.join(missing)}")


def _slice(path: Path, header: Any) -> Slice:
    try:
        position, directions, spacing = (
            tuple(float(number) for number in header[name].value)
            for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
        )
        shape = (int(header.Rows), int(header.Columns))
        tilt = float(header.get("GantryDetectorTilt", None) or 0.0)
    except (AttributeError, TypeError, ValueError):
        raise Refused(_PLAIN, "a position, a spacing or a size is no number") from None
    if (len(position), len(directions), len(spacing)) != (3, 6, 2):
        raise Refused(_PLAIN, "position, orientation or spacing of the wrong length")
    if not np.isfinite([*position, *directions, *spacing, tilt]).all():
        raise Refused(_PLAIN, "a position, a spacing or a tilt is no finite number")
    if not (min(shape) > 0 and max(shape) <= MOST_PIXELS):
        raise Refused("absurd geometry", f"{shape[0]} x {shape[1]} pixels")
    if not (min(spacing) >= FINEST and max(spacing) <= COARSEST and np.abs(position).max() <= _FURTHEST):
        raise Refused("absurd geometry", f"{spacing[0]:g} x {spacing[1]:g} mm a pixel")
    names = {name: str(header.get(name, "")) for name in (*_NEEDED[:3], "StudyInstanceUID")}
    return Slice(
        path,
        names["SOPInstanceUID"],
        names["SeriesInstanceUID"],
        (names["PatientID"], names["StudyInstanceUID"]),
        position,  # type: ignore[arg-type]
        directions,
        spacing,  # type: ignore[arg-type]
        shape,
        tilt,
    )
