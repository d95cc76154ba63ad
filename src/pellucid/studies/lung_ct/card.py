"""The model card: what the folders of the steps hold, in one place (Mitchell et al., "Model Cards for Model Reporting", 2019).

What the network is and learned from, how good it is, for whom, what its explanations are worth, and what none of it shows. Numbers
are read, never made; results that belong to another network are refused; no name of a patch or patient, not even a pseudonym, is
taken.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.core.budget import versions
from pellucid.core.errors import InputError
from pellucid.studies.lung_ct.auditing import SIZES, sizes
from pellucid.studies.lung_ct.benchmarking import FACTS, Benchmark
from pellucid.studies.lung_ct.evaluate import opened
from pellucid.studies.lung_ct.method_line import MethodLine, over_patients
from pellucid.studies.lung_ct.patches import read_index
from pellucid.studies.lung_ct.recipe import SPLITS
from pellucid.studies.lung_ct.selective import JSON as SELECTION
from pellucid.studies.lung_ct.selective import read_predictions

THRESHOLD = 0.5  # at which groups are told of
_FEW = 50  # patients below which a test says little


@dataclass(frozen=True)
class Card:
    """All that a card says. `groups` tell how often patches of a kind are called a nodule; `splits` are one dict a split.

    `explanations`, `selection` and `audit` are what those steps wrote, where they were run.
    """

    about: str
    network: dict[str, Any]
    training: tuple[dict[str, str], ...]
    recipe: dict[str, Any]
    splits: tuple[dict[str, Any], ...]
    prepared: dict[str, Any]
    assessment: dict[str, Any]
    groups: tuple[dict[str, Any], ...]
    explanations: Benchmark | None
    selection: dict[str, Any] | None
    audit: dict[str, Any] | None
    limits: tuple[str, ...]
    versions: dict[str, str]


def card(
    network: str | Path,
    patches: str | Path,
    results: str | Path,
    *,
    audit: str | Path | None = None,
    about: str = "",
) -> Card:
    """The card of a network, from the folders that `train`, `prepare`, `evaluate` and `audit` wrote.

    `about` says in a sentence which patients these are and where they come from: the folders do not know.
    """
    _, described = opened(network, patches)
    results, index = Path(results), read_index(patches)
    if twice := index.groupby("patient")["split"].nunique().gt(1).sum():
        raise InputError(f"{twice} patients are in more than one split: prepare the patches anew.")
    assessment = _read(results / "assessment.json", "evaluate")
    _same(described, assessment["network"], "assessment")
    if assessment["split"] is None:
        raise InputError("the assessment is of single patches: evaluate a split, then make the card.")
    found = Benchmark.of(results) if (results / FACTS).is_file() else None
    chosen = _read(results / SELECTION, "evaluate") if (results / SELECTION).is_file() else None
    for told, what in ((found and found.about["network"], "benchmark"), (chosen and chosen["network"], "selection")):
        _same(described, told or described["digest"], what)
    prepared = _read(Path(patches) / "summary.json", "prepare")
    splits = tuple(_split(index[index["split"] == name], name) for name in SPLITS)
    return Card(
        about=about,
        network=described,
        training=tuple(_log(Path(network) / "log.csv")),
        recipe=described["recipe"],
        splits=splits,
        prepared={key: prepared[key] for key in ("used", "reasons", "notes")},
        assessment=assessment,
        groups=tuple(_groups(index, results)),
        explanations=found,
        selection=chosen,
        audit=None if audit is None else _audited(Path(audit)),
        limits=tuple(_limits(described, assessment, found)),
        versions=versions("torch", "monai"),
    )


def _read(path: Path, step: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told
    except (OSError, ValueError) as error:
        raise InputError(f"{path.parent.name!r} holds no {path.name}: give a folder that `{step}` wrote.") from error


def _same(described: dict[str, Any], digest: str, what: str) -> None:
    if digest != described["digest"]:
        raise InputError(f"the {what} is of another network than the one in this folder: evaluate this one first.")


def _log(path: Path) -> Iterator[dict[str, str]]:
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


def _split(rows: Any, name: str) -> dict[str, Any]:
    """Counts and sizes of a split"""
    nodules = rows[rows["label"] == 1]
    counts = {"patients": rows["patient"].nunique(), "scans": rows["scan"].nunique(), "patches": len(rows)}
    told: dict[str, Any] = {"split": name, **counts, "nodules": len(nodules)}
    sides = nodules["diameter"].dropna()
    ends = ("smallest", "median", "largest")
    return (
        told | dict.fromkeys(ends) if sides.empty else told | dict(zip(ends, sides.quantile([0, 0.5, 1]), strict=True))
    )


def _groups(index: Any, results: Path) -> Iterator[dict[str, Any]]:
    """How often patches of each kind are called a nodule; a patient counts once"""
    names, said = read_predictions(results)
    rows = index.set_index("name").loc[names].reset_index()
    kind, called = sizes(rows), (said >= THRESHOLD).astype(float)
    for name in (*SIZES, "background"):
        here = kind == name
        if here.any():
            patients = rows["patient"].to_numpy(str)[here]
            share, low, high = over_patients(called[here], patients, hits=True)
            counts = {"group": name, "patches": int(here.sum()), "patients": len(set(patients))}
            yield {**counts, "called": share, "low": low, "high": high}


def _audited(folder: Path) -> dict[str, Any]:
    """What an audit found, in its own words"""
    told = _read(folder / "audit.json", "audit")
    warnings = [{key: warned[key] for key in ("code", "about", "headline")} for warned in told["warnings"]]
    left_out = [left["part"] for left in told["left_out"]]
    return {"summary": told["summary"], "warnings": warnings, "left_out": left_out}


def _limits(described: dict[str, Any], assessment: dict[str, Any], found: Benchmark | None) -> Iterator[str]:
    """What a reader must not take these numbers for"""
    readers = described["recipe"]["readers"]
    yield (
        "Patches were judged, not scans: they lie where readers saw a nodule, or where nobody saw anything. How many false "
        "alarms a whole scan would give is not known."
    )
    yield f"The truth is what at least {readers} readers drew, not histology. What fewer saw is in no split."
    yield "The epoch was chosen on the validation patients, so their numbers look better than those of new patients."
    if assessment["split"] != "test":
        yield f"The numbers are of the {assessment['split']} split, which the training has seen: evaluate the test split."
    if assessment["patients"] < _FEW:
        yield f"Only {assessment['patients']} patients were judged: the intervals say how little that tells."
    if described["started_from"] is None:
        yield "The network began with random weights, and saw nothing but these patches."
    yield "Nothing is known of other scanners, doses, kernels, countries, or diseases than those among these patients."
    yield from _of_explanations(found)


def _of_explanations(found: Benchmark | None) -> Iterator[str]:
    if found is None:
        yield "No explanation of this network was judged: its maps have no evidence."
        return
    held = [line for line in found.lines if not line.failed and line.pointing == line.pointing]
    sure = [line.name for line in held if points(line)]
    if held and not sure:
        yield "No method's maps point at nodules more often than chance does, by its interval: do not show them as evidence."
    elif held:
        unsure = [line.name for line in held if not points(line)]
        also = f"; those of {', '.join(unsure)} cannot be told from chance" if unsure else ""
        patients = max(line.patients for line in held)
        yield f"Maps of {', '.join(sure)} point at nodules more often than chance does, in {patients} patients{also}."
    yield "A map shows what the network goes by, not what a nodule is; a right place is no proof of a right reason."


def points(line: MethodLine) -> bool:
    """Whether the interval of hits leaves chance below"""
    return bool(line.pointing_low > line.pointing_chance)
