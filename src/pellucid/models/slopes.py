"""Gradients of the score at inner layers: all layers and all rows in one forward and one backward pass, a batch at a time.

For a row x with score f(x) = h(a), a the output of a layer, the slope is dh/da at a(x). Parameters are frozen and the graph begins
at the first of the layers, so the backward pass costs what lies above it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pellucid.core.budget import Meter
from pellucid.core.errors import ModelError
from pellucid.core.inputs import plain_array
from pellucid.core.scalar import finite
from pellucid.core.target import Custom, Output, Target, as_target
from pellucid.models.activations import feed, network_of, noting, of_layer
from pellucid.models.adapter import columns
from pellucid.models.prepare import Prepared
from pellucid.models.torch import TorchAdapter


@dataclass(frozen=True, eq=False)
class Slopes:
    """One batch: its rows (b,), their scores (b,), the gradient at each layer (b, ...), which tokens are no padding (b, t)."""

    rows: np.ndarray
    scores: np.ndarray
    layers: dict[str, np.ndarray]
    mask: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Asked:
    """A target and its scale; bound anew to each batch, so that no pass is spent on binding."""

    target: Target | None
    scale: str
    n: int

    @staticmethod
    def of(target: Any, prepared: Prepared) -> Asked:
        wanted = as_target(target, default=Output(0)).named(prepared.adapter.classes)
        scale = prepared.adapter.scale_of(wanted)
        return Asked(None if target is None else wanted, scale, len(prepared.inputs.x))

    def resolved(self, net: TorchAdapter, outputs: np.ndarray) -> Target:
        """outputs (b, k) -> the target on its scale; the usual one where none was named"""
        return (net.default_target(outputs) if self.target is None else self.target).at(self.scale)

    def picked(self, net: TorchAdapter, outputs: Tensor, rows: np.ndarray) -> Tensor:
        """outputs (b, k), rows (b,) -> (b,) with its graph"""
        known = plain_array(outputs, float)
        target = self.resolved(net, known)
        if outputs.ndim == 2 and not isinstance(target, Custom):
            target.bind(
                np.broadcast_to(0.0, (self.n, outputs.shape[1]))
            )  # one target a row: as many as rows, all of them there
        pick = target.take(rows).bind(known)
        made: Tensor = pick(columns(outputs, pick), np.arange(len(rows)))
        return made


def slopes(prepared: Prepared, layers: Sequence[str], asked: Asked, meter: Meter) -> Iterator[Slopes]:
    """Call inside `prepared.adapter.session()`."""
    net = network_of(prepared.adapter)
    for fed in feed(prepared):
        with noting(net.model, layers) as noted:
            outputs = net.run(net.input(fed.x), asked.scale, fed.extra)
            picked = asked.picked(net, outputs, fed.rows)
        seen = [of_layer(noted, name, net, fed) for name in layers]
        found = _gradients(picked, seen, layers)
        meter.add(forward=len(fed.rows), backward=len(fed.rows))
        scores = finite(plain_array(picked, float), "numbers")
        yield Slopes(fed.rows, scores, dict(zip(layers, found, strict=True)), fed.mask)


def _gradients(picked: Tensor, seen: list[Tensor], layers: Sequence[str]) -> list[np.ndarray]:
    whole = [name for name, one in zip(layers, seen, strict=True) if not one.requires_grad]
    if whole:
        raise ModelError(f"layer {whole[0]!r} gives whole numbers, which have no gradient: name one that gives floats.")
    if not picked.requires_grad:
        raise ModelError(
            f"the score does not depend on layer {layers[0]!r} through differentiable steps (detach, argmax, numpy, no_grad or "
            "rounding on the way): name a layer behind them."
        )
    made = torch.autograd.grad(picked.sum(), seen, allow_unused=True)
    given = zip(made, seen, strict=True)
    arrays = [plain_array(torch.zeros_like(one) if slope is None else slope) for slope, one in given]
    return [
        finite(array.astype(float), f"gradients at layer {name!r}") for array, name in zip(arrays, layers, strict=True)
    ]
