"""Where the voxels of a volume lie in the patient.

An affine (4, 4) takes an index of the array, axis by axis as the array has them, to millimetres. These are DICOM's: towards the
patient's left, back and head (LPS):

    (left, back, head, 1) = affine @ (i, j, k, 1)

So the first column belongs to the first axis: of an array (z, y, x) it is one step along z. Rows that lie differently have one
each, (n, 4, 4). A NIfTI file's millimetres go to the right and the front (RAS): give `np.diag([-1, -1, 1, 1]) @ affine`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.core.errors import InputError

_SIGNS = {"LPS": (1.0, 1.0, 1.0, 1.0), "RAS": (-1.0, -1.0, 1.0, 1.0)}  # MONAI's words for where millimetres go


def checked_affine(affine: Any, n: int | None = None) -> np.ndarray:
    """(4, 4), or (n, 4, 4) where there may be one for each of n rows; refused unless it is finite and can be inverted."""
    matrix = np.asarray(affine, dtype=float)
    known = "(4, 4)" if n is None else f"(4, 4), or ({n}, 4, 4) with one for each row"
    if matrix.shape != (4, 4) and (n is None or matrix.shape != (n, 4, 4)):
        raise InputError(f"affine of shape {matrix.shape}: give {known}, from voxels to millimetres.")
    if not np.isfinite(matrix).all() or (np.linalg.matrix_rank(matrix[..., :3, :3]) < 3).any():
        raise InputError(
            f"affine of shape {matrix.shape} is not finite, or two axes of it run the same way: give one that can be inverted."
        )
    if (matrix[..., 3, :] != (0, 0, 0, 1)).any():
        raise InputError("the last row of an affine is 0, 0, 0, 1: this one may have to be transposed.")
    return matrix


def affine_for(rows: Any, affine: np.ndarray | None) -> np.ndarray | None:
    """The affine of one of the rows, or of some: rows share one, or have one each"""
    return affine if affine is None or affine.ndim == 2 else affine[rows]


def affine_of(x: Any) -> np.ndarray | None:
    """The affine that an array carries, towards left, back and head: that of a MONAI `MetaTensor`, or of what is like one.

    Its columns belong to the array's axes as ours do, and `meta["space"]` says where its millimetres go (RAS unless it says LPS).
    The identity is what MONAI puts where nothing is known; it is not taken for knowledge.
    """
    meta = getattr(x, "meta", None)
    if not isinstance(meta, Mapping) or getattr(x, "affine", None) is None:
        return None
    matrix, space = np.asarray(x.affine, dtype=float), meta.get("space", "RAS")
    spaces = [space] if isinstance(space, str) else list(space)
    if matrix.shape[-2:] != (4, 4) or (matrix == np.eye(4)).all() or not all(one in _SIGNS for one in spaces):
        return None
    signs = np.array([_SIGNS[one] for one in spaces])[:, :, None]
    return (signs if matrix.ndim == 3 else signs[0]) * matrix
