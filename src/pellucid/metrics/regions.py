"""Where the answer is known to be: masks or boxes, as a user has them, turned into places."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array
from pellucid.core.records import Attribution
from pellucid.metrics.base import Case


def known_places(case: Case) -> np.ndarray:
    """(n, *space) True where the answer is.

    `truth` is masks (n, *space) of True and False (for a table (n, p): the features that matter), or boxes, for each axis of
    space from where to where: (n, axes, 2), or (n, boxes, axes, 2), where a box from 0 to 0 is none.
    """
    n, *space = case.places.shape
    if isinstance(case.truth, Attribution):
        raise InputError("truth is an Attribution, and asked for is where the answer lies: give masks or boxes.")
    given, axes = plain_array(case.truth), len(space)
    if given.shape == (n, 1, *space) and case.channels is not None:
        given = given[:, 0]
    if given.shape == (n, *space):
        return _of_masks(given)
    if given.ndim in (3, 4) and len(given) == n and given.shape[-2:] == (axes, 2):
        return _of_boxes(given.reshape(n, -1, axes, 2), tuple(space))
    raise InputError(
        f"truth has shape {given.shape}: expected masks {(n, *space)}, or boxes {(n, axes, 2)} or {(n, 'boxes', axes, 2)} that say "
        "for each axis where they start and stop."
    )


def _of_masks(given: np.ndarray) -> np.ndarray:
    if not np.isin(given, (0, 1)).all():
        raise InputError(
            "truth holds numbers other than 0 and 1, so it is no mask: write truth > 0 where they are labels."
        )
    return given.astype(bool)


def _of_boxes(boxes: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    """boxes (n, k, axes, 2) -> (n, *space)"""
    start, stop = boxes[..., 0], boxes[..., 1]
    if not ((start >= 0) & (start <= stop) & (stop <= np.array(space))).all():
        raise InputError(
            f"a box leaves the map of {space} places, or stops before it starts: give (start, stop) for each axis in the order of "
            "the array, rows of a picture before columns, the stop not included."
        )
    inside = np.ones((*boxes.shape[:2], *space), bool)
    for axis, side in enumerate(space):
        at = np.arange(side)
        within = (at >= start[..., axis, None]) & (at < stop[..., axis, None])  # (n, k, side)
        inside &= within.reshape(*within.shape[:2], *(side if a == axis else 1 for a in range(len(space))))
    return np.asarray(inside.any(axis=1))


def widened(masks: np.ndarray, tolerance: float) -> np.ndarray:
    """masks (n, *space) -> the places at most `tolerance` from one inside, as the crow flies"""
    if tolerance == 0:
        return masks
    near = [distance_transform_edt(~mask) <= tolerance if mask.any() else mask for mask in masks]
    return np.stack(near)


def without_places(masks: np.ndarray) -> tuple[str, ...]:
    """masks (n, p) -> what to say of rows where nothing, or everything, is the answer"""
    share = masks.mean(axis=1)
    empty, full = int((share == 0).sum()), int((share == 1).sum())
    said = [f"{empty} of {len(masks)} rows have no place in their truth and were not judged"] if empty else []
    return (*said, *([f"in {full} of {len(masks)} rows every place is the truth: nothing can miss"] if full else []))
