"""Methods side by side on patches: cost, stability, faithfulness, and whether maps lie where the readers drew.

explanations.csv      one line a method (the fields of `MethodLine`)
explanations.json     the same, and what they were measured on
pictures.npz          a slice of the first patch, of the readers' mask, and of each method's map, for the page
methods/              what is finished, so that a run that was interrupted goes on

Nodules are explained, for only there do readers say where to look; patches by name may be of either kind. Where there are more than
are asked for, they are drawn by a digest of their names, a patch of every patient before the second one of any.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import json
import platform
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.budget import versions
from pellucid.core.errors import InputError, PellucidError, StoreError
from pellucid.core.registry import need
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.evaluate import chosen_rows, opened
from pellucid.studies.lung_ct.judging import TARGET, Subject, judge, latency, metrics
from pellucid.studies.lung_ct.kept import Finished, Kept
from pellucid.studies.lung_ct.method_line import MethodLine
from pellucid.studies.lung_ct.network import map_layer
from pellucid.studies.lung_ct.patches import agreed, load
from pellucid.studies.lung_ct.places import where
from pellucid.studies.lung_ct.recipe import Recipe
from pellucid.studies.lung_ct.tried import ALL, Tried, tried

Heard = Callable[[str, float], None]  # what is being done, and the share that is done
TABLE, FACTS, PICTURES = "explanations.csv", "explanations.json", "pictures.npz"


@dataclass(frozen=True)
class Benchmark:
    """What was measured: `about` says on what, `lines` are the methods, `failed` among them, in the order they were asked for."""

    about: dict[str, Any]
    lines: tuple[MethodLine, ...]

    @classmethod
    def of(cls, folder: str | Path) -> Benchmark:
        """The benchmark that a folder keeps."""
        try:
            told = json.loads((Path(folder) / FACTS).read_text(encoding="utf-8"))
            return cls(told["about"], tuple(MethodLine.of(line) for line in told["methods"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{Path(folder).name!r} holds no {FACTS}: give a folder that `benchmark` wrote."
            ) from error

    def write(self, folder: Path) -> None:
        """`explanations.json` and `explanations.csv`, each whole or not at all"""
        lines = [line.facts() for line in self.lines]
        with appearing(folder / FACTS) as partial:
            told = {"about": self.about, "methods": lines}
            partial.write_text(json.dumps(told, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        with appearing(folder / TABLE) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, [field.name for field in dataclasses.fields(MethodLine)])
            table.writeheader()
            table.writerows(line | {"notes": "; ".join(line["notes"])} for line in lines)


def benchmark(
    network: str | Path,
    patches: str | Path,
    folder: str | Path,
    methods: str = ALL,
    *,
    split: str = "test",
    names: Sequence[str] = (),
    most: int = 24,
    device: str | None = None,
    heard: Heard = lambda doing, share: None,
) -> Benchmark:
    """Explain at most so many nodules of a split, or the patches of these names, by each method, and judge the maps

    `methods` is "all", or names and spellings with commas between them. A method that this network does not suit is a line with
    the reason. What the folder keeps of the same network, patches, methods, device and versions is not computed again.
    """
    model, described = opened(network, patches)
    rows = explained_rows(patches, split, names, most)
    asked = tried(methods, Recipe.of(patches).size, map_layer(model, Recipe.of(patches).size))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with placed(model, device) as (ready, told):
        subject = subject_of(ready, patches, rows)
        kept = Kept(folder, _facts(described, rows, subject, told))
        about = _about(described, subject, told, None if names else split)
        done: list[Finished] = []
        for i, one in enumerate(asked):
            tell = lambda part, one=one, i=i: heard(f"{one.name} {part}", i / len(asked))  # noqa: E731
            done.append(_finished(subject, one, kept, tell))
            found = Benchmark(about, tuple(one.line for one in done))
            found.write(folder)
            _write_pictures(folder, subject, done)
    heard("done", 1.0)
    return found


def explained_rows(patches: str | Path, split: str, names: Sequence[str], most: int) -> Any:
    """Rows of the index: the patches of these names, or at most so many nodules of a split"""
    rows = chosen_rows(patches, split, names)
    if names:
        return rows
    rows = rows[rows["label"] == 1]
    if rows.empty:
        raise InputError(f"the split {split!r} has no nodule to explain: name patches, or take another split.")
    order = rows["name"].map(lambda name: hashlib.sha256(name.encode()).hexdigest())
    turn = order.groupby(rows["patient"]).rank()
    drawn = np.lexsort((order.to_numpy(str), turn.to_numpy()))[:most]
    return rows.iloc[np.sort(drawn)].reset_index(drop=True)


@contextlib.contextmanager
def placed(model: Any, device: str | None) -> Iterator[tuple[Any, str]]:
    """The network in evaluation mode on its device, and the device in words; it goes back to where it was"""
    torch, home, mode = need("torch", "Explanations"), next(model.parameters()).device, model.training
    with where(device) as place:
        if place.size > 1:
            raise InputError(
                "a benchmark runs on one device: start it without torchrun, several with methods shared out."
            )
        gpu = place.gpu and torch.cuda.get_device_name(place.device)
        try:
            yield (
                model.to(place.device).eval(),
                gpu or f"{platform.machine()} processor, threads: {torch.get_num_threads()}",
            )
        finally:
            model.to(home).train(mode)


def subject_of(model: Any, patches: str | Path, rows: Any) -> Subject:
    """A network and the patches of rows of the index"""
    return Subject(
        model,
        load(patches, rows["name"]),
        rows["patient"].to_numpy(str),
        agreed(patches, rows),
        Recipe.of(patches).step,
        float(rows["diameter"].median()),
    )


def _finished(subject: Subject, one: Tried, kept: Kept, tell: Callable[[str], None]) -> Finished:
    """What is kept of a method, or what is measured now; or why it cannot be."""
    found = kept.get(repr(one.method))
    if found is not None:
        return dataclasses.replace(found, line=dataclasses.replace(found.line, name=one.name))
    try:
        line, maps = judge(subject, one, tell)
    except (PellucidError, RuntimeError, MemoryError, ValueError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        return Finished(MethodLine(one.name, repr(one.method), failed=f"{type(error).__name__}: {why}"[:500]), [])
    done = Finished(line, _picture(maps[0], subject.inside[0]))
    kept.put(done)
    return done


def middle(inside: np.ndarray) -> int:
    """inside (size, size, size) -> the slice with most of the nodule, or the middle one"""
    areas = inside.sum((1, 2))
    return int(areas.argmax()) if areas.any() else len(inside) // 2


def _picture(values: np.ndarray, inside: np.ndarray) -> list[list[float]]:
    """A map (size, size, size) -> its slice through the nodule, the largest magnitude of the whole map being 1"""
    largest = float(np.abs(values).max())
    flat: list[list[float]] = np.round(values[middle(inside)] / (largest or 1.0), 3).tolist()
    return flat


def _write_pictures(folder: Path, subject: Subject, done: list[Finished]) -> None:
    """`patch`, `inside` (size, size) and `maps` (methods, size, size), NaN where a method failed"""
    at = middle(subject.inside[0])
    none = np.full((subject.size, subject.size), np.nan)
    maps = np.stack([np.array(one.picture) if one.picture else none for one in done]).astype(np.float32)
    with appearing(folder / PICTURES) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, patch=subject.x[0, 0, at], inside=subject.inside[0, at], maps=maps)


def _facts(described: dict[str, Any], rows: Any, subject: Subject, device: str) -> dict[str, Any]:
    """All that numbers depend on but the method"""
    return {
        "network": described["digest"],
        "recipe": described["recipe"],
        "patches": list(zip(rows["name"], rows["digest"], strict=True)),
        "judged": repr([*metrics(subject.size), latency()]),
        "device": device,
        "versions": versions("torch"),
    }


def _about(described: dict[str, Any], subject: Subject, device: str, split: str | None) -> dict[str, Any]:
    judged = [repr(metric) for metric in metrics(subject.size)]
    return {
        "network": described["digest"],
        "kind": described["network"],
        "recipe": described["recipe"],
        "split": split,
        "patches": len(subject.x),
        "patients": len(set(subject.patients)),
        "nodules": int(subject.inside.any((1, 2, 3)).sum()),
        "diameter_mm": None if np.isnan(subject.diameter) else subject.diameter,
        "target": f"output {TARGET}, nodule, before the softmax",
        "judged": [*judged, repr(latency())],
        "device": device,
        "versions": versions("torch"),
    }
