"""Layers that are held as arrays: what a user hands in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.inputs import checked, plain_array
from pellucid.methods.representation.base import Side, Source

_ROWS = 1024  # at a time


class Held(Source):
    """Named matrices (n, p)."""

    held, step = True, _ROWS

    def __init__(self, layers: Mapping[str, np.ndarray], notes: tuple[str, ...] = ()) -> None:
        self.names, self._layers, self.notes = tuple(layers), list(layers.values()), notes
        self.widths, self.n = tuple(x.shape[1] for x in self._layers), len(self._layers[0])

    def take(self, rows: np.ndarray) -> Side:
        return [x[rows].astype(float) for x in self._layers]


def as_held(given: Any, which: str, pool: bool) -> Held:
    """An array (n, ...), or {layer: array} as `activations` returns; `which` names it."""
    layers = given if isinstance(given, Mapping) else {which: given}
    if not layers:
        raise InputError(f"{which} has no layers: give an array (n, p), or {{layer: array}} as pc.activations returns.")
    arrays = {str(name): checked(plain_array(values), f"layer {name!r} of {which}") for name, values in layers.items()}
    counts = {name: len(x) for name, x in arrays.items()}
    if len(set(counts.values())) > 1:
        raise InputError(
            f"the layers of {which} have different numbers of inputs: {counts}; each needs one row per input."
        )
    flat, padded = {}, []
    for name, x in arrays.items():
        mean = mean_of_tokens(x)
        flat[name] = flattened(x, pool, tokens=True) if mean is None else mean
        padded += [] if mean is None else [name]
        if not np.isfinite(flat[name]).all():
            raise InputError(
                f"layer {name!r} of {which} holds NaN or infinite numbers: leave out the inputs that gave them, or the layer."
            )
    said = (f"{', '.join(padded)}: averaged over tokens, of which texts have different numbers",) if padded else ()
    return Held(flat, said)


def flattened(output: np.ndarray, pool: bool, tokens: bool) -> np.ndarray:
    """(n, ...) -> (n, p): all axes as features, or with `pool` their mean over space, (n, c, *space) or (n, t, d)"""
    if pool and output.ndim > 2:
        space = (1,) if output.ndim == 3 and tokens else tuple(range(2, output.ndim))
        output = output.mean(axis=space, dtype=float)
    return output.reshape(len(output), -1)


def mean_of_tokens(output: np.ndarray) -> np.ndarray | None:
    """(n, t, d) with NaN for padding -> (n, d) the mean over a text's tokens; None where there is no padding"""
    if output.ndim != 3 or output.dtype.kind != "f":
        return None
    missing = np.isnan(output)
    padding = missing.all(axis=2)
    if not padding.any() or (missing != padding[..., None]).any() or padding.all(axis=1).any():
        return None
    return np.asarray(np.nanmean(output, axis=1, dtype=float))
