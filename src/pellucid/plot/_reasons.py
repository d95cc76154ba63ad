"""This looks like that: the input with the patch that was recognised, and beside it the training picture it looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array
from pellucid.core.reasons import Reasons
from pellucid.plot._labels import signed
from pellucid.plot._projection import as_picture
from pellucid.plot._style import RED, SEQUENTIAL, SMALL, Sheet, bare


def reasons(record: Reasons, X: Any, training: Any, row: int = 0, k: int = 3, target: int | None = None) -> np.ndarray:
    """The k strongest reasons for one row of X (n, c, H, W), beside the pictures of `training` that they come from; the axes."""
    pictures, known = plain_array(X), plain_array(training)
    if len(pictures) != len(record) or record.source.max() >= len(known):
        raise InputError(
            f"{len(pictures)} pictures and {len(known)} training pictures: give those that the reasons are of."
        )
    of = int(record.logits[row].argmax()) if target is None else target
    evidence = record.evidence(row, of)
    first = np.argsort(-evidence, kind="stable")[:k]
    figure = Sheet(figsize=(5.6, 2.05 * len(first)), layout="constrained")
    axes = np.asarray(figure.subplots(len(first), 3, squeeze=False))
    space = record.maps.shape[2:]
    for line, j in zip(axes, first.tolist(), strict=True):
        source = record.source[j]
        _boxed(
            line[0], pictures[row], record.place[row, j], space, f"row {row}, class {of}: {signed(float(evidence[j]))}"
        )
        line[1].imshow(record.maps[row, j], cmap=SEQUENTIAL, vmin=0)
        bare(line[1], "looks like").title.set_fontsize(SMALL)
        _boxed(line[2], known[source], record.source_place[j], space, f"training row {source}")
    return axes


def _boxed(ax: Axes, picture: np.ndarray, place: np.ndarray, space: tuple[int, ...], title: str) -> None:
    shown = as_picture(picture)
    ax.imshow(shown, cmap="gray", interpolation="nearest")
    size = [a / b for a, b in zip(shown.shape[:2], space, strict=True)]
    corner = (place[1] * size[1] - 0.5, place[0] * size[0] - 0.5)
    ax.add_patch(Rectangle(corner, size[1], size[0], fill=False, edgecolor=RED, linewidth=2))
    bare(ax, title).title.set_fontsize(SMALL)
