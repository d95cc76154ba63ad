"""What the inner layers of a network say: any of them by name, all in one pass, a batch at a time.

    prepared = prepare(model, x)
    with prepared.adapter.session():
        for seen in stream(prepared, layers_of(model, ["features.3", "encoder.layer.*"]), meter):
            seen.rows                   # (b,) which rows of x these are
            seen.layers["features.3"]   # (b, ...) that layer's output, an array of ours
            seen.mask                   # (b, t) which tokens are no padding; None where the inputs are no tokens

A layer that gives several things (attention with its weights, a recurrent layer with its state) is seen by the first of them,
a layer that runs several times by its last call. Texts come in batches of similar length, from short to long, and a layer's
output for padding is NaN, so no mean can count it unnoticed.
"""

from __future__ import annotations

import contextlib
import difflib
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.budget import Meter
from pellucid.core.errors import MethodError, ModelError
from pellucid.core.inputs import plain_array
from pellucid.models.adapter import Adapter, explaining
from pellucid.models.layers import visible
from pellucid.models.prepare import Prepared
from pellucid.models.tokenized import TokenizedAdapter
from pellucid.models.torch import Fed, TorchAdapter

_IDLE = (
    nn.Identity,
    nn.Flatten,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
)  # they repeat what they are given


@dataclass(frozen=True, eq=False)
class Seen:
    """One batch: its rows (b,), what each layer gave (b, ...), and which tokens are no padding (b, t)."""

    rows: np.ndarray
    layers: dict[str, np.ndarray]
    mask: np.ndarray | None = None
    longest: int = 0  # tokens of the longest row of all batches

    def tokens(self, layer: str) -> bool:
        """Whether a layer's output (b, t, d) has one entry per token."""
        return _per_token(self.layers[layer].shape, self.mask)


def network_of(adapter: Adapter) -> TorchAdapter:
    """The torch network behind an adapter of arrays or of texts."""
    if isinstance(adapter, TokenizedAdapter):
        return adapter.net
    if isinstance(adapter, TorchAdapter):
        return adapter
    raise MethodError(
        f"a model of the kind {adapter.kind!r} has no layers to look at: give a torch module, or TextModel(model, tokenizer) "
        "for texts."
    )


def layers_of(model: nn.Module, layers: str | Sequence[str]) -> tuple[str, ...]:
    """Names of layers of what a user may give: a name, several, or patterns where `*` stands for one part of a name.

    `"encoder.layer.*"` is `encoder.layer.0`, `encoder.layer.1` ..., and nothing inside these.
    """
    wanted = [layers] if isinstance(layers, str) else list(layers)
    if not wanted or not all(isinstance(name, str) and name for name in wanted):
        raise MethodError(f"layers={layers!r}: give the name of a layer, or a list of names.")
    known = [name for name, _ in visible(model)]
    return tuple(dict.fromkeys(found for name in wanted for found in _matching(name, known)))


def _matching(wanted: str, known: list[str]) -> list[str]:
    if wanted in known:
        return [wanted]
    parts = wanted.split(".")
    found = [
        name
        for name in known
        if len(name.split(".")) == len(parts)
        and all(fnmatch.fnmatchcase(part, asked) for part, asked in zip(name.split("."), parts, strict=True))
    ]
    if not found:
        raise MethodError(f"the network has no layer {wanted!r}; {_near(wanted, known)}.")
    return found


def _near(wanted: str, known: list[str]) -> str:
    """The names that are nearest, in words."""
    if not known:
        return "it has no inner layers"
    near = difflib.get_close_matches(wanted, known, n=5, cutoff=0.5)
    return (
        f"the nearest are {', '.join(near)}" if near else f"it has {', '.join(known[:12])}{' ...' * (len(known) > 12)}"
    )


def innermost(prepared: Prepared) -> tuple[str, ...]:
    """The layers without layers inside that run and compute something, in the order in which they first do."""
    net = network_of(prepared.adapter)
    few = Prepared(prepared.adapter, prepared.inputs.take(slice(0, 1)))
    inner = [name for name, m in visible(net.model) if not any(True for _ in m.children()) and not isinstance(m, _IDLE)]
    fed = next(iter(feed(few)))
    with noting(net.model, inner) as noted, torch.no_grad():
        said(net, fed)
    return tuple(
        name for name, seen in noted.items() if seen.ndim > 1 and seen.shape[0] == 1 and seen.is_floating_point()
    )


def stream(prepared: Prepared, layers: Sequence[str], meter: Meter) -> Iterator[Seen]:
    """What the layers say of all rows, a batch at a time and without gradients; call inside `prepared.adapter.session()`."""
    net = network_of(prepared.adapter)
    for fed in feed(prepared):
        with noting(net.model, layers) as noted, torch.no_grad():
            said(net, fed)
        meter.add(forward=len(fed.rows))
        found = {name: plain_array(of_layer(noted, name, net, fed)) for name in layers}
        yield Seen(fed.rows, {name: _unpadded(a, fed.mask) for name, a in found.items()}, fed.mask, fed.longest)


