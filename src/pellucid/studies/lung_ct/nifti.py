"""Volumes as NIfTI files, which every viewer of medical images lays over each other at their place in the patient.

Arrays here are (z, y, x) with an affine into DICOM's millimetres, towards left, back and head. NIfTI's arrays are (x, y, z) and its
millimetres go towards right, front and head, so the axes are turned round and two signs change:

    affine of the file = diag(-1, -1, 1, 1) @ affine[:, (2, 1, 0, 3)]

The header holds sizes, the affine and the unit: no name, no date, no text. The same values give the same bytes.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pellucid.core.errors import InputError, StoreError
from pellucid.core.registry import need
from pellucid.core.store import appearing

_SCANNER = 1  # NIfTI's code for millimetres of the scanner
_TURNED = [2, 1, 0, 3]


def to_ras(affine: np.ndarray) -> np.ndarray:
    """(4, 4) from (z, y, x) to left, back, head -> from (x, y, z) to right, front, head; and back again"""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.asarray(affine, dtype=float)[:, _TURNED]


def write_nifti(path: str | Path, values: np.ndarray, affine: np.ndarray) -> Path:
    """values (z, y, x) and their affine as `.nii.gz`; the file appears whole or not at all."""
    nibabel, path = need("nibabel", "Writing NIfTI"), Path(path)
    values = np.asarray(values)
    if values.ndim != 3 or values.dtype not in (np.float32, np.int16, np.uint8) or not path.name.endswith(".nii.gz"):
        raise InputError(
            f"{path.name}: values of shape {values.shape} and type {values.dtype}; expected three axes of float32, int16 or uint8, "
            "and a name that ends in .nii.gz."
        )
    image = nibabel.Nifti1Image(values.T, to_ras(affine))
    image.set_qform(to_ras(affine), _SCANNER)
    image.set_sform(to_ras(affine), _SCANNER)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as partial:
        partial.write_bytes(gzip.compress(image.to_bytes(), 4, mtime=0))
    return path


def read_nifti(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """values (z, y, x), and the affine into left, back and head, of a NIfTI file"""
    nibabel = need("nibabel", "Reading NIfTI")
    try:
        image = nibabel.load(path)
        values = np.asarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, OSError, EOFError, ValueError) as error:
        raise StoreError(f"{Path(path).name} is no NIfTI file that can be read ({type(error).__name__}).") from error
    if values.ndim != 3:
        raise StoreError(f"{Path(path).name} has {values.ndim} axes: expected a volume of three.")
    return values.T, to_ras(image.affine)


def in_whole(values: np.ndarray, first: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    """values (d, h, w) from the voxel `first` on in a volume of this shape that is 0 elsewhere; what lies outside is cut off"""
    made = np.zeros(tuple(shape), values.dtype)
    ends = [(max(f, 0), min(f + side, n)) for f, side, n in zip(first, values.shape, shape, strict=True)]
    if all(low < high for low, high in ends):
        there = tuple(slice(low, high) for low, high in ends)
        made[there] = values[tuple(slice(low - f, high - f) for (low, high), f in zip(ends, first, strict=True))]
    return made
