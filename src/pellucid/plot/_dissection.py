"""What units of a layer detect: how many for each concept, and the best units with the inputs that excite them most."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pellucid.core.concept_scores import ConceptScores
from pellucid.core.dissection import Dissection
from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array
from pellucid.plot._bar import height_of, label_end
from pellucid.plot._labels import cut
from pellucid.plot._projection import as_picture
from pellucid.plot._style import (
    GREY,
    INK,
    PLAIN,
    RED,
    SMALL,
    WIDTH,
    Panel,
    Sheet,
    bare,
    dress,
    name_rows,
    paper,
    width_of,
)

_FOOTER = "numbers: the best unit's overlap (IoU) against that with other inputs' masks; *\u00a0clearly\u00a0more"


def detectors(record: ConceptScores, layer: int = 0, ax: Axes | None = None) -> Axes:
    """How many units detect each concept, most first, and the overlap of the best of them; concepts without any below."""
    units = _units(record, layer)
    counts = np.array([(units.detects == i).sum() for i in range(len(record.concepts))])
    best = np.nan_to_num(record.scores[:, layer], nan=-1.0)
    order = np.lexsort((-best, -counts))
    ax = paper(ax, height_of(len(order)) + 0.3)
    ax.barh(np.arange(len(order)), counts[order], height=0.68, color=PLAIN, linewidth=0)
    told = [_told(record, units, i, layer) for i in order.tolist()]
    for place, (i, words) in enumerate(zip(order.tolist(), told, strict=True)):
        label_end(ax, words, place, float(counts[i]), left=False)
    ax.axvline(0, color=GREY, linewidth=0.8)
    name_rows(ax, [record.concepts[i] for i in order])
    ax.set_xlim(0, _room(ax, counts[order], told))
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10]))
    found, all_units = int((units.detects >= 0).sum()), len(units)
    concepts = f"{len(units.unique)} concept{'s' * (len(units.unique) != 1)}"
    title = f"{record.layers[layer]}: {concepts} detected by {found} of {all_units} units"
    return dress(ax, title, f"units that overlap the concept most, by more than\u00a0{units.threshold:g}\n{_FOOTER}")


def _room(ax: Axes, counts: np.ndarray, told: list[str]) -> float:
    """How far the axis goes so that the words behind each bar fit, (k,) counts from the top down; bars keep a sixth of it."""
    share = np.array([(0.55 * SMALL * len(words) + 10) / width_of(ax) for words in told])
    return float(max(1.0, *(counts / np.maximum(1 - share, 1 / 6))) * 1.02)


def _told(record: ConceptScores, units: Dissection, i: int, layer: int) -> str:
    if record.reasons[i][layer]:
        return "not in any mask"
    unit = int(np.nan_to_num(units.iou[:, i]).argmax())
    star = " *" if record.significant[i, layer] else ""
    most = units.ceiling[unit, i]
    limit = f", at most {most:.2f}" if most <= units.threshold else ""
    return f"{record.scores[i, layer]:.2f} against {units.chance[unit, i]:.2f}{star}{limit}"


def dissection(record: ConceptScores, inputs: Any, layer: int = 0, k: int = 6) -> np.ndarray:
    """The k units that overlap a concept most, a line each: the inputs that excite them most, with the unit's region outlined.

    `inputs (n, c, h, w)` are the pictures that were dissected, in any colours worth looking at. Returns the axes (k, t).
    """
    units, pictures = _units(record, layer), plain_array(inputs)
    if pictures.ndim != 4 or len(pictures) <= units.top.max():
        raise InputError(
            f"inputs have shape {pictures.shape}: expected the pictures that were dissected, (n, c, h, w)."
        )
    best, tops = units.ranked()[:k], units.top.shape[1]
    shape = as_picture(pictures[0]).shape
    panels = _panels(len(best), tops, shape[0] / shape[1])
    for unit, line in zip(best.tolist(), panels, strict=True):
        for place, ax in enumerate(line):
            _draw(ax, units, unit, place, pictures)
        line[0].set_title(cut(_heading(record, units, unit), 70), loc="left", fontsize=SMALL, color=INK)
    return np.array(panels, dtype=object)


def _panels(lines: int, across: int, steep: float) -> list[list[Axes]]:
    """Pictures of one size side by side, a heading's room above each line."""
    gap, heading = 0.06, 0.3  # inches
    wide = (WIDTH - gap) / across
    high = (wide - gap) * steep
    tall = lines * (high + heading) + gap
    figure = Sheet(figsize=(WIDTH, tall))
    return [
        [
            figure.add_axes(
                (
                    (gap + j * wide) / WIDTH,
                    1 - (i + 1) * (high + heading) / tall,
                    (wide - gap) / WIDTH,
                    high / tall,
                ),
                axes_class=Panel,
            )
            for j in range(across)
        ]
        for i in range(lines)
    ]


def _heading(record: ConceptScores, units: Dissection, unit: int) -> str:
    c = int(units.best[unit])
    error = f" ± {units.stderr[unit, c]:.2f}" if np.isfinite(units.stderr[unit, c]) else ""
    below = "" if units.detects[unit] >= 0 else ", no detector"
    return f"unit {unit}: {record.concepts[c]}, IoU {units.iou[unit, c]:.2f}{error}, by chance {units.chance[unit, c]:.2f}{below}"


def _draw(ax: Axes, units: Dissection, unit: int, place: int, pictures: np.ndarray) -> None:
    """One input, what is outside the unit's region pale, its edge red."""
    picture = as_picture(pictures[units.top[unit, place]])
    picture = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    (h, w), grid = picture.shape[:2], units.maps[unit, place]
    fine = _finer(grid, (h, w))
    inside = fine > units.levels[unit]
    ax.imshow(np.where(inside[..., None], picture, 0.55 * picture + 0.45), extent=(-0.5, w - 0.5, h - 0.5, -0.5))
    if inside.any() and not inside.all():
        ax.contour(fine, levels=[units.levels[unit]], colors=[RED], linewidths=1.2)
    bare(ax)


def _finer(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) -> (H, W), linear between the centres of cells, as the regions were drawn"""
    out = grid
    for axis, length in enumerate(size):
        cells = out.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * cells / length - 0.5, 0, cells - 1)
        low = np.minimum(at.astype(int), max(cells - 2, 0))
        high = np.minimum(low + 1, cells - 1)
        part = (at - low).reshape(-1, *(1,) * (1 - axis))
        out = np.take(out, low, axis) * (1 - part) + np.take(out, high, axis) * part
    return out


def _units(record: ConceptScores, layer: int) -> Dissection:
    if not record.units:
        raise InputError("these scores are of no dissection: plot.concepts draws them.")
    if not -len(record.units) <= layer < len(record.units):
        raise InputError(f"layer {layer} of a dissection of {len(record.units)} layers: give one of their positions.")
    return record.units[layer]
