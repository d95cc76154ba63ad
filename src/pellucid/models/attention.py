"""What a transformer's tokens attend to: every layer's matrix, as one pass of the network used it.

Fused attention (sdpa, flash) never makes the matrix, so the network is asked to compute it plainly ("eager") inside a block that
puts its configuration back. The matrices are seen where attention modules hand them on; nothing is left behind in the network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.errors import MethodError
from pellucid.core.inputs import plain_array
from pellucid.core.scalar import Attended, pieces
from pellucid.models.adapter import explaining
from pellucid.models.torch import TorchScalar

_ROUNDING = 0.02  # rows of attention add up to one, but for 16-bit numbers


def attended(f: TorchScalar) -> Iterator[Attended]:
    """The attention in the network's reading of each row's tokens, a batch at a time; one forward row each."""
    x, adapter = f.inputs.x, f.adapter
    for part in pieces(len(x), f.size):
        few, extra = x[part], f.extra(np.arange(len(x))[part])
        with plainly(adapter.model), noting(adapter.model) as noted, torch.no_grad(), explaining(few, adapter.names):
            real, places = adapter.read(few, extra)
        f.meter.add(forward=len(few))
        maps = tuple(found for tensor in noted if (found := _as_map(tensor, real)) is not None)
        if not maps:
            raise MethodError(
                "this network shows no attention weights (each row's adding up to one over its tokens): attention methods need a "
                "transformer of the transformers library whose attention can be computed plainly, "
                "attn_implementation='eager'; use KernelShap() or LIME(), which only ask."
            )
        yield Attended(maps, real, places)


@contextlib.contextmanager
def plainly(model: nn.Module) -> Iterator[None]:
    """Attention computed plainly; every configuration in the network as it was afterwards."""
    kept = [(config, dict(vars(config))) for config in _configs(model)]
    try:
        for config, _ in kept:
            config._attn_implementation = "eager"
        yield
    finally:
        for config, before in kept:
            vars(config).clear()
            vars(config).update(before)


def _configs(model: nn.Module) -> list[Any]:
    """Every configuration that says how attention is computed, those inside others too."""
    found: dict[int, Any] = {}
    waiting: list[Any] = [module.config for module in model.modules() if hasattr(module, "config")]
    while waiting:
        config = waiting.pop()
        if id(config) not in found and hasattr(config, "_attn_implementation"):
            found[id(config)] = config
            waiting += [getattr(config, name, None) for name in getattr(config, "sub_configs", ())]
    return list(found.values())


@contextlib.contextmanager
def noting(model: nn.Module) -> Iterator[list[Tensor]]:
    """Tensors (b, heads, T, T) that modules hand on beside their output, in the order of the layers, each once."""
    noted: list[Tensor] = []

    def note(_module: nn.Module, _inputs: Any, output: Any) -> None:
        for part in output[1:] if isinstance(output, tuple) else ():
            square = isinstance(part, Tensor) and part.ndim == 4 and part.shape[2] == part.shape[3]
            if square and not any(part is known for known in noted):
                noted.append(part)

    handles = [module.register_forward_hook(note) for module in model.modules()]
    try:
        yield noted
    finally:
        for handle in handles:
            handle.remove()


def _as_map(weights: Tensor, real: np.ndarray) -> np.ndarray | None:
    """weights (b, heads, T, T) -> their mean over heads (b, T, T), padding zero; None where they are no attention."""
    b, places = real.shape
    if weights.shape[0] != b or weights.shape[2] != places:
        return None
    both = real[:, :, None] & real[:, None, :]
    found: np.ndarray = np.where(both, plain_array(weights.double().mean(dim=1), float), 0.0)
    whole = np.abs(found.sum(axis=2)[real] - 1) < _ROUNDING
    return found if whole.all() and (found >= 0).all() else None
