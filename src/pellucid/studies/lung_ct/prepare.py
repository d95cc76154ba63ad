"""From series and readers' files to patches: scan by scan, restartable, the same bytes every time.

A scan is done when its file in `scans/` is there, which is written after its patches; a run that is started again goes on with the
others. What cannot be used is refused by name and counted; the index is written at the end, over all scans that are done.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.store import appearing, sweep
from pellucid.studies.lung_ct.agreement import match
from pellucid.studies.lung_ct.annotations import Reading, parse
from pellucid.studies.lung_ct.candidates import Outlined, backgrounds, forbidden, outlined
from pellucid.studies.lung_ct.geometry import corner, crop, resample, spacing_of, to_voxels
from pellucid.studies.lung_ct.lungs import lung_mask
from pellucid.studies.lung_ct.patches import save, write_index
from pellucid.studies.lung_ct.pseudonyms import Pseudonyms
from pellucid.studies.lung_ct.recipe import Recipe, split
from pellucid.studies.lung_ct.refusals import Refused, Tally
from pellucid.studies.lung_ct.series import Series, find, read

_CLEARANCE = 2.0  # mm between a background patch and what is marked


@dataclass(frozen=True)
class Job:
    """One scan to be made into patches."""

    series: Series
    reading: Reading
    recipe: Recipe
    folder: Path
    patient: str  # pseudonyms
    scan: str

    @property
    def done(self) -> Path:
        """The file that says so"""
        return self.folder / "scans" / f"{self.scan}.json"


def prepare(
    data: str | Path,
    readings: str | Path,
    folder: str | Path,
    recipe: Recipe,
    pseudonyms: Pseudonyms,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda done: None,
) -> Tally:
    """Make patches of all series in `data` that a file in `readings` speaks of; what was used and what was refused."""
    folder, tally = Path(folder), Tally()
    recipe.keep(folder)
    for part in ("", "patches", "masks", "scans"):
        sweep(folder / part)
    jobs = _jobs(data, readings, folder, recipe, pseudonyms, tally)
    for made in _each(jobs, workers):
        tally.refused += made.refused
        tally.notes += made.notes
        tally.used += made.used
        progress(1)
    if not tally.used:
        raise InputError("no series could be used: " + "; ".join(tally.lines()[1:] or ["there is none"]) + ".")
    _finish(folder, [job for job in jobs if job.done.exists()], recipe, tally)
    return tally


def _jobs(
    data: str | Path, readings: str | Path, folder: Path, recipe: Recipe, pseudonyms: Pseudonyms, tally: Tally
) -> list[Job]:
    """One for every series that a reader's file speaks of"""
    spoken, jobs = read_all(readings, tally), []
    for series in find(data, tally):
        patient, scan = pseudonyms.patient(series.patient), pseudonyms.scan(series.uid)
        if series.uid in spoken:
            jobs.append(Job(series, spoken[series.uid], recipe, folder, patient, scan))
        else:
            tally.refuse(scan, Refused("no annotation"))
    return jobs


def read_all(readings: str | Path, tally: Tally) -> dict[str, Reading]:
    """The readers' files below a folder, by the series that they speak of; the first file of a series counts."""
    spoken: dict[str, Reading] = {}
    if not Path(readings).is_dir():
        raise InputError(f"there is no folder {Path(readings).name!r}: give the one that holds the readers' files.")
    for path in sorted(path for path in Path(readings).rglob("*") if path.suffix.lower() == ".xml"):
        try:
            reading = parse(path)
            if reading.modality != "CT":
                raise Refused("not a CT reading")
        except Refused as error:
            tally.refuse("a reading", error)
            continue
        if reading.series in spoken:
            tally.notes["further readings of a series left out"] += 1
        else:
            spoken[reading.series] = reading
    return spoken


