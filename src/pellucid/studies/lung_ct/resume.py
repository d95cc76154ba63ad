"""What a training keeps so that it can be gone on with after a kill: tensors and numbers, no pickle, so nothing in it can run.

The tensors are written first and the lines after them, which name the tensors' file: a run that is killed in between goes on from
the state before. What is read is not believed: the tensors lie in the same folder, whatever name the lines give.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pellucid.core.errors import InputError, StoreError
from pellucid.core.registry import need
from pellucid.core.store import appearing, sweep
from pellucid.studies.lung_ct.run import Run

LINES = "resume.json"
_TENSORS = re.compile(r"resume-\d+\.safetensors")


def keep(run: Run) -> None:
    """Write the state after a whole epoch."""
    store = need("safetensors.torch", "Training")
    tensors = {f"network.{key}": value for key, value in run.bare.state_dict().items()}
    for number, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items()}
    name = f"resume-{len(run.lines)}.safetensors"
    with appearing(run.folder / name) as partial:
        store.save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, partial)
    told = {"described": run.described, "lines": run.lines, "tensors": name, "scaler": run.scaler.state_dict()}
    with appearing(run.folder / LINES) as partial:
        partial.write_text(json.dumps(told) + "\n", encoding="utf-8")
    for old in run.folder.iterdir():
        if _TENSORS.fullmatch(old.name) and old.name != name:
            old.unlink(missing_ok=True)


def take_up(run: Run) -> None:
    """Go on where an earlier run was stopped, if it was the same training; what a killed one left half written goes."""
    if run.place.first:
        sweep(run.folder)
    path = run.folder / LINES
    if not path.exists():
        return
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        same = told["described"] == run.described
        if same:
            _load(run, told)
    except Exception as error:  # damaged files raise whatever they hit first
        raise StoreError(
            f"{run.folder.name!r} holds a training that cannot be gone on with ({type(error).__name__} in {LINES} or the tensors "
            f"that it names): give a new folder, or delete {LINES} to begin again."
        ) from None
    if not same:
        raise InputError(f"{run.folder.name!r} holds another training: give a new folder, or the same options.")


def _load(run: Run, told: dict[str, Any]) -> None:
    """All of the state is read and checked before any of it is taken over, but for the values themselves"""
    torch = need("torch", "Training")
    lines = [dict(line) for line in told["lines"]]
    if [line["epoch"] for line in lines] != [i + 1 for i in range(len(lines))]:
        raise ValueError("epochs that do not follow each other")
    parts = _tensors(run.folder, told["tensors"])
    state: dict[int, dict[str, Any]] = {}
    for key, value in parts["optimizer"].items():
        number, _, rest = key.partition(".")
        state.setdefault(int(number), {})[rest] = torch.as_tensor(value)
    run.bare.load_state_dict(parts["network"])
    run.optimizer.load_state_dict(run.optimizer.state_dict() | {"state": state})
    run.scaler.load_state_dict(told["scaler"])
    run.lines = lines


def _tensors(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """The tensors of a file of this folder, the network's and the optimizer's"""
    if not _TENSORS.fullmatch(name):
        raise ValueError("a name of a file that is none of ours")
    parts: dict[str, dict[str, Any]] = {"network": {}, "optimizer": {}}
    for key, value in need("safetensors.torch", "Training").load_file(folder / name).items():
        part, _, rest = key.partition(".")
        parts[part][rest] = value
    return parts
