"""A volume and its map: the axial, coronal and sagittal plane through one place, side by side on one pair of axes.

The axes are in millimetres (in voxels, where nothing is known of them), so proportions are true whatever the spacing. A map of a
part of a volume is drawn at its place in the whole, with a dashed box around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from pellucid.core.affine import affine_for
from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Collapse
from pellucid.plot._labels import equation, number, row_of, title
from pellucid.plot._overlay import Key, Scale, lay_over, over_key
from pellucid.plot._paint import constant, has_offset, limit_of, places
from pellucid.plot._planes import Frame, Plane, frame
from pellucid.plot._style import INK, SMALL, WIDTH, bare, message, paper, width_of

HEAD, BOX = "head", "box"  # what the words above the planes and the box around a part go by, for who restyles a plot
_CROSS = Path(
    [(-1, 0), (-0.4, 0), (0.4, 0), (1, 0), (0, -1), (0, -0.4), (0, 0.4), (0, 1)], [Path.MOVETO, Path.LINETO] * 4
)
_EDGED = [withStroke(linewidth=2.2, foreground="black")]
_NARROWEST = 0.45  # of the tallest plane: room for the words above


def slices(
    attribution: Attribution,
    row: int = 0,
    ax: Axes | None = None,
    *,
    at: Sequence[float] | None = None,
    affine: np.ndarray | None = None,
    spacing: Sequence[float] | None = None,
    within: tuple[np.ndarray, Sequence[int]] | None = None,
    window: tuple[float, float] | None = None,
    outline: np.ndarray | None = None,
    scale: Scale = "signed",
    limit: float | None = None,
    collapse: Collapse = "sum",
    key: Key = "words",
) -> Axes:
    """One row's map over its volume (d, h, w), cut through the voxel `at` (None: the strongest place of the map).

    `affine` (4, 4) takes voxels to the patient's millimetres (left, back, head) and turns the planes to axial, coronal and
    sagittal, with letters; None takes the record's own. `spacing` (3,) says only how far apart voxels are, along the array's axes.
    `within=(whole, first)` draws the map in the volume `whole` out of which the row was cut from the voxel `first` on; `at` is then
    the whole's, and so may `affine` be, for planes need its directions alone. `window` are the values that are drawn black and
    white; `outline` (d, h, w), true inside of something in the row, is drawn as a line.
    `scale="unit"` draws strengths from 0 to 1, blue to red: magnitudes over the largest, or over `limit`; `scale="none"` the
    volume alone. `limit`, `collapse` and `key` are those of `image`.
    """
    row, heading = row_of(attribution, row), "input" if scale == "none" else title(attribution, row)
    seen, corner = _seen(attribution, row, within, collapse)
    drawn = bool(attribution.done[row]) and scale != "none"
    values = _on_scale(attribution, row, collapse, scale) if drawn else np.zeros(attribution.spatial)
    affine = affine_for(row, attribution.affine) if affine is None and spacing is None else affine
    place = _place(at, values, corner, seen.shape if not values.any() else None)
    shown = frame(seen.shape, corner, values.shape, place, affine=affine, spacing=spacing)
    ax = paper(ax, _height(shown), layout="compressed")
    if scale != "none" and not drawn:
        return message(ax, "left out: the budget was spent before this row", heading)
    if drawn and constant(values):
        return message(ax, "degenerate:\nconstant map", heading)
    limit, clipped = limit_of(values, limit) if drawn else (1.0, False)
    lefts = _ground(ax, shown, seen, window)
    for plane, left in zip(shown.planes, lefts, strict=True):
        if drawn:
            lay_over(ax, shown.raster(plane, values, corner), limit, scale, _extent(shown, plane, left))
        if outline is not None:
            _line(ax, shown, plane, left, (_inside(outline, values.shape), corner))
        if within is not None:
            _box(ax, shown, plane, left, (corner - 0.5, corner + values.shape - 0.5))
        elif drawn or at is not None:
            _cross(ax, shown, plane, left)
    bare(ax, heading, _footer(attribution, row, scale, limit))
    ax.spines[:].set_visible(False)
    if drawn and key != "none":
        over_key(ax, limit, scale, clipped=clipped, key=key)
    return ax


def _seen(
    attribution: Attribution, row: int, within: tuple[np.ndarray, Sequence[int]] | None, collapse: Collapse
) -> tuple[np.ndarray, np.ndarray]:
    """The volume beneath (d, h, w), and the voxel of it in which the map begins (3,)"""
    if not attribution.is_volume:
        raise InputError(
            f"slices draws volumes; this record's layout is {attribution.layout!r} with rows of shape "
            f"{attribution.data.shape[1:]}: plot.show chooses the plot of a record."
        )
    if within is None:
        data = np.asarray(attribution.data[row], dtype=float)
        axis = {"channels-first": 0, "channels-last": -1}.get(attribution.layout)
        return (data if axis is None else data.mean(axis)), np.zeros(3, dtype=int)
    whole, first = np.asarray(within[0]), np.asarray(within[1])
    if whole.ndim != 3 or first.shape != (3,) or not np.equal(first, np.rint(first)).all():
        raise InputError(
            f"within: a volume of shape {whole.shape} and a first voxel of shape {first.shape}; expected (d, h, w) and three "
            "whole numbers."
        )
    return whole, first.astype(int)


def _on_scale(attribution: Attribution, row: int, collapse: Collapse, scale: Scale) -> np.ndarray:
    """(d, h, w): values, or how strong they are, from 0 on; where only differences mean anything, from the smallest on"""
    values = places(attribution, row, collapse)
    if scale == "signed":
        return values
    return values - values.min() if has_offset(attribution) else np.abs(values)


def _place(
    at: Sequence[float] | None, values: np.ndarray, corner: np.ndarray, middle_of: Sequence[int] | None
) -> Sequence[float]:
    """The voxel to cut through: as asked, else the strongest, else the middle"""
    if at is not None:
        return at
    if middle_of is not None:
        return tuple(corner + np.asarray(values.shape) // 2)
    return tuple(np.add(corner, np.unravel_index(np.abs(values).argmax(), values.shape)))


def _height(shown: Frame) -> float:
    """Inches of a new figure"""
    heights, widths = zip(*map(shown.size, shown.planes), strict=True)
    cells = sum(max(width, _NARROWEST * max(heights)) for width in widths)
    return float(np.clip(0.85 * WIDTH * max(heights) / cells + 0.9, 1.8, 6.0))


def _ground(ax: Axes, shown: Frame, seen: np.ndarray, window: tuple[float, float] | None) -> list[float]:
    """Draw the volume's planes, each in the middle of a black cell as high as the highest; where each begins"""
    black, white = _range(seen) if window is None else window
    tallest, left, begins = max(shown.size(plane)[0] for plane in shown.planes), 0.0, []
    for plane in shown.planes:
        width = shown.size(plane)[1]
        cell = max(width, _NARROWEST * tallest)
        ax.add_patch(Rectangle((left, -tallest / 2), cell, tallest, color="black", linewidth=0, zorder=-1))
        begins.append(left + (cell - width) / 2)
        grey = np.nan_to_num(shown.raster(plane, seen, np.zeros(3, dtype=int)), nan=black)
        look: Any = {"extent": _extent(shown, plane, begins[-1]), "interpolation": "antialiased", "aspect": "equal"}
        ax.imshow(grey, cmap="gray", vmin=black, vmax=white, **look)
        _head(ax, f"{plane.name}, slice {shown.at[plane.cut]}", left, -tallest / 2)
        _letter(ax, plane, (left, left + cell, -tallest / 2, tallest / 2))
        left += cell + 0.03 * tallest
    ax.set_xlim(0, left - 0.03 * tallest)
    ax.set_ylim(tallest / 2, -tallest / 2 - 1.7 * SMALL * left / width_of(ax))
    ax.set_aspect("equal")
    return begins


