"""Explanations only where they are called for: what a reading room has time for.

    selection.csv       name, probability, uncertainty, reason, outcome; one line a patch
    selection.json      the policy, the counts, and what was saved
    explained/NAME.npy  float32 (z, y, x): the map of every patch that was explained

The policy (`pellucid.ExplainWhen`) sees the probabilities in `predictions.csv`, so the network is asked for explanations alone.
Maps are made a few patches at a time, in the order of the policy, until its limit of time.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pellucid as pc
from pellucid.core.errors import InputError
from pellucid.core.selection import EXPLAINED, NOT_CALLED, OUT_OF_TIME
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.benchmarking import placed
from pellucid.studies.lung_ct.evaluate import opened
from pellucid.studies.lung_ct.network import map_layer
from pellucid.studies.lung_ct.patches import load, save

CSV, JSON = "selection.csv", "selection.json"
_AT_ONCE = 8  # patches of which maps are made together


def explain_when(
    network: str | Path,
    patches: str | Path,
    folder: str | Path,
    policy: pc.ExplainWhen,
    method: Any = None,
    *,
    device: str | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> pc.Selection:
    """Explain the predictions in a folder that `evaluate` wrote, those that the policy calls for; method None is Grad-CAM."""
    folder, (model, described) = Path(folder), opened(network, patches)
    names, said = read_predictions(folder)
    found = policy.choose(said)
    order = found.order[: policy.rows]
    chosen = pc.GradCAM(layer=map_layer(model, described["recipe"]["size"])) if method is None else method
    began, done, took = clock(), np.zeros(len(order), bool), []
    with placed(model, device) as (ready, _):
        for start in range(0, len(order), _AT_ONCE):
            left = None if policy.seconds is None else policy.seconds - (clock() - began)
            if left is not None and left <= 0:
                break
            part = [names[row] for row in order[start : start + _AT_ONCE]]
            budget = None if left is None else pc.Budget(seconds=left, clock=clock)
            made = pc.explain(ready, load(patches, part), chosen, target=1, budget=budget)
            done[start : start + len(part)] = made.done
            took += [made.receipt.seconds / made.done.sum()] if made.done.any() else []
            for name, values, finished in zip(part, made.collapse("sum"), made.done, strict=True):
                if finished:
                    save(folder / "explained" / f"{name}.npy", values.astype(np.float32))
    each = float(np.median(took)) if took else 0.0  # so that the first ones, which warm up, do not tell
    reached = found.reached(done, each * done.sum())
    _write(folder, names, reached, {"network": described["digest"], "method": repr(chosen)})
    return reached


def read_predictions(folder: str | Path) -> tuple[list[str], np.ndarray]:
    """Names of patches and probabilities (n,), as `evaluate` wrote them"""
    try:
        with (Path(folder) / "predictions.csv").open(newline="", encoding="utf-8") as file:
            lines = list(csv.DictReader(file))
        return [line["name"] for line in lines], np.array([float(line["probability"]) for line in lines])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{Path(folder).name!r} holds no predictions: give a folder that `evaluate` wrote.") from error


def _write(folder: Path, names: list[str], found: pc.Selection, how: dict[str, str]) -> None:
    watched = found.probabilities[:, found.policy.watched]
    with appearing(folder / CSV) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "probability", "uncertainty", "reason", "outcome"])
        numbers = zip(names, watched, found.uncertainty, found.reasons, found.outcomes, strict=True)
        table.writerows([name, f"{p:.6f}", f"{u:.6f}", why, what] for name, p, u, why, what in numbers)
    with appearing(folder / JSON) as partial:
        partial.write_text(json.dumps(how | _told(found), indent=1) + "\n", encoding="utf-8")


def _told(found: pc.Selection) -> dict[str, Any]:
    """What was done, without a patch's name"""
    counts = {what: found.outcomes.count(what) for what in (EXPLAINED, OUT_OF_TIME, NOT_CALLED)}
    seconds = {"seconds_each": found.seconds_each, "seconds_saved_estimate": found.seconds_saved}
    told = {"policy": repr(found.policy), "patches": len(found), "outcomes": counts}
    return {**told, "called_for_by": found.called_by, "saved": found.saved, **seconds, "lines": found.sentences()}
