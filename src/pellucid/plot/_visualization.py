"""Made pictures that excite a unit, side by side, each with how far it does."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.visualization import Visualization
from pellucid.plot._labels import number
from pellucid.plot._projection import as_picture
from pellucid.plot._style import SMALL, bare, paper


def visualization(record: Visualization, ax: Axes | None = None) -> Axes:
    """All pictures in one row; a volume by its middle slice."""
    pictures = [_flat(image) for image in record.images]
    gap = np.ones((pictures[0].shape[0], 1, 3))
    row = np.concatenate([part for picture in pictures for part in (picture, gap)][:-1], axis=1)
    ax = paper(ax, 2.9, width=min(12.0, 2.4 * len(pictures) + 0.6), layout="compressed")
    ax.imshow(row, interpolation="nearest")
    said = ", ".join(number(float(value)) for value in record.activations)
    known = "" if np.isnan(record.natural) else f"; the best of the real ones {number(record.natural)}"
    where = "output" if record.unit.layer is None else record.unit.layer
    bare(ax, f"{where}, channel {record.unit.channel}" if record.unit.channel is not None else f"{where}, a direction")
    ax.set_xlabel(f"activation {said}{known}", fontsize=SMALL)
    return ax


def _flat(image: np.ndarray) -> np.ndarray:
    """(c, *space) -> (h, w, 3)"""
    if image.ndim not in (3, 4):
        raise InputError(f"a made input of shape {image.shape} is no picture: read record.images.")
    flat = image[:, image.shape[1] // 2] if image.ndim == 4 else image
    picture = as_picture(flat if len(flat) in (1, 3) else flat.mean(axis=0))
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
