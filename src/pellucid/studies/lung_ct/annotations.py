"""What LIDC's readers wrote: the marks of one XML file (Armato et al. 2011, Medical Physics 38(2), doi:10.1118/1.3528204).

Each of up to four readers marked three kinds of things: nodules of 3 mm and more, outlined slice by slice and rated; nodules below
3 mm, one point each; and other places of 3 mm and more that are no nodule, one point each. An outline runs through the pixels just
*outside* of the nodule, in pixel coordinates of the slice that its SOP UID names; one with `inclusion` FALSE is a hole.
The collection's readings of chest films use the same names under another root; they parse too, and say that they are none of CT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.registry import need
from pellucid.studies.lung_ct.headers import MOST_PIXELS
from pellucid.studies.lung_ct.refusals import Refused

NODULE, SMALL, OTHER = "nodule", "small nodule", "no nodule"
RATINGS = (
    "subtlety",
    "internalStructure",
    "calcification",
    "sphericity",
    "margin",
    "lobulation",
    "spiculation",
    "texture",
    "malignancy",
)
_LARGEST = 20 << 20  # bytes of a file; the largest of the collection has 2 MB
_MOST_MARKS = 5000  # of a file; 265 at most in the collection
_WORST = 6  # rating; scales end at 4, 5 or 6
_FURTHEST = 10_000.0  # mm, of a height


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed line on one slice: points (k, 2) are columns and rows; one point alone is a place, not a line."""

    sop: str
    height: float  # the slice's third coordinate in mm
    inside: bool  # False: a hole
    points: np.ndarray

    @cached_property
    def pixels(self) -> np.ndarray:
        """(m, 2) columns and rows inside of the line; the line itself, where nothing is inside"""
        if len(self.points) < 3:
            return self.points
        from matplotlib.path import Path as Polygon

        low, high = self.points.min(0), self.points.max(0)
        box = np.stack(np.meshgrid(*(np.arange(a, b + 1) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
        within = Polygon(self.points).contains_points(box.reshape(-1, 2)).reshape(box.shape[:2])
        within[tuple((self.points - low).T)] = False  # the line runs outside
        return box[within] if within.any() else np.unique(self.points, axis=0)


@dataclass(frozen=True, eq=False)
class Mark:
    """One thing that one reader marked."""

    reader: int
    id: str
    kind: str
    outlines: tuple[Outline, ...]
    ratings: dict[str, int]

    @cached_property
    def cells(self) -> np.ndarray:
        """Sorted numbers (m,) of the voxels inside, one for each (slice, row, column) of the series"""
        inside = [_numbers(line) for line in self.outlines if line.inside]
        holes = [_numbers(line) for line in self.outlines if not line.inside]
        cells = np.unique(np.concatenate(inside)) if inside else np.empty(0, np.int64)
        return np.setdiff1d(cells, np.concatenate(holes)) if holes else cells


@dataclass(frozen=True, eq=False)
class Reading:
    """All marks of one series; `modality` is CT, or CXR for readings of chest films."""

    series: str
    modality: str
    readers: int
    marks: tuple[Mark, ...]


def _numbers(line: Outline) -> np.ndarray:
    """Heights differ by more than 0.1 mm between slices and agree within a slice, over all readers of a file."""
    level = np.int64(round(line.height * 100)) + (1 << 27)
    x, y = line.pixels.T.astype(np.int64)
    return (level << 32) | (y << 16) | x


def parse(path: str | Path) -> Reading:
    """One file; `Refused` where it is no reader's file or could do harm (external entities, expansion)."""
    need("defusedxml", "Reading XML")
    from defusedxml.ElementTree import parse as parse_safely

    try:
        if Path(path).stat().st_size > _LARGEST:
            raise Refused("not XML", "too large for a reader's file")
        root = parse_safely(path, forbid_dtd=True).getroot()
    except Refused:
        raise
    except Exception as error:  # defused errors are ValueErrors, expat's are SyntaxErrors; encodings raise others
        raise Refused("not XML", type(error).__name__) from None
    name = _local(root.tag)
    if name not in ("LidcReadMessage", "IdriReadMessage"):
        raise Refused("not XML", "no reader's file")
    try:
        return _ct(root) if name == "LidcReadMessage" else _film(root)
    except (TypeError, ValueError, OverflowError):
        raise Refused("not XML", "a number or a name is missing") from None


def _ct(root: Any) -> Reading:
    header = _child(root, "ResponseHeader")
    series = _text(header, "SeriesInstanceUid")
    sessions = list(_children(root, "readingSession"))
    marks = tuple(mark for reader, session in enumerate(sessions) for mark in _marks(session, reader))
    if len(marks) > _MOST_MARKS:
        raise Refused("not XML", f"{len(marks):,} marks")
    return Reading(series, "CT", len(sessions), marks)


def _film(root: Any) -> Reading:
    """The marks on a pair of chest films have one point each."""
    sessions = list(_children(root, "CXRreadingSession"))
    marks = [
        Mark(reader, _text(one, "noduleID"), OTHER, tuple(_outline(roi) for roi in _children(one, "roi")), {})
        for reader, session in enumerate(sessions)
        for one in _children(session, "unblindedRead")
    ]
    return Reading(_text(_child(root, "ResponseHeader"), "CXRSeriesInstanceUid"), "CXR", len(sessions), tuple(marks))


def _marks(session: Any, reader: int) -> Iterator[Mark]:
    for one in _children(session, "unblindedReadNodule"):
        outlines = tuple(_outline(roi) for roi in _children(one, "roi"))
        ratings = _ratings(one)
        kind = NODULE if any(len(line.points) > 1 for line in outlines) else SMALL
        yield Mark(reader, _text(one, "noduleID"), kind, outlines, ratings if kind == NODULE else {})
    for one in _children(session, "nonNodule"):
        yield Mark(reader, _text(one, "nonNoduleID"), OTHER, (_place(one),), {})


def _ratings(mark: Any) -> dict[str, int]:
    given = next(_children(mark, "characteristics"), ())
    found = {_local(item.tag): int(item.text) for item in given if _local(item.tag) in RATINGS}
    if not all(0 <= rating <= _WORST for rating in found.values()):
        raise ValueError("no rating")
    return found


def _outline(roi: Any) -> Outline:
    points = [(int(_text(edge, "xCoord")), int(_text(edge, "yCoord"))) for edge in _children(roi, "edgeMap")]
    height = next(_children(roi, "imageZposition"), None)
    inside = next(_children(roi, "inclusion"), None)
    return Outline(
        _text(roi, "imageSOP_UID"),
        0.0 if height is None else _height(height.text),
        inside is None or (inside.text or "").strip().upper() != "FALSE",
        _pixel_places(points),
    )


def _place(mark: Any) -> Outline:
    locus = _child(mark, "locus")
    point = (int(_text(locus, "xCoord")), int(_text(locus, "yCoord")))
    return Outline(_text(mark, "imageSOP_UID"), _height(_text(mark, "imageZposition")), True, _pixel_places([point]))


def _height(text: str) -> float:
    value = float(text)
    if not abs(value) <= _FURTHEST:
        raise ValueError("no height")
    return value


def _pixel_places(points: list[tuple[int, int]]) -> np.ndarray:
    made = np.array(points, np.int64).reshape(-1, 2)
    if not len(made) or made.min() < 0 or made.max() >= MOST_PIXELS:
        raise ValueError("no pixel of a slice")
    return made


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _children(element: Any, name: str) -> Iterator[Any]:
    return (child for child in element if _local(child.tag) == name)


def _child(element: Any, name: str) -> Any:
    found = next(_children(element, name), None)
    if found is None:
        raise ValueError(name)
    return found


def _text(element: Any, name: str) -> str:
    text = (_child(element, name).text or "").strip()
    if not text:
        raise ValueError(name)
    return text
