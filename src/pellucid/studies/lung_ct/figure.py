"""Methods by planes: the scan in the first row, a method's map over it in each other one; axial, coronal and sagittal across.

Patch mode shows the patch alone. Context mode shows whole slices of the scan with the map at its place and a dashed box around
the patch. All rows cut through the same voxel, the middle of what the patch is about. Maps are strengths from 0 to 1, blue to
red: magnitudes over the largest of their own map, which stands beside its name, for units differ from method to method.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import pellucid as pc
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.context import Place

_WIDTH, _ROOM = 6.6, 1.0  # inches: of a figure, and of what stands beside its planes
_WORDS = 9.0
_LOWEST = 0.6  # inches of height of a row, whatever the shape of the scan
_SCAN = "scan"  # the name of the first row


def figure(
    maps: Mapping[str, pc.Attribution],
    place: Place,
    whole: np.ndarray | None = None,
    window: tuple[float, float] = (-1.0, 1.0),
    caption: str = "",
    outline: np.ndarray | None = None,
) -> Figure:
    """Maps of one patch by method, each a record of one row; `whole` is the scan on the patch's grid, for context mode

    The records' affine, `place.own`, turns planes; without one they are those of the array. `window` are the values that are drawn
    black and white: of the patch, or of the scan where it is given; `outline` is true where the readers drew, in the patch.
    """
    look: dict[str, Any] = {"window": window, "at": place.middle, "within": (whole, place.first)}
    if whole is None:
        half = place.size // 2
        look |= {"at": (half, half, half), "within": None}
    row = _row(place, whole is None)
    sheet = Figure(figsize=(_WIDTH, (row + 0.12) * (1 + len(maps)) + 0.5), layout="compressed")
    axes: list[Axes] = list(np.atleast_1d(sheet.subplots(1 + len(maps), 1)))
    first = next(iter(maps.values()))
    pc.plot.slices(first, ax=axes[0], scale="none", **look)
    _dress(axes[0], _SCAN, True, row)
    for ax, (name, record) in zip(axes[1:], maps.items(), strict=True):
        pc.plot.slices(record, ax=ax, scale="unit", key="none", **look)
        _dress(ax, name, False, row)
    for ax in axes:
        bottom, _ = axes[0].get_ylim()
        ax.set(xlim=axes[0].get_xlim(), ylim=(bottom, -bottom), aspect="equal")  # no room for words: all rows alike
    _key(sheet, axes[1:])
    sheet.supxlabel(textwrap.fill(caption, 90), fontsize=_WORDS, x=0.01, ha="left")
    return sheet


def write_png(sheet: Figure, path: Path) -> Path:
    """A picture without a word in its header; the same figure gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as partial:
        sheet.savefig(partial, format="png", dpi=200, bbox_inches="tight", pad_inches=0.06, metadata={"Software": None})
    return path


def _row(place: Place, alone: bool) -> float:
    """Inches of height of three planes"""
    sides = np.array([place.size] * 3 if alone else place.shape) * np.linalg.norm(place.affine[:3, :3], axis=0)
    head, back, left = (sides[np.abs(place.affine[world, :3]).argmax()] for world in (2, 1, 0))
    return float(max((_WIDTH - _ROOM) * max(head, back) / (2 * left + back), _LOWEST))


def _dress(ax: Axes, name: str, heads: bool, row: float) -> None:
    """The name at the side, with what stands for 1; nothing below, and above only where there are to be heads"""
    lines = textwrap.wrap(name, max(12, int(72 * row / (0.56 * _WORDS))))
    lines += [f"1 = {image.norm.vmax:.3g}" for image in ax.images[-1:] if name != _SCAN]
    ax.set_title("", loc="left")
    ax.set_xlabel("")
    ax.set_ylabel("\n".join(lines), fontsize=_WORDS)
    for text in [text for text in ax.texts if text.get_gid() == "head" and not heads]:
        text.remove()


def _key(sheet: Figure, axes: list[Axes]) -> None:
    """One colour bar for all methods"""
    drawn = [ax.images[-1] for ax in axes if ax.images]
    if not drawn:
        return
    bar = sheet.colorbar(drawn[0], ax=axes, fraction=0.025, pad=0.02, aspect=40)
    bar.ax.set_facecolor("#7f7f7f")
    top = bar.ax.get_ylim()[1]
    bar.set_ticks([0, top / 4, top / 2, 3 * top / 4, top], labels=["0", "0.25", "0.5", "0.75", "1"])
    bar.ax.tick_params(labelsize=_WORDS, length=2)
    bar.outline.set_visible(False)
