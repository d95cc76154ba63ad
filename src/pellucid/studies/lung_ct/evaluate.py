"""Predictions of a trained network for a split, for single patches, or for an array, and how good they are.

predictions.csv     name, label, probability of a nodule; one line a patch
assessment.json     the numbers of `assess.py`, and of which network and patches they are
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.assess import Assessment, assess
from pellucid.studies.lung_ct.network import WEIGHTS, load_network
from pellucid.studies.lung_ct.patches import load, read_index
from pellucid.studies.lung_ct.places import where
from pellucid.studies.lung_ct.recipe import Recipe


def predict(network: Any, x: np.ndarray, device: str | None = None, batch: int = 16) -> np.ndarray:
    """x (n, 1, size, size, size) in [-1, 1] -> the probability of a nodule (n,), on one device, a batch at a time

    The network goes to that device for the pass, and back to where it was.
    """
    return _asked(network, (x[i : i + batch] for i in range(0, len(x), batch)), device)


def _asked(network: Any, batches: Iterable[np.ndarray], device: str | None) -> np.ndarray:
    """(n,) of batches that are made as they are wanted; the network moves once for all of them"""
    torch = need("torch", "Predictions")
    home, mode = next(network.parameters()).device, network.training
    with where(device) as place:
        try:
            network.to(place.device).eval()
            parts = [chances(network, x, place.device).cpu() for x in batches]
        finally:
            network.to(home).train(mode)
    return torch.cat(parts).numpy() if parts else np.empty(0)


def chances(network: Any, x: np.ndarray, device: str) -> Any:
    """x (b, 1, size, size, size) -> the probability of a nodule (b,), as a tensor on the device that the network is on"""
    torch = need("torch", "Predictions")
    with torch.no_grad():
        return torch.softmax(network(torch.as_tensor(x).to(device)).double(), 1)[:, 1]


def evaluate(
    network: str | Path,
    patches: str | Path,
    folder: str | Path,
    *,
    split: str = "test",
    names: Sequence[str] = (),
    device: str | None = None,
    batch: int = 16,
) -> Assessment | None:
    """Predict a split, or the patches of these names, and write it down; the assessment, where there are both classes

    Patches that were made by another recipe than those that the network learned from are refused.
    """
    model, described = opened(network, patches)
    rows = chosen_rows(patches, split, names)
    said = _asked(model, (load(patches, rows["name"][i : i + batch]) for i in range(0, len(rows), batch)), device)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_predictions(folder, rows, said)
    if rows["label"].nunique() < 2:
        return None
    found = assess(rows["label"].to_numpy(), said, rows["patient"].to_numpy())
    told = {"split": None if names else split, "network": described["digest"], "recipe": described["recipe"]}
    with appearing(folder / "assessment.json") as partial:
        partial.write_text(json.dumps(told | dataclasses.asdict(found), indent=1) + "\n", encoding="utf-8")
    return found


def opened(network: str | Path, patches: str | Path) -> tuple[Any, dict[str, Any]]:
    """A network and its description with the `digest` of its weights, where it learned from patches of the same recipe"""
    model, described = load_network(network)
    if described["recipe"] != json.loads(json.dumps(dataclasses.asdict(Recipe.of(patches)))):
        raise InputError(
            "these patches were made by another recipe than those of the training: their numbers would mean nothing."
        )
    return model, described | {"digest": hashlib.sha256((Path(network) / WEIGHTS).read_bytes()).hexdigest()}


def chosen_rows(patches: str | Path, split: str, names: Sequence[str]) -> Any:
    """The index of a split, or of the patches of these names"""
    if not names:
        rows = read_index(patches, split)
        if rows.empty:
            raise InputError(f"the split {split!r} is empty: prepare more patients, or other shares.")
        return rows
    index = read_index(patches)
    if unknown := sorted(set(names) - set(index["name"])):
        raise InputError(f"{len(unknown)} of {len(names)} names are not in the index, {unknown[0]!r} for one.")
    return index[index["name"].isin(names)].reset_index(drop=True)


def _write_predictions(folder: Path, rows: Any, said: np.ndarray) -> None:
    with appearing(folder / "predictions.csv") as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "label", "probability"])
        table.writerows(zip(rows["name"], rows["label"], (f"{p:.6f}" for p in said), strict=True))