def _each(jobs: list[Job], workers: int) -> Iterator[Tally]:
    if workers == 1:
        yield from map(attempt, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(attempt, jobs)


def attempt(job: Job) -> Tally:
    """Make one scan's patches unless they are there; what happened."""
    tally = Tally()
    try:
        if not job.done.exists():
            _make(job, tally)
        tally.used = 1
    except Refused as error:
        tally.refuse(job.scan, error)
    except (
        ArithmeticError,
        LookupError,
        MemoryError,
        TypeError,
        ValueError,
    ) as error:  # one scan does not end a run of many
        tally.refuse(job.scan, Refused("not understood", type(error).__name__))
    return tally


def _make(job: Job, tally: Tally) -> None:
    recipe, scan = job.recipe, read(job.series, tally)
    nodules = [outlined(one, scan) for one in match(job.reading) if one.readers >= recipe.readers]
    hu, affine = resample(scan.hu, scan.affine, recipe.step)
    boxes = forbidden(job.reading, scan, affine)
    lungs = lung_mask(hu, affine)
    wanted = max(1, len(nodules)) * recipe.backgrounds
    places = backgrounds(lungs, boxes, recipe.size, wanted, _CLEARANCE / recipe.step, _stream(job))
    if len(places) < wanted:
        tally.notes["background patches that found no place"] += wanted - len(places)
    rows = [_positive(job, i, one, hu, affine) for i, one in enumerate(nodules)]
    rows += [_row(job, f"neg-{i:04d}", place, hu) for i, place in enumerate(places)]
    told = {"patient": job.patient, "scan": job.scan, "affine": affine.tolist(), "shape": list(hu.shape)}
    told |= {"original_spacing": spacing_of(scan.affine).tolist(), "slices": len(scan.sops), "patches": rows}
    job.done.parent.mkdir(parents=True, exist_ok=True)
    with appearing(job.done) as partial:
        partial.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _stream(job: Job) -> np.random.Generator:
    """Random numbers of a scan: by its own UID, so neither the key nor the company of other scans matters."""
    digest = hashlib.sha256(f"{job.recipe.seed}\0{job.series.uid}".encode()).digest()
    return np.random.default_rng(list(digest))


def _positive(job: Job, number: int, one: Outlined, hu: np.ndarray, affine: np.ndarray) -> dict[str, Any]:
    centre = to_voxels(affine, one.centre)
    row = _row(job, f"pos-{number:04d}", centre, hu)
    votes = one.votes(affine, corner(centre, job.recipe.size), job.recipe.size)
    save(job.folder / "masks" / f"{row['name']}.npy", votes)
    told = {"label": 1, "diameter": one.diameter, "readers": one.nodule.readers}
    rating = one.nodule.malignancy
    return row | told | ({} if np.isnan(rating) else {"malignancy": rating})


def _row(job: Job, which: str, centre: np.ndarray, hu: np.ndarray) -> dict[str, Any]:
    """A patch cut and written, and what is known of it; what is not known is left out."""
    name = f"{job.patient}-{job.scan}-{which}"
    patch = job.recipe.windowed(crop(hu, centre, job.recipe.size, job.recipe.window[0]))
    digest = save(job.folder / "patches" / f"{name}.npy", patch)
    place = dict(zip("zyx", map(float, centre), strict=True))
    return {"name": name, "patient": job.patient, "scan": job.scan, "label": 0, "readers": 0, **place, "digest": digest}


def _finish(folder: Path, jobs: list[Job], recipe: Recipe, tally: Tally) -> None:
    """The index over all scans, and the summary."""
    splits = split({job.series.patient for job in jobs}, recipe.shares, recipe.seed)
    rows = []
    for job in jobs:
        for row in json.loads(job.done.read_text(encoding="utf-8"))["patches"]:
            rows.append(
                {"diameter": float("nan"), "malignancy": float("nan"), **row, "split": splits[job.series.patient]}
            )
    write_index(folder, rows)
    told = {"used": tally.used, "refused": tally.refused, "reasons": tally.counts, "notes": dict(tally.notes)}
    with appearing(folder / "summary.json") as partial:
        partial.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