def feed(prepared: Prepared) -> Iterator[Fed]:
    """The rows as the network takes them, in batches of bounded size."""
    adapter, inputs = prepared.adapter, prepared.inputs
    if isinstance(adapter, TokenizedAdapter):
        return adapter.fed(adapter.encode(inputs.x.tolist()))
    return network_of(adapter).fed(inputs)


def said(net: TorchAdapter, fed: Fed) -> Any:
    """What the network itself returns of a batch, whatever it is; its failures explained."""
    with explaining(fed.x, net.names):
        return net.call(net.input(fed.x), fed.extra)


@contextlib.contextmanager
def noting(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """The outputs of these layers by name, each of the last call of its layer.

    What follows a layer receives a copy, so an in-place activation behind it cannot change what was seen. Where gradients are on,
    the graph begins at the first of the layers (see `watching`), and gradients at all of them can be asked for together.
    """
    noted: dict[str, Tensor] = {}

    def note(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            first = _first(output)
            if first is None:
                return None
            noted[name] = first if first.requires_grad else first.detach()
            if torch.is_grad_enabled() and first.is_floating_point():
                noted[name].requires_grad_()
            return _with_first(output, noted[name].clone())

        return hook

    handles = [model.get_submodule(name).register_forward_hook(note(name)) for name in layers]
    try:
        yield noted
    finally:
        for handle in handles:
            handle.remove()


def _first(output: Any) -> Tensor | None:
    """The first tensor of what a layer gives."""
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return next((part for part in parts if isinstance(part, Tensor)), None)


def _with_first(output: Any, made: Tensor) -> Any:
    """The same output with its first tensor replaced."""
    if isinstance(output, Tensor):
        return made
    if isinstance(output, Mapping):
        key = next(key for key, part in output.items() if isinstance(part, Tensor))
        return type(output)(**{**output, key: made})
    at = next(i for i, part in enumerate(output) if isinstance(part, Tensor))
    parts = [*output[:at], made, *output[at + 1 :]]
    return type(output)._make(parts) if hasattr(output, "_make") else type(output)(parts)


def of_layer(noted: dict[str, Tensor], name: str, net: TorchAdapter, fed: Fed) -> Tensor:
    """What was noted of a layer (b, ...), or why it cannot be used."""
    if name not in noted:
        raise MethodError(f"layer {name!r} does not run, or gives no tensor; {_near(name, _running(net, fed))}.")
    if noted[name].ndim < 1 or noted[name].shape[0] != len(fed.rows):
        raise ModelError(
            f"layer {name!r} gives shape {tuple(noted[name].shape)} for {len(fed.rows)} rows: rows must come first, so "
            "name a layer before or behind the one that moves them."
        )
    return noted[name]


def _running(net: TorchAdapter, fed: Fed) -> list[str]:
    """The layers that do run on a batch, in the order of registration."""
    names = [name for name, _ in visible(net.model)]
    with noting(net.model, names) as noted, torch.no_grad():
        said(net, fed)
    return [name for name in names if name in noted]


def _per_token(shape: tuple[int, ...], mask: np.ndarray | None) -> bool:
    return mask is not None and len(shape) == 3 and shape[1] == mask.shape[1]


def _unpadded(output: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """(b, t, d) with NaN for padding; other outputs as they are"""
    if mask is None or not _per_token(output.shape, mask) or mask.all():
        return output
    return np.where(mask[..., None], output, np.asarray(np.nan, np.result_type(output.dtype, np.float32)))


def gathered(prepared: Prepared, layers: Sequence[str], meter: Meter) -> dict[str, np.ndarray]:
    """layer -> (n, ...): all batches in the order of x; tokens begin at 0 and are filled up with NaN to the longest text."""
    whole: dict[str, np.ndarray] = {}
    n = len(prepared.inputs.x)
    for seen in stream(prepared, layers, meter):
        for name, output in seen.layers.items():
            tokens = seen.tokens(name)
            if name not in whole:
                whole[name] = _room(n, output, seen.longest if tokens else None)
            _check_alike(name, whole[name], output, 2 if tokens else 1)
            if tokens:
                _put(whole[name], output, seen)
            else:
                whole[name][seen.rows] = output
    return whole


def _room(n: int, output: np.ndarray, longest: int | None) -> np.ndarray:
    if longest is None:
        return np.empty((n, *output.shape[1:]), output.dtype)
    return np.full((n, longest, output.shape[2]), np.nan, np.result_type(output.dtype, np.float32))


def _put(whole: np.ndarray, output: np.ndarray, seen: Seen) -> None:
    """Each row's tokens from the first place on, on whichever side the padding was."""
    assert seen.mask is not None
    for row, cells, there in zip(seen.rows, output, seen.mask, strict=True):
        whole[row, : there.sum()] = cells[there]


def _check_alike(name: str, whole: np.ndarray, output: np.ndarray, start: int) -> None:
    if whole.shape[start:] != output.shape[start:]:
        raise ModelError(
            f"layer {name!r} gives shape {output.shape[1:]} for some rows and {whole.shape[1:]} for others, so they make no array: "
            "name a layer whose output does not depend on the length of a text, or look at its rows one by one."
        )
