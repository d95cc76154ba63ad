"""The pixels of one slice in Hounsfield units.

    HU = RescaleSlope * stored value + RescaleIntercept

Whether black is low or high (MONOCHROME2, MONOCHROME1) is a matter of showing a slice, and changes nothing here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.studies.lung_ct.headers import hushed
from pellucid.studies.lung_ct.refusals import Refused

LOWEST = -1024.0  # HU; what scanners write outside of their circle is lower, and is air
_HIGHEST = 100_000.0  # HU; beyond metal, and beyond the extended scales that show it


def hounsfield(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """(y, x) float32 of the slice in a file, which has to have this shape"""
    try:
        with hushed():
            stored, slope, intercept = _stored(path)
    except Refused:
        raise
    except (RuntimeError, NotImplementedError) as error:
        raise Refused(
            "unreadable pixels", f"{type(error).__name__}: `pip install pylibjpeg[all]` brings codecs"
        ) from None
    except Exception as error:  # damaged files raise whatever they hit first
        raise Refused("truncated", type(error).__name__) from None
    if stored.shape != shape:
        raise Refused("truncated", "the picture is not of the size that its header says")
    if not (np.isfinite([slope, intercept]).all() and slope > 0):
        raise Refused("incomplete header", "the rescale is no finite line that rises")
    with np.errstate(over="ignore"):
        hu = stored * np.float32(slope) + np.float32(intercept)
    if not hu.max() <= _HIGHEST:
        raise Refused("incomplete header", "values that are no Hounsfield units")
    return np.maximum(hu, np.float32(LOWEST))


def _stored(path: Path) -> tuple[np.ndarray, float, float]:
    """The values as they are stored (y, x), slope and intercept"""
    import pydicom

    data = pydicom.dcmread(path)
    if not data.file_meta.TransferSyntaxUID.is_compressed:
        _enough(data)
    return data.pixel_array.astype(np.float32), float(data.RescaleSlope), float(data.RescaleIntercept)


def _enough(data: Any) -> None:
    wanted = data.Rows * data.Columns * data.BitsAllocated // 8
    there = len(data.get("PixelData", b"") or b"")
    if there < wanted:
        raise Refused("truncated", f"{there:,} of {wanted:,} bytes")
