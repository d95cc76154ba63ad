"""What a layer says of a row, as one vector: flattened, or the mean or maximum over its places.

Places are the tokens of a text, the patches of a vision transformer or the pixels of a feature map. Rows of a layer's output are
read like this: (b, d) has no places; (b, t, d) has t tokens where the inputs are tokens, ids or pictures, or where t is the first
axis of the inputs too; everything else is (b, channels, *space).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import MethodError
from pellucid.core.scalar import finite
from pellucid.models.activations import Seen, stream
from pellucid.models.prepare import Prepared

Pool = Literal["flatten", "mean", "max", "sum"]


@dataclass(frozen=True)
class Places:
    """How the outputs of layers are read for inputs of this shape, (*features); () for texts."""

    features: tuple[int, ...]

    def token_axis(self, shape: tuple[int, ...], mask: np.ndarray | None) -> bool:
        """Whether an output (b, t, d) has its places before its channels."""
        if len(shape) != 3:
            return False
        if mask is not None:
            return shape[1] == mask.shape[1]
        return len(self.features) in (1, 3) or shape[1] == self.features[0]


def places_of(prepared: Prepared) -> Places:
    return Places(prepared.inputs.x.shape[1:])


def pooled(output: np.ndarray, mask: np.ndarray | None, pool: Pool, places: Places) -> np.ndarray:
    """(b, ...) -> (b, d); padding, False in `mask` (b, t), does not count."""
    if output.ndim == 1:
        return output[:, None]
    tokens = places.token_axis(output.shape, mask)
    if pool == "flatten":
        if tokens and mask is not None and not mask.all():
            raise MethodError("texts have no common length, so tokens make no vector of one length: take their mean.")
        return output.reshape(len(output), -1)
    flat = output if tokens else np.moveaxis(output.reshape(*output.shape[:2], -1), 1, 2)  # (b, places, d)
    there = mask[..., None] if tokens and mask is not None else np.ones(flat.shape[:2], bool)[..., None]
    if pool == "max":
        return np.where(there, flat, -np.inf).max(axis=1)
    total = np.where(there, flat, 0).sum(axis=1, dtype=np.result_type(flat.dtype, np.float32))
    return total if pool == "sum" else total / there.sum(axis=1)


def vectors(prepared: Prepared, layers: Sequence[str], pool: Pool, meter: Meter) -> dict[str, np.ndarray]:
    """layer -> (n, d) in the order of x; call inside `prepared.adapter.session()`."""
    whole: dict[str, np.ndarray] = {}
    places = places_of(prepared)
    for seen in stream(prepared, layers, meter):
        for name, made in _vectors(seen, pool, places):
            if name not in whole:
                whole[name] = np.empty((len(prepared.inputs.x), made.shape[1]))
            whole[name][seen.rows] = made
    return {name: finite(found, f"activations of layer {name!r}") for name, found in whole.items()}


def _vectors(seen: Seen, pool: Pool, places: Places) -> Iterator[tuple[str, np.ndarray]]:
    for name, output in seen.layers.items():
        yield name, pooled(output, seen.mask, pool, places)
