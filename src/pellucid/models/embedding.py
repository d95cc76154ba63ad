"""Token ids have no gradient; their embeddings have: a network on ids seen as a network on embeddings.

The ids still run through the network (positions and padding are worked out from them); only the output of the embedding
module that looks them up is replaced. Values come back per embedding dimension and are summed to tokens.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.errors import ModelError
from pellucid.core.inputs import plain_array
from pellucid.models.adapter import Extra
from pellucid.models.torch import TorchAdapter, TorchScalar

_IDS = "token ids"  # a name that no keyword argument of a model can have


class EmbeddedAdapter(TorchAdapter):
    """The same network, fed embeddings (b, t, d); the ids (b, t) travel along as an extra input."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__(model)
        self.lookup = model.get_submodule(name)

    def channels(self, x: np.ndarray) -> int | None:
        return None

    def input(self, x: np.ndarray) -> Tensor:
        return self.tensor(x)

    def forward(self, x: Any, scale: str, extra: Extra) -> Tensor:
        given = x if isinstance(x, Tensor) else self.tensor(x)
        rest = {name: value for name, value in extra.items() if name != _IDS}
        with self._replaced(given):
            out: Tensor = super().forward(self.tensor(extra[_IDS]), scale, rest)
        return out

    @contextlib.contextmanager
    def _replaced(self, given: Tensor) -> Iterator[None]:
        handle = self.lookup.register_forward_hook(lambda _module, _inputs, _output: given)
        try:
            yield
        finally:
            handle.remove()


def embedded(f: TorchScalar) -> TorchScalar:
    """A scalar over ids (n, t) -> the same scalar over their embeddings (n, t, d)."""
    adapter, inputs = f.adapter.at_embeddings(f), f.inputs
    background = None if inputs.background is None else _embed(adapter, inputs.background)
    changed = replace(
        inputs, x=_embed(adapter, inputs.x), background=background, extra={**inputs.extra, _IDS: inputs.x}
    )
    return TorchScalar(adapter, f.pick, f.scale, changed, f.meter)


def by_lookup(f: TorchScalar, kind: type[EmbeddedAdapter] = EmbeddedAdapter) -> EmbeddedAdapter:
    """The adapter over embeddings of a network that is fed the ids as they are."""
    return kind(f.adapter.model, _lookup_of(f))


def _embed(adapter: Any, ids: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return plain_array(adapter.lookup(adapter.tensor(ids)), float)


def _lookup_of(f: TorchScalar) -> str:
    """The embedding module that is fed the ids themselves."""
    ids = f.adapter.tensor(f.inputs.x[:1])
    found: list[str] = []

    def note(name: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            if inputs and isinstance(inputs[0], Tensor) and torch.equal(inputs[0], ids):
                found.append(name)

        return hook

    modules = [(name, m) for name, m in f.adapter.model.named_modules() if isinstance(m, nn.Embedding)]
    handles = [m.register_forward_pre_hook(note(name)) for name, m in modules]
    try:
        f.adapter.run(f.inputs.x[:1], f.scale, f.extra(np.zeros(1, int)))
        f.meter.add(forward=1)
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise ModelError(
            "no nn.Embedding of this network is fed the ids as they are, so there is no embedding to take the gradient at: "
            "wrap the network in a module that takes embeddings, or use a method that only asks."
        )
    return found[0]
