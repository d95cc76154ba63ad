"""A training under way: its network, its patches, and the lines of the epochs that are done."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.studies.lung_ct import network as networks
from pellucid.studies.lung_ct.patches import read_index
from pellucid.studies.lung_ct.places import Where
from pellucid.studies.lung_ct.plan import Plan
from pellucid.studies.lung_ct.recipe import Recipe


@dataclass
class Run:
    """What a training is made of, and where it is."""

    plan: Plan
    folder: Path
    patches: Path
    place: Where
    bare: Any  # the network itself; `network` may be wrapped for several processes
    network: Any
    optimizer: Any
    scaler: Any
    train: Any  # rows of the index
    validation: Any
    described: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def best(self) -> float:
        return max((line["validation_auc"] for line in self.lines), default=-math.inf)

    @property
    def waited(self) -> int:
        """Epochs of the second phase since the best one"""
        best = max((i for i, line in enumerate(self.lines) if line["best"]), default=-1)
        return len(self.lines) - 1 - max(best, self.plan.warmup - 1)

    @property
    def told(self) -> dict[str, Any]:
        """What is known of the network in the end"""
        best = max(self.lines, key=lambda line: (line["best"], line["epoch"]))
        best_of = {"best_epoch": best["epoch"], "validation_auc": best["validation_auc"]}
        return self.described | best_of | {"epochs": len(self.lines)}


def begin(patches: Path, folder: Path, plan: Plan, weights: str | Path | None, place: Where) -> Run:
    """A run before its first epoch"""
    torch = need("torch", "Training")
    parts = {name: read_index(patches, name) for name in ("train", "validation")}
    for name, part in parts.items():
        if part["label"].nunique() < 2:
            raise InputError(f"the split {name!r} has {len(part)} patches of one class or none: prepare more patients.")
    bare = networks.build(plan.network, plan.seed)
    digest = networks.start_from(bare, weights) if weights is not None else None
    described: dict[str, Any] = {
        "network": plan.network,
        "classes": networks.CLASSES,
        "plan": dataclasses.asdict(plan),
        "recipe": dataclasses.asdict(Recipe.of(patches)),
        "started_from": digest,
        "patches": {name: len(part) for name, part in parts.items()},
    }
    wrapped = place.wrap(bare)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=plan.rate, weight_decay=plan.decay)
    scaler = torch.amp.GradScaler("cuda", enabled=place.needs_scaling(plan.precision))
    pieces = (bare, wrapped, optimizer, scaler, parts["train"], parts["validation"])
    folder.mkdir(parents=True, exist_ok=True)
    return Run(plan, folder, patches, place, *pieces, json.loads(json.dumps(described)))
