"""Rows as points of a plane, prototypes as stars among them and criticisms as crosses; or, of pictures, the pictures themselves.

The plane is the first two principal components of the rows, unless they are given as points of a plane already (by t-SNE, say).
Axes without units: distances between points are what the plane keeps of the distances between rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.errors import InputError
from pellucid.core.examples import Examples
from pellucid.core.inputs import plain_array
from pellucid.plot._examples import name_of
from pellucid.plot._style import FAINT, GREY, INK, LINES, RED, SMALL, WIDTH, Sheet, bare, paper

_MANY = 5000  # points that are drawn, of all the rows


def projection(record: Examples, X: Any, ax: Axes | None = None) -> Axes:
    """Where prototypes and criticisms lie among the rows X (n, *features) that they were picked from, or their (n, 2) places."""
    rows = _rows(record, X)
    points, kept = _plane(rows.reshape(len(rows), -1).astype(float))
    ax = paper(ax, 0.8 * WIDTH)
    for colour, chosen, label in _classes(record, len(points)):
        drawn = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), _MANY)).astype(int)]
        ax.scatter(points[drawn, 0], points[drawn, 1], s=9, color=colour, alpha=0.55, linewidths=0, label=label)
    look: dict[str, Any] = {"zorder": 3, "linewidths": 0.8, "edgecolors": "white"}
    ax.scatter(
        points[record.indices, 0], points[record.indices, 1], s=170, marker="*", color=RED, label="prototypes", **look
    )
    if record.criticisms is not None and len(record.criticisms):
        ax.scatter(
            points[record.criticisms, 0],
            points[record.criticisms, 1],
            s=70,
            marker="X",
            color=INK,
            label="criticisms",
            **look,
        )
    ax.legend(fontsize=SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1, 1), markerscale=1.0)
    title = f"{record.receipt.method.partition('(')[0]}: {len(rows):,} rows"
    return bare(ax, title, "" if kept is None else f"first two principal components, {kept:.0%} of the variance")


def specimens(record: Examples, X: Any) -> np.ndarray:
    """The pictures X (n, h, w), (n, channels, h, w) or (n, h, w, channels) that were picked; returns the axes."""
    rows = _rows(record, X)
    picked = [(record.indices, "prototype", RED)]
    if record.criticisms is not None and len(record.criticisms):
        picked.append((record.criticisms, "criticism", INK))
    across = min(10, max(len(which) for which, _, _ in picked))
    lines = [
        (which[i : i + across], word, colour) for which, word, colour in picked for i in range(0, len(which), across)
    ]
    figure = Sheet(figsize=(1.05 * across, 1.35 * len(lines)), layout="constrained")
    axes = np.asarray(figure.subplots(len(lines), across, squeeze=False))
    for line, (which, word, colour) in zip(axes, lines, strict=True):
        for ax in line[len(which) :]:
            ax.set_axis_off()
        for ax, row in zip(line, which.tolist(), strict=False):
            ax.imshow(as_picture(rows[row]), cmap="gray", interpolation="nearest")
            bare(ax, name_of(record, row)).spines[:].set_color(colour)
            ax.title.set_fontsize(SMALL - 1)
        line[0].set_ylabel(f"{word}s", fontsize=SMALL, color=INK)
    return axes


def _rows(record: Examples, X: Any) -> np.ndarray:
    rows = plain_array(X)
    known = len(rows) if record.witness is None else len(record.witness)
    if rows.ndim < 2 or len(rows) != known or record.indices.max() >= len(rows):
        raise InputError(
            f"the rows drawn have shape {rows.shape}: give the {known} rows that the prototypes were picked from."
        )
    return rows


def _plane(points: np.ndarray) -> tuple[np.ndarray, float | None]:
    """(n, d) -> (n, 2) and the share of the variance that is kept; points of a plane stay where they are."""
    if points.shape[1] == 2:
        return points, None
    from scipy.sparse.linalg import svds

    centred = points - points.mean(axis=0)
    if min(centred.shape) < 4:
        wide = np.linalg.svd(centred, full_matrices=False)
        left, size = wide.U[:, :2], wide.S[:2]
    else:
        left, size, _ = svds(centred, k=2, v0=np.ones(min(centred.shape)), return_singular_vectors="u")
        left, size = left[:, ::-1], size[::-1]
    made = left * size
    made = made * np.where(
        made[np.abs(made).argmax(axis=0), range(made.shape[1])] < 0, -1, 1
    )  # the sign is free: fix it
    if made.shape[1] < 2:
        made = np.hstack([made, np.zeros_like(made)])
    return made, float((size**2).sum() / ((centred**2).sum() or 1))


def _classes(record: Examples, n: int) -> list[tuple[str, np.ndarray, str]]:
    """(colour, rows, label) of what is drawn alike: each class where there are few, else all rows."""
    kinds = [] if record.labels is None else np.unique(record.labels).tolist()
    if not 1 < len(kinds) <= len(LINES) - 1:
        return [(FAINT if n > 200 else GREY, np.arange(n), "rows")]
    return [
        (LINES[(i + 1) % len(LINES)], np.flatnonzero(record.labels == kind), str(kind)) for i, kind in enumerate(kinds)
    ]


def as_picture(row: np.ndarray) -> np.ndarray:
    """(h, w), (c, h, w) or (h, w, c) -> what imshow takes, stretched to [0, 1]"""
    if row.ndim == 3 and row.shape[0] in (1, 3):
        row = np.moveaxis(row, 0, -1)
    row = row[..., 0] if row.ndim == 3 and row.shape[-1] == 1 else row
    if row.ndim not in (2, 3) or (row.ndim == 3 and row.shape[-1] != 3):
        raise InputError(f"a row of shape {row.shape} is no picture: plot.projection shows rows of any kind.")
    low, high = float(row.min()), float(row.max())
    return np.asarray((row - low) / ((high - low) or 1.0))
