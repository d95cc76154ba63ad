"""Synthetic chests as a scanner and four readers would hand them over: DICOM series and LIDC-style XML.

    dicom/PHANTOM-0001/series/*.dcm     file names and instance numbers in an order of their own
    xml/0001.xml                        four readings: outlines, points, ratings; they disagree
    phantom.json                        what is where, in millimetres, for tests

The patients have names, so that it can be tested that none gets anywhere.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.annotations import RATINGS
from pellucid.studies.lung_ct.geometry import to_voxels, to_world
from pellucid.studies.lung_ct.phantom import Chest, PhantomNodule, around, chest, places
from pellucid.studies.lung_ct.phantom_slices import write_series

READERS = 4
_NAMESPACE = "http://www.nih.gov"


def write(
    folder: str | Path, patients: int = 24, seed: int = 0, progress: Callable[[int], None] = lambda done: None
) -> Path:
    """Write so many patients into a new folder."""
    need("pydicom", "Writing DICOM")
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder.name!r} is not empty: give a new folder for the phantom.")
    if patients < 1:
        raise InputError(f"patients={patients}: make at least one.")
    (folder / "xml").mkdir(parents=True, exist_ok=True)
    truth = []
    for number in range(1, patients + 1):
        made = chest(number, seed)
        uid, sops = write_series(folder / "dicom" / f"PHANTOM-{number:04d}" / "series", made, number, seed)
        _write_reading(folder / "xml" / f"{number:04d}.xml", made, uid, sops, np.random.default_rng([seed, number, 1]))
        truth.append(_truth(made, number, uid))
        progress(1)
    with appearing(folder / "phantom.json") as partial:
        partial.write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return folder


def _truth(made: Chest, number: int, uid: str) -> dict[str, Any]:
    nodules = [
        {"centre": n.centre, "radii": n.radii, "density": n.density, "seen": n.seen, "readers": len(n.seen)}
        for n in made.nodules
    ]
    return {"patient": f"PHANTOM-{number:04d}", "series": uid, "nodules": nodules}


def _write_reading(path: Path, made: Chest, uid: str, sops: list[str], rng: np.random.Generator) -> None:
    ET.register_namespace("", _NAMESPACE)
    root = ET.Element(f"{{{_NAMESPACE}}}LidcReadMessage")
    _add(_add(root, "ResponseHeader"), "SeriesInstanceUid", uid)
    for reader in range(READERS):
        session = _add(root, "readingSession")
        _add(session, "servicingRadiologistID", "anonymous")
        for number, one in enumerate(made.nodules):
            if reader in one.seen:
                _outline(session, f"{reader}-{number}", one, made, sops, rng)
        for number, place in enumerate(made.specks):
            if rng.random() < 0.7:
                small = _add(session, "unblindedReadNodule")
                _add(small, "noduleID", f"{reader}-s{number}")
                _point(_add(small, "roi"), place, made, sops, wrapped="edgeMap")
        for number, place in enumerate(made.knots):
            if rng.random() < 0.5:
                other = _add(session, "nonNodule")
                _add(other, "nonNoduleID", f"{reader}-n{number}")
                _point(other, place, made, sops, wrapped="locus")
    ET.indent(root)
    with appearing(path) as partial:
        ET.ElementTree(root).write(partial, encoding="utf-8", xml_declaration=True)


def _add(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    child = ET.SubElement(parent, f"{{{_NAMESPACE}}}{name}")
    child.text = text
    return child


def _point(parent: ET.Element, place: tuple[float, ...], made: Chest, sops: list[str], wrapped: str) -> None:
    z, y, x = np.rint(to_voxels(made.affine, np.array(place))).astype(int)
    _where(parent, z, made, sops)
    _pixel(parent, x, y, wrapped)


def _where(parent: ET.Element, z: int, made: Chest, sops: list[str]) -> None:
    _add(parent, "imageZposition", f"{to_world(made.affine, np.array([z, 0, 0]))[2]:.3f}")
    _add(parent, "imageSOP_UID", sops[z])


def _pixel(parent: ET.Element, x: int, y: int, name: str) -> None:
    place = _add(parent, name)
    _add(place, "xCoord", str(x))
    _add(place, "yCoord", str(y))


def _outline(
    session: ET.Element, name: str, one: PhantomNodule, made: Chest, sops: list[str], rng: np.random.Generator
) -> None:
    """A reader's nodule: a little larger or smaller than it is, a little beside it, rated with a little doubt."""
    seen = PhantomNodule(
        tuple(np.add(one.centre, rng.normal(0, 0.4, 3))),
        tuple(np.multiply(one.radii, rng.uniform(0.9, 1.15))),
        one.density,
        one.seen,
    )
    nodule = _add(session, "unblindedReadNodule")
    _add(nodule, "noduleID", name)
    _rate(_add(nodule, "characteristics"), one, rng)
    mask = _mask(seen, made)
    for z in np.flatnonzero(mask.any((1, 2))):
        roi = _add(nodule, "roi")
        _where(roi, int(z), made, sops)
        _add(roi, "inclusion", "TRUE")
        ring = _ring(mask[z])
        for y, x in [*ring, ring[0]]:
            _pixel(roi, x, y, "edgeMap")


def _mask(seen: PhantomNodule, made: Chest) -> np.ndarray:
    """(z, y, x): the voxels inside, at least one"""
    mask = np.zeros(made.hu.shape, bool)
    (box,) = around(made.affine, mask.shape, np.array([seen.centre]), [max(seen.radii)])
    mask[box] = seen.inside(*places(made.affine, box))
    if not mask.any():
        mask[tuple(np.rint(to_voxels(made.affine, np.array(seen.centre))).astype(int))] = True
    return mask


def _ring(mask: np.ndarray) -> list[tuple[int, int]]:
    """The pixels just outside of a convex shape (y, x), in their order around it"""
    ring = np.argwhere(ndimage.binary_dilation(mask) & ~mask)
    y, x = (ring - np.argwhere(mask).mean(0)).T
    return [(int(a), int(b)) for a, b in ring[np.argsort(np.arctan2(y, x), kind="stable")]]


def _rate(ratings: ET.Element, one: PhantomNodule, rng: np.random.Generator) -> None:
    """Larger nodules look worse; the texture is the density's; the rest is in the middle of its scale."""
    texture = {"solid": 5, "part-solid": 3, "ground-glass": 1}[one.density]
    middles: dict[str, float] = {
        "malignancy": float(np.mean(one.radii)) - 2.0,
        "texture": texture,
        "subtlety": float(np.mean(one.radii)) - 1.0,
    }
    for rating in RATINGS:
        value = np.clip(np.rint(rng.normal(middles.get(rating, 3.0), 0.5)), 1, 5)
        _add(ratings, rating, str(int(value)))
