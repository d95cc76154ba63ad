"""Where the lungs are: air inside of the body, with its vessels.

Air is below -400 HU; what is connected with the air around the body is not lung; of the rest, pieces of at least 100 ml are.
Closing by 6 mm takes vessels and small nodules in. All of it on a grid twice as coarse, which is enough to choose places by.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from pellucid.studies.lung_ct.geometry import spacing_of
from pellucid.studies.lung_ct.refusals import Refused

STRIDE = 2  # voxels of the volume for one of the mask
_AIR, _LEAST, _CLOSED = -400.0, 100_000.0, 6.0  # HU, mm^3, mm


def lung_mask(hu: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """hu (z, y, x) -> bool, every second voxel along each axis; `Refused` where no lung is found"""
    coarse = hu[::STRIDE, ::STRIDE, ::STRIDE]
    step = spacing_of(affine) * STRIDE
    labels, _ = ndimage.label(coarse < _AIR)
    volumes = np.bincount(labels.ravel()) * np.prod(step)
    lungs = volumes >= _LEAST
    lungs[0] = False
    for axis in set(range(3)) - {int(np.abs(affine[2, :3]).argmax())}:  # lungs may go on above and below the scan
        faces = labels.take([0, -1], axis)
        lungs[np.unique(faces)] = False
    mask = lungs[labels]
    if not mask.any():
        raise Refused("no lung")
    return _closed(mask, step)


def _closed(mask: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Grown by some millimetres and shrunk again, on the box around the lungs; beyond it there is none"""
    reach = np.ceil(_CLOSED / step).astype(int)
    (box,) = ndimage.find_objects(mask.astype(np.uint8))
    padded = np.pad(mask[box], [(r, r) for r in reach])
    grown = ndimage.distance_transform_edt(~padded, sampling=step) <= _CLOSED
    shrunk = ndimage.distance_transform_edt(grown, sampling=step) > _CLOSED
    made = mask.copy()
    made[box] |= shrunk[tuple(slice(r, -r) for r in reach)]
    return made
