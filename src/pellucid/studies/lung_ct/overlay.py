"""A slice of a patch with a map over it, as a picture that a page can hold: grey tissue, red for what raises the score, blue for
what lowers it, and the readers' outline."""

from __future__ import annotations

import base64
import io

import numpy as np

from pellucid.core.registry import need

RED, BLUE, OUTLINE = np.array([0.84, 0.13, 0.15]), np.array([0.13, 0.40, 0.67]), np.array([1.0, 0.82, 0.0])
_SIDE = 192  # pixels of a picture at least


def overlay(patch: np.ndarray, values: np.ndarray, inside: np.ndarray) -> str:
    """patch in [-1, 1], values in [-1, 1], inside, all (h, w) -> a PNG as a data URI"""
    pyplot = need("matplotlib.pyplot", "The report")
    buffer = io.BytesIO()
    pyplot.imsave(buffer, painted(patch, values, inside), format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def painted(patch: np.ndarray, values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """-> (H, W, 3) in [0, 1], every voxel a square of pixels, the outline two pixels wide, within the voxels inside"""
    grey = np.clip((patch + 1) / 2, 0, 1)[..., None].repeat(3, 2)
    weight = np.clip(np.abs(values), 0, 1)[..., None] ** 0.7  # so that what is small is seen
    mixed = (1 - weight) * grey + weight * np.where(values[..., None] >= 0, RED, BLUE)
    times = max(1, -(-_SIDE // len(patch)))
    picture, mask = (array.repeat(times, 0).repeat(times, 1) for array in (mixed, inside))
    picture[mask & ~_inner(_inner(mask))] = OUTLINE
    return np.asarray(picture)


def _inner(mask: np.ndarray) -> np.ndarray:
    """mask (h, w) -> its pixels all of whose four neighbours are in it"""
    wide = np.pad(mask, 1)
    return np.asarray(mask & wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:])
