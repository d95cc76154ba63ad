"""States of a network during training, kept as safetensors files that say at which learning rate they were taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.core.store import appearing

State = Mapping[str, Tensor]
_RATE = "learning_rate"


class Checkpoints:
    """Call it while training: `keep = pc.Checkpoints("folder")`, then `keep(model, learning_rate)` once an epoch."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, model: nn.Module, learning_rate: float) -> Path:
        """Keep the parameters and buffers as they are now; the file appears whole or not at all."""
        save = need("safetensors.torch", "Checkpoints").save_file
        if not learning_rate > 0:
            raise InputError(
                f"learning_rate is {learning_rate!r}: expected the positive rate of the steps around this moment."
            )
        path = self.folder / f"checkpoint-{len(self.paths):05d}.safetensors"
        state = {name: value.detach().cpu().contiguous().clone() for name, value in _state(model).items()}
        with appearing(path) as partial:
            save(state, str(partial), metadata={_RATE: repr(float(learning_rate))})
        return path

    @property
    def paths(self) -> list[Path]:
        """The files so far, in the order in which they were kept."""
        return sorted(self.folder.glob("checkpoint-*.safetensors"))


def read_checkpoints(given: Any, model: nn.Module) -> list[tuple[State, float]]:
    """States with their learning rates: of a folder or a `Checkpoints`, or of (state or path, learning rate) pairs."""
    if isinstance(given, str | Path | Checkpoints):
        paths = (given if isinstance(given, Checkpoints) else Checkpoints(_folder(given))).paths
        pairs: Sequence[Any] = [(path, None) for path in paths]
    else:
        pairs = list(given)
    if not pairs:
        raise InputError(
            "there are no checkpoints: keep some while training, as in keep = Checkpoints('folder'); keep(model, rate)."
        )
    return [_read(pair, f"checkpoint {i}", model) for i, pair in enumerate(pairs)]


def _folder(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise InputError(
            f"{Path(path).name} is no folder of checkpoints: Checkpoints(folder) writes one while training."
        )
    return Path(path)


def _read(pair: Any, who: str, model: nn.Module) -> tuple[State, float]:
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise InputError(f"{who} is a {type(pair).__name__}: expected a pair (state or path, learning rate).")
    state, rate = pair
    if isinstance(state, str | Path):
        state, kept = _load(Path(state))
        rate = kept if rate is None else rate
    if rate is None or not rate > 0:
        raise InputError(f"{who} has the learning rate {rate!r}: expected a positive number.")
    return _fitting(state, who, model), float(rate)


def _load(path: Path) -> tuple[State, float | None]:
    opened = need("safetensors", "Checkpoints").safe_open
    if not path.is_file():
        raise InputError(f"there is no checkpoint {path.name}.")
    with opened(str(path), framework="pt") as file:
        rate = (file.metadata() or {}).get(_RATE)
        return {name: file.get_tensor(name) for name in file.keys()}, None if rate is None else float(rate)  # noqa: SIM118


def _fitting(state: Any, who: str, model: nn.Module) -> State:
    """The state on the model's device; refused where it is another architecture's."""
    own = _state(model)
    for name, value in own.items():
        if name not in state or state[name].shape != value.shape:
            found = tuple(state[name].shape) if name in state else "nothing of that name"
            raise InputError(
                f"{who} does not fit this model: {name} has shape {tuple(value.shape)} and the checkpoint has {found}. Is it "
                "another architecture's?"
            )
    return {name: state[name].to(value) for name, value in own.items()}


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}
