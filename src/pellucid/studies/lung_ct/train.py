"""Training: epoch by epoch, written down, and gone on with after a kill as if nothing had happened.

    model.safetensors, model.json    the network of the best epoch, and how it came about
    log.csv                          a line for each epoch
    resume.safetensors, resume.json  the state after the last whole epoch; no pickle, so nothing in it can run

What is drawn in an epoch (order, mirroring) comes from (seed, epoch), so a training that was killed and started again takes the
very steps of one that was not.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.core.store import appearing
from pellucid.studies.lung_ct import network as networks
from pellucid.studies.lung_ct.patches import load, read_index
from pellucid.studies.lung_ct.places import Where, where
from pellucid.studies.lung_ct.plan import Plan
from pellucid.studies.lung_ct.recipe import Recipe

LOG, RESUME = "log.csv", "resume"
_FIELDS = ("epoch", "phase", "rate", "loss", "validation_loss", "validation_auc", "best", "seconds")


@dataclass
class _Run:
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


def train(
    patches: str | Path,
    folder: str | Path,
    plan: Plan,
    *,
    weights: str | Path | None = None,
    device: str | None = None,
    heard: Callable[[dict[str, Any]], None] = lambda line: None,
) -> dict[str, Any]:
    """Train on a folder of patches, into a folder of its own; what is known of the network in the end

    `weights` are MedicalNet's, to begin with; `heard` is told of every epoch. Under torchrun every process calls this.
    """
    with where(device) as place:
        run = _begin(Path(patches), Path(folder), plan, weights, place)
        while len(run.lines) < plan.epochs and run.waited < plan.patience:
            line = _epoch(run, len(run.lines))
            if place.first:
                _write(run, line)
                heard(line)
            run.lines.append(line)
            if place.first:
                _write_resume(run)
        return _told(run) | {"epochs": len(run.lines)}


def _begin(patches: Path, folder: Path, plan: Plan, weights: str | Path | None, place: Where) -> _Run:
    torch = need("torch", "Training")
    parts = {name: read_index(patches, name) for name in ("train", "validation")}
    for name, part in parts.items():
        if part["label"].nunique() < 2:
            raise InputError(f"the split {name!r} has {len(part)} patches of one class or none: prepare more patients.")
    bare = networks.build(plan.network, plan.seed)
    digest = networks.start_from(bare, weights) if weights is not None else None
    recipe = dataclasses.asdict(Recipe.of(patches))
    described: dict[str, Any] = {
        "network": plan.network,
        "classes": networks.CLASSES,
        "plan": dataclasses.asdict(plan),
        "recipe": recipe,
    }
    described |= {"started_from": digest, "patches": {name: len(part) for name, part in parts.items()}}
    wrapped = place.wrap(bare)
    optimizer = torch.optim.AdamW(bare.parameters(), lr=plan.rate, weight_decay=plan.decay)
    scaler = torch.amp.GradScaler("cuda", enabled=place.needs_scaling())
    pieces = (bare, wrapped, optimizer, scaler, parts["train"], parts["validation"])
    run = _Run(plan, folder, patches, place, *pieces, json.loads(json.dumps(described)))
    folder.mkdir(parents=True, exist_ok=True)
    _read_resume(run)
    return run


def _epoch(run: _Run, epoch: int) -> dict[str, Any]:
    """One pass over the training patches and one over those of validation"""
    began = time.perf_counter()
    _set_phase(run, epoch)
    loss = _learn(run, epoch)
    truth, score, held = _predict(run)
    auc = _auc(truth, score)
    best = auc > run.best
    numbers = {"loss": loss, "validation_loss": held, "validation_auc": auc, "best": bool(best)}
    phase = {"epoch": epoch + 1, "phase": run.plan.phase(epoch), "rate": run.plan.rate_at(epoch)}
    return phase | numbers | {"seconds": time.perf_counter() - began}


def _set_phase(run: _Run, epoch: int) -> None:
    """Freeze what does not learn in this epoch, batch statistics included; set the learning rate."""
    run.network.train()
    for name, parameter in run.bare.named_parameters():
        parameter.requires_grad_(run.plan.learns(name, epoch))
    for name, module in run.bare.named_modules():
        if name and not run.plan.learns(name, epoch):
            module.eval()
    for group in run.optimizer.param_groups:
        group["lr"] = run.plan.rate_at(epoch)


def _learn(run: _Run, epoch: int) -> float:
    torch, plan = need("torch", "Training"), run.plan
    rng = np.random.default_rng([plan.seed, epoch])
    order = rng.permutation(len(run.train))
    flips = rng.random((len(order), 3)) < 0.5
    steps = [
        order[i : i + plan.batch] for i in range(0, len(order) - 1, plan.batch)
    ]  # a last patch alone has no variance
    total, seen = 0.0, 0
    for step in steps:
        mine = step[run.place.rank :: run.place.size] if len(step) >= 2 * run.place.size else step
        x, y = _batch(run, run.train, mine, flips[mine])
        run.optimizer.zero_grad(set_to_none=True)
        with run.place.mixed():
            loss = torch.nn.functional.cross_entropy(run.network(x), y, label_smoothing=plan.smoothing)
        run.scaler.scale(loss).backward()
        run.scaler.step(run.optimizer)
        run.scaler.update()
        total, seen = total + float(loss.detach()) * len(mine), seen + len(mine)
    if not math.isfinite(total):
        raise InputError(f"the loss is {total} in epoch {epoch + 1}: take a lower rate than {plan.rate}.")
    return total / seen


def _batch(run: _Run, rows: Any, chosen: np.ndarray, flips: np.ndarray | None = None) -> tuple[Any, Any]:
    torch = need("torch", "Training")
    part = rows.iloc[chosen]
    x = load(run.patches, part["name"])
    if flips is not None:
        x = np.stack([np.flip(one, tuple(1 + np.flatnonzero(flip))) for one, flip in zip(x, flips, strict=True)])
    y = torch.as_tensor(part["label"].to_numpy(np.int64))
    return torch.as_tensor(x).to(run.place.device), y.to(run.place.device)


def _predict(run: _Run) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels, nodule scores and the mean loss of the validation patches, each process a share of them"""
    torch, rows = need("torch", "Training"), run.validation
    mine = np.arange(run.place.rank, len(rows), run.place.size)
    run.bare.eval()
    outputs = []
    with torch.no_grad():
        for i in range(0, len(mine), run.plan.batch):
            x, _ = _batch(run, rows, mine[i : i + run.plan.batch])
            with run.place.mixed():
                outputs.append(run.bare(x).float().cpu())
    gathered = run.place.gather((mine, torch.cat(outputs).numpy() if outputs else np.empty((0, 2), np.float32)))
    places = np.concatenate([part[0] for part in gathered])
    logits = torch.as_tensor(np.concatenate([part[1] for part in gathered])[np.argsort(places)])
    labels = rows["label"].to_numpy(np.int64)
    loss = float(torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels)))
    return labels, (logits[:, 1] - logits[:, 0]).numpy(), loss