def _range(seen: np.ndarray) -> tuple[float, float]:
    known = seen[np.isfinite(seen)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 1, high)


def _extent(shown: Frame, plane: Plane, left: float) -> tuple[float, float, float, float]:
    height, width = shown.size(plane)
    return left, left + width, height / 2, -height / 2


def _head(ax: Axes, words: str, x: float, y: float) -> None:
    ax.annotate(
        words,
        (x, y),
        (0, 2.5),
        textcoords="offset points",
        fontsize=SMALL,
        color=INK,
        va="bottom",
        annotation_clip=False,
    ).set_gid(HEAD)


def _letter(ax: Axes, plane: Plane, cell: tuple[float, float, float, float]) -> None:
    """L and R, A and P, S and I at the sides of a cell (left, right, top, bottom)"""
    left, right, top, bottom = cell
    x, y = (left + right) / 2, (top + bottom) / 2
    sides = (((left, y), (3, 0), "left", "center"), ((right, y), (-3, 0), "right", "center"))
    ends = (((x, top), (0, -2), "center", "top"), ((x, bottom), (0, 2), "center", "bottom"))
    for letter, (where, move, ha, va) in zip(plane.letters or (), (*sides, *ends), strict=bool(plane.letters)):
        look: Any = {"ha": ha, "va": va, "fontsize": SMALL, "color": "white", "path_effects": _EDGED}
        ax.annotate(letter, where, move, textcoords="offset points", annotation_clip=False, **look)


