"""Layers of a network that are seen while it runs: some inputs at a time, and never kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import ModelError
from pellucid.methods.representation.base import Side, Source
from pellucid.methods.representation.held import flattened
from pellucid.models.activations import Seen, innermost, layers_of, network_of, stream
from pellucid.models.prepare import Prepared

_TEXTS = 64  # at a time


class Streamed(Source):
    """A network and its inputs; use inside `prepared.adapter.session()`. A first look at one input says how wide layers are."""

    held = False

    def __init__(self, prepared: Prepared, layers: Any, pool: bool, meter: Meter) -> None:
        self._prepared, self._pool, self._meter = prepared, pool, meter
        inputs, texts = prepared.inputs, prepared.inputs.x.ndim == 1
        self.n, self.packages = len(inputs.x), prepared.adapter.packages
        self.step = inputs.batch_size or (_TEXTS if texts else prepared.adapter.batch_size(inputs.x))
        self.names = innermost(prepared) if layers is None else layers_of(network_of(prepared.adapter).model, layers)
        self._layered = (
            inputs.x.ndim != 3
        )  # three axes behind pictures or ids are tokens; behind signals, channels come first
        self.widths = tuple(x.shape[1] for x in self._look(np.arange(1)))
        self.notes = ("layers of texts averaged over tokens",) if texts else ()

    def take(self, rows: np.ndarray) -> Side:
        found = self._look(rows)
        for name, x in zip(self.names, found, strict=True):
            if not np.isfinite(x).all():
                raise ModelError(
                    f"layer {name!r} gives NaN or infinite numbers: check the inputs and the weights, or leave the layer out."
                )
        return found

    def _look(self, rows: np.ndarray) -> Side:
        few = Prepared(self._prepared.adapter, self._prepared.inputs.take(rows))
        whole: dict[str, np.ndarray] = {}
        for seen in stream(few, self.names, self._meter):
            for name in self.names:
                flat = self._flat(seen, name)
                room = whole.setdefault(name, np.empty((len(rows), flat.shape[1])))
                if flat.shape[1] != room.shape[1]:
                    raise ModelError(
                        f"layer {name!r} gives {flat.shape[1]} features for some inputs and {room.shape[1]} for others: name "
                        "layers whose output does not depend on the length of a text."
                    )
                room[seen.rows] = flat
        return [whole[name] for name in self.names]

    def _flat(self, seen: Seen, name: str) -> np.ndarray:
        output = seen.layers[name]
        if seen.tokens(name) and seen.mask is not None:
            counted = np.where(seen.mask[..., None], output, 0).sum(axis=1, dtype=float)  # padding is NaN
            return np.asarray(counted / seen.mask.sum(axis=1, keepdims=True))
        return flattened(output, self._pool, tokens=self._layered)