def _auc(truth: np.ndarray, score: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, score))


def _told(run: _Run) -> dict[str, Any]:
    best = max(run.lines, key=lambda line: (line["best"], line["epoch"]))
    return run.described | {"best_epoch": best["epoch"], "validation_auc": best["validation_auc"]}


def _write(run: _Run, line: dict[str, Any]) -> None:
    """The line of an epoch, and its network where it is the best so far"""
    if line["best"]:
        told = run.described | {"best_epoch": line["epoch"], "validation_auc": line["validation_auc"]}
        networks.save(run.bare, run.folder, told)
    with appearing(run.folder / LOG) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, _FIELDS)
        table.writeheader()
        table.writerows([*run.lines, line])


def _write_resume(run: _Run) -> None:
    """The state after a whole epoch: the tensors first, then the lines, which say that they are complete"""
    store = need("safetensors.torch", "Training")
    tensors = {f"network.{key}": value for key, value in run.bare.state_dict().items()}
    for number, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
    name = f"{RESUME}-{len(run.lines)}.safetensors"
    with appearing(run.folder / name) as partial:
        store.save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, partial)
    told = {"described": run.described, "lines": run.lines, "tensors": name, "scaler": run.scaler.state_dict()}
    with appearing(run.folder / f"{RESUME}.json") as partial:
        partial.write_text(json.dumps(told) + "\n", encoding="utf-8")
    for old in run.folder.glob(f"{RESUME}-*.safetensors"):
        if old.name != name:
            old.unlink(missing_ok=True)


def _read_resume(run: _Run) -> None:
    """Go on where an earlier run was stopped, if it was the same training"""
    path = run.folder / f"{RESUME}.json"
    if not path.exists():
        return
    torch, store = need("torch", "Training"), need("safetensors.torch", "Training")
    told = json.loads(path.read_text(encoding="utf-8"))
    if told["described"] != run.described:
        raise InputError(f"{run.folder.name!r} holds another training: give a new folder, or the same options.")
    tensors = store.load_file(run.folder / told["tensors"])
    parts: dict[str, dict[str, Any]] = {"network": {}, "optimizer": {}}
    for key, value in tensors.items():
        part, _, rest = key.partition(".")
        parts[part][rest] = value
    run.bare.load_state_dict(parts["network"])
    state: dict[int, dict[str, Any]] = {}
    for key, value in parts["optimizer"].items():
        number, _, rest = key.partition(".")
        state.setdefault(int(number), {})[rest] = torch.as_tensor(value)
    run.optimizer.load_state_dict(run.optimizer.state_dict() | {"state": state})
    run.scaler.load_state_dict(told["scaler"])
    run.lines = told["lines"]