def _inside(outline: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """1 inside, 0 outside"""
    inside = np.asarray(outline, dtype=bool)
    if inside.shape != tuple(shape):
        raise InputError(f"outline of shape {inside.shape}: expected that of the row, {tuple(shape)}.")
    return inside.astype(float)


def _line(ax: Axes, shown: Frame, plane: Plane, left: float, part: tuple[np.ndarray, np.ndarray]) -> None:
    """Around what is 1 in a part of the volume that begins at a corner"""
    inside = np.pad(np.nan_to_num(shown.raster(plane, *part)), 1)  # closed where the volume ends
    (h, w), (height, width) = inside.shape, shown.size(plane)
    if not inside.any():
        return
    x = left + (np.arange(w) - 0.5) * width / (w - 2)
    y = (np.arange(h) - 0.5) * height / (h - 2) - height / 2
    ax.contour(x, y, inside, [0.5], colors="white", linewidths=1.0).set(path_effects=_EDGED)


def _cross(ax: Axes, shown: Frame, plane: Plane, left: float) -> None:
    """Where the other planes cut"""
    x, y = shown.place(plane, shown.at)
    look: Any = {"markersize": 15, "color": "white", "markeredgewidth": 0.9, "path_effects": _EDGED}
    ax.plot([left + x], [y - shown.size(plane)[0] / 2], marker=_CROSS, **look)


def _box(ax: Axes, shown: Frame, plane: Plane, left: float, ends: tuple[np.ndarray, np.ndarray]) -> None:
    """A dashed box from one corner to the other, around a part of the volume"""
    (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(*(shown.place(plane, end) for end in ends), strict=True))
    corner, width, height = (left + x0, y0 - shown.size(plane)[0] / 2), x1 - x0, y1 - y0
    ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="black", alpha=0.7))  # seen on white, too
    ax.add_patch(Rectangle(corner, width, height, fill=False, edgecolor="white", linestyle=(0, (4, 2.5)), gid=BOX))


def _footer(attribution: Attribution, row: int, scale: Scale, limit: float) -> str:
    if scale == "none":
        return ""
    if scale == "unit":
        return f"1 is a {'difference' if has_offset(attribution) else 'magnitude'} of {number(limit)}"
    return "values less their mean" if has_offset(attribution) else equation(attribution, row)
