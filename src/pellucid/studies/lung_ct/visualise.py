"""Explanations of patches to be looked at: as arrays, as pictures, and over the scan in any viewer.

    maps/NAME-METHOD.npy           float32 (size, size, size), axes z, y, x of the scan: the method's values as they are
    nifti/NAME-METHOD.nii.gz       the same on the scan's grid, 0 outside of the patch, with the scan's affine
    nifti/SCAN.nii.gz              the scan on that grid, int16, in Hounsfield units
    patches/NAME.png               patch mode: the scan and every method by three planes
    context/NAME.png               context mode: the same over whole slices, with a dashed box around the patch
    told/NAME.json                 what they are of, how they were made, and where in the patient each map is strongest

What needs the scan is made where its DICOM folder and the key of the pseudonyms are given; without them maps still get their
place in the patient, for `prepare` kept the affine. A patch is done when its file in `told/` is there and says the same network,
patch and methods; a run that is started again goes on with the others. Under torchrun the processes share the patches.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pellucid as pc
from pellucid.core.errors import InputError, MethodError, ModelError
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.benchmarking import explained_rows
from pellucid.studies.lung_ct.context import Place, contexts, place_of
from pellucid.studies.lung_ct.evaluate import chances, opened
from pellucid.studies.lung_ct.figure import figure, write_png
from pellucid.studies.lung_ct.geometry import to_world
from pellucid.studies.lung_ct.judging import TARGET
from pellucid.studies.lung_ct.network import map_layer
from pellucid.studies.lung_ct.nifti import in_whole, write_nifti
from pellucid.studies.lung_ct.patches import drawn_by_half, load, save
from pellucid.studies.lung_ct.places import where
from pellucid.studies.lung_ct.pseudonyms import Pseudonyms
from pellucid.studies.lung_ct.recipe import Recipe
from pellucid.studies.lung_ct.refusals import Tally
from pellucid.studies.lung_ct.tried import Tried, standard, tried


@dataclass(frozen=True, eq=False)
class Sight:
    """What is to be seen: a network, its patches, and the methods by the names that stand beside their maps."""

    model: Any
    digest: str  # of the network's weights
    patches: Path
    folder: Path
    methods: Mapping[str, Any]

    def key(self, row: Mapping[str, Any]) -> str:
        """A digest of all that the maps of a patch depend on"""
        spelt = {name: repr(method) for name, method in self.methods.items()}
        return hashlib.sha256(json.dumps([self.digest, row["digest"], spelt]).encode()).hexdigest()

    def path(self, kind: str, name: str, method: str = "", ending: str = "png") -> Path:
        """Where a file of a patch goes"""
        return self.folder / kind / f"{'-'.join(part for part in (name, slug(method)) if part)}.{ending}"

    def told(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is kept of a patch, if it is of this network and these methods, and all of it is still there"""
        try:
            told: dict[str, Any] = json.loads(self.path("told", row["name"], ending="json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if told.get("key") != self.key(row):
            return None
        files = [self.folder / line[kind] for line in told["maps"] for kind in ("array", "nifti")]
        return told if all(file.exists() for file in [*files, self.path("patches", row["name"])]) else None


def slug(method: str) -> str:
    """`Integrated gradients (air)` -> `integrated-gradients-air`, for names of files; `Grad-CAM++` -> `grad-cam-plus-plus`"""
    return re.sub(r"[^a-z0-9]+", "-", method.lower().replace("+", "-plus")).strip("-")


def figure_methods(size: int, layer: str) -> tuple[Tried, ...]:
    """The rows of the figure: two class activation maps, integrated gradients and occlusion, both of these from air"""
    known = {one.name: one for one in standard(size, layer)}
    return tuple(known[name] for name in ("Grad-CAM++", "Grad-CAM", "Integrated gradients (air)", "Occlusion (air)"))


def visualise(
    network: str | Path,
    patches: str | Path,
    folder: str | Path,
    *,
    methods: str | Sequence[Tried] | None = None,
    data: str | Path | None = None,
    pseudonyms: Pseudonyms | None = None,
    split: str = "test",
    names: Sequence[str] = (),
    most: int = 24,
    device: str | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Tally:
    """Explain at most so many nodules of a split, or the patches of these names, for the eye; what was done and what was refused

    `methods` are those of `figure_methods`, names and spellings with commas between them ("all": those of the benchmark), or
    methods under names of your own. `data` is the DICOM folder, for context.
    """
    if (data is None) != (pseudonyms is None):
        raise InputError("context needs both the DICOM folder and the key of the pseudonyms by which scans are found.")
    model, described = opened(network, patches)
    rows = explained_rows(patches, split, names, most).to_dict("records")
    chosen = _chosen(methods, model, Recipe.of(patches).size)
    sight, tally = Sight(model, described["digest"], Path(patches), Path(folder), chosen), Tally()
    with where(device) as place:
        model.to(place.device).eval()
        mine = rows[place.rank :: place.size]
        for row in mine:
            if sight.told(row) is None:
                _explain(sight, row, place.device)
            tally.used += 1
            progress(1)
    if data is not None and pseudonyms is not None:
        for _ in _in_context(sight, mine, data, pseudonyms, tally):
            progress(0)
    return tally


def _chosen(methods: str | Sequence[Tried] | None, model: Any, size: int) -> dict[str, Any]:
    """Methods by the names that stand beside their maps, which are told apart as names of files, too"""
    layer = map_layer(model, size) if methods is None or isinstance(methods, str) else ""
    if isinstance(methods, str):
        methods = tried(methods, size, layer)
    methods = figure_methods(size, layer) if methods is None else methods
    if len({slug(one.name) for one in methods}) < len(methods) or not methods:
        names = ", ".join(one.name for one in methods)
        raise InputError(f"methods {names!r}: give at least one, under names that differ in more than punctuation.")
    return {one.name: one.method for one in methods}


def _explain(sight: Sight, row: Mapping[str, Any], device: str) -> None:
    """Maps of one patch: arrays, NIfTI, the figure, and last what is told of them"""
    place, x = place_of(sight.patches, row), load(sight.patches, [row["name"]])
    said = float(chances(sight.model, x, device)[0])
    records, failed = _maps(sight, x, place)
    lines = [_kept(sight, place, name, record) for name, record in records.items()]
    told = {name: row[name] for name in ("patient", "scan", "split", "label")} | {"patch": row["name"]}
    told |= {"probability": said, "network": sight.digest, "maps": lines, "failed": failed, "key": sight.key(row)}
    drawn, words = _drawn(sight, row)
    sheet = figure(records, place, caption=_caption(told) + words, outline=drawn)
    write_png(sheet, sight.path("patches", place.name))
    sight.path("context", place.name).unlink(missing_ok=True)  # of maps that are no more
    path = sight.path("told", place.name, ending="json")
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as partial:
        partial.write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _maps(sight: Sight, x: np.ndarray, place: Place) -> tuple[dict[str, pc.Attribution], dict[str, str]]:
    """A record by method, or why there is none: a network may not suit every method"""
    records, failed = {}, {}
    for name, method in sight.methods.items():
        try:
            record = pc.explain(sight.model, x, method, target=TARGET)
            records[name] = dataclasses.replace(record, affine=place.own)
        except (MethodError, ModelError) as error:
            failed[name] = " ".join(str(error).split())
    if not records:
        raise InputError(f"no method suits this network: {'; '.join(failed.values())}")
    return records, failed


def _kept(sight: Sight, place: Place, name: str, record: pc.Attribution) -> dict[str, Any]:
    """Write a map, as an array and at its place in the patient; what is told of it"""
    values = record.collapse("sum")[0].astype(np.float32)  # (size, size, size)
    array = sight.path("maps", place.name, name, "npy")
    save(array, values)
    volume = write_nifti(
        sight.path("nifti", place.name, name, "nii.gz"), in_whole(values, place.first, place.shape), place.affine
    )
    strongest = np.array(np.unravel_index(np.abs(values).argmax(), values.shape))
    gap = float(record.gap[0])
    return {
        "name": name,
        "method": repr(sight.methods[name]),
        "array": f"{array.parent.name}/{array.name}",
        "nifti": f"{volume.parent.name}/{volume.name}",
        "strongest_voxel": strongest.tolist(),  # of the patch: z, y, x
        "strongest_mm": to_world(record.affine, strongest).tolist(),  # left, back, head
        "gap": gap if math.isfinite(gap) else None,
        "warnings": list(record.receipt.warnings),
    }


def _drawn(sight: Sight, row: Mapping[str, Any]) -> tuple[np.ndarray | None, str]:
    """Where the readers drew, and words for it; nothing of background"""
    if not row["readers"]:
        return None, ""
    inside = drawn_by_half(sight.patches, row["name"], row["readers"])
    return inside, f"; the line is what at least half of {row['readers']} readers drew"


def _caption(told: Mapping[str, Any]) -> str:
    return f"{told['patch']}: probability of a nodule {told['probability']:.2f}"


def _in_context(
    sight: Sight, rows: list[dict[str, Any]], data: str | Path, pseudonyms: Pseudonyms, tally: Tally
) -> Iterator[str]:
    """Pictures over whole slices, scan by scan, and each scan as NIfTI; the names of the patches"""
    lacking = [row for row in rows if not _whole_is_there(sight, row)]
    by_name = {row["name"]: row for row in lacking}
    window = Recipe.of(sight.patches).window
    wanted = [place_of(sight.patches, row) for row in lacking]
    for here, hu in contexts(sight.patches, data, pseudonyms, wanted, tally):
        scan = sight.path("nifti", here[0].scan, ending="nii.gz")
        write_nifti(scan, np.rint(hu).astype(np.int16), here[0].affine)
        for place in here:
            told = sight.told(by_name[place.name])
            assert told is not None, "explained before it is put in context"
            words = f"{_caption(told)}; the box is the patch"
            sheet = figure(_records(sight, told, place), place, hu, window, words)
            write_png(sheet, sight.path("context", place.name))
            yield place.name


def _whole_is_there(sight: Sight, row: Mapping[str, Any]) -> bool:
    scan = sight.path("nifti", row["scan"], ending="nii.gz")
    return sight.path("context", row["name"]).exists() and scan.exists()


def _records(sight: Sight, told: Mapping[str, Any], place: Place) -> dict[str, pc.Attribution]:
    """Maps that were written, as records over their patch"""
    x, found = load(sight.patches, [told["patch"]]), {}
    for line in told["maps"]:
        values = np.load(sight.folder / line["array"], allow_pickle=False)
        record = pc.Attribution.from_arrays(values[None, None], data=x, target=TARGET, affine=place.own)
        found[line["name"]] = dataclasses.replace(record, method=sight.methods[line["name"]])
    return found
