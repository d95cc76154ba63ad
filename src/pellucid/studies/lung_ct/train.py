"""Training: epoch by epoch, written down, and gone on with after a kill as if nothing had happened.

    model.safetensors, model.json    the network of the best epoch, and how it came about
    log.csv                          a line for each epoch
    resume-N.safetensors, resume.json    the state after the last whole epoch (`resume.py`)

What is drawn in an epoch (order, mirroring) comes from (seed, epoch), so a training that was killed and started again takes the
very steps of one that was not.
"""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.core.store import appearing
from pellucid.studies.lung_ct import network as networks
from pellucid.studies.lung_ct import resume
from pellucid.studies.lung_ct.patches import load
from pellucid.studies.lung_ct.places import where
from pellucid.studies.lung_ct.plan import Plan
from pellucid.studies.lung_ct.run import Run, begin

LOG = "log.csv"
_FIELDS = ("epoch", "phase", "rate", "loss", "validation_loss", "validation_auc", "best", "seconds")


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
        run = begin(Path(patches), Path(folder), plan, weights, place)
        resume.take_up(run)
        while len(run.lines) < plan.epochs and run.waited < plan.patience:
            line = _epoch(run, len(run.lines))
            if place.first:
                _write(run, line)
                heard(line)
            run.lines.append(line)
            if place.first:
                resume.keep(run)
        return run.told


def _epoch(run: Run, epoch: int) -> dict[str, Any]:
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


def _set_phase(run: Run, epoch: int) -> None:
    """Freeze what does not learn in this epoch, batch statistics included; set the learning rate."""
    run.network.train()
    for name, parameter in run.bare.named_parameters():
        parameter.requires_grad_(run.plan.learns(name, epoch))
    for name, module in run.bare.named_modules():
        if name and not run.plan.learns(name, epoch):
            module.eval()
    for group in run.optimizer.param_groups:
        group["lr"] = run.plan.rate_at(epoch)


def _learn(run: Run, epoch: int) -> float:
    torch, plan = need("torch", "Training"), run.plan
    rng = np.random.default_rng([plan.seed, epoch])
    order = rng.permutation(len(run.train))
    flips = rng.random((len(order), 3)) < 0.5
    steps = [
        order[i : i + plan.batch] for i in range(0, len(order) - 1, plan.batch)
    ]  # a last patch alone has no variance
    weights = _weights(run)
    total, seen = 0.0, 0
    for step in steps:
        mine = step[run.place.rank :: run.place.size] if len(step) >= 2 * run.place.size else step
        x, y = _batch(run, run.train, mine, flips[mine])
        run.optimizer.zero_grad(set_to_none=True)
        with run.place.mixed(plan.precision):
            each = torch.nn.functional.cross_entropy(
                run.network(x), y, weights, label_smoothing=plan.smoothing, reduction="none"
            )
        loss = each.mean()
        if not math.isfinite(value := float(loss.detach())):
            raise InputError(f"the loss is {value} in epoch {epoch + 1}: take a lower rate than {plan.rate:g}.")
        run.scaler.scale(loss).backward()
        run.scaler.step(run.optimizer)
        run.scaler.update()
        total, seen = total + value * len(mine), seen + len(mine)
    return total / seen


def _weights(run: Run) -> Any:
    """(2,): what a patch of each class weighs in the loss, so that both classes weigh alike in all; None where patches do"""
    if not run.plan.balanced:
        return None
    counts = np.bincount(run.train["label"], minlength=2)
    weights = counts.sum() / (len(counts) * counts)
    return need("torch", "Training").as_tensor(
        weights, dtype=need("torch", "Training").float32, device=run.place.device
    )


def _batch(run: Run, rows: Any, chosen: np.ndarray, flips: np.ndarray | None = None) -> tuple[Any, Any]:
    torch = need("torch", "Training")
    part = rows.iloc[chosen]
    x = load(run.patches, part["name"])
    if flips is not None:
        x = np.stack([np.flip(one, tuple(1 + np.flatnonzero(flip))) for one, flip in zip(x, flips, strict=True)])
    y = torch.as_tensor(part["label"].to_numpy(np.int64))
    return torch.as_tensor(x).to(run.place.device), y.to(run.place.device)


def _predict(run: Run) -> tuple[np.ndarray, np.ndarray, float]:
    """Labels, nodule scores and the mean loss of the validation patches, each process a share of them"""
    torch, rows = need("torch", "Training"), run.validation
    mine = np.arange(run.place.rank, len(rows), run.place.size)
    run.place.align(run.bare)
    run.bare.eval()
    outputs = []
    with torch.no_grad():
        for i in range(0, len(mine), run.plan.batch):
            x, _ = _batch(run, rows, mine[i : i + run.plan.batch])
            with run.place.mixed(run.plan.precision):
                outputs.append(run.bare(x).float().cpu())
    gathered = run.place.gather((mine, torch.cat(outputs).numpy() if outputs else np.empty((0, 2), np.float32)))
    places = np.concatenate([part[0] for part in gathered])
    logits = torch.as_tensor(np.concatenate([part[1] for part in gathered])[np.argsort(places)])
    if not bool(torch.isfinite(logits).all()):
        raise InputError(
            f"the network answers with no numbers after training: take a lower rate than {run.plan.rate:g}."
        )
    labels = rows["label"].to_numpy(np.int64)
    loss = float(torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels)))
    return labels, (logits[:, 1] - logits[:, 0]).numpy(), loss


def _auc(truth: np.ndarray, score: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, score))


def _write(run: Run, line: dict[str, Any]) -> None:
    """The line of an epoch, and its network where it is the best so far"""
    if line["best"]:
        told = run.described | {"best_epoch": line["epoch"], "validation_auc": line["validation_auc"]}
        networks.save(run.bare, run.folder, told)
    with appearing(run.folder / LOG) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, _FIELDS)
        table.writeheader()
        table.writerows([*run.lines, line])
