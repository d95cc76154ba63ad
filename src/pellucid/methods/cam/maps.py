"""What all class activation maps share: from a raw map at a layer's size to the parts of a record."""

from __future__ import annotations

import numpy as np

from pellucid.core.method import Parts
from pellucid.core.scalar import Captured


def as_parts(raw: np.ndarray, layer: Captured, *, relu: bool) -> Parts:
    """raw (n, *layer spatial) -> values at the input's size; nothing is scaled, constant maps are called degenerate."""
    raw = np.maximum(raw, 0) if relu else raw
    flat = raw.reshape(len(raw), -1)
    constant = int((np.ptp(flat, axis=1) == 0).sum())
    warnings = (f"{constant} of {len(raw)} maps are constant and explain nothing",) if constant else ()
    return Parts(layer.upsample(raw), raw=raw, layer=layer.name, warnings=warnings)


def weighted(weights: np.ndarray, activations: np.ndarray) -> np.ndarray:
    """weights (n, c), activations (n, c, *spatial) -> (n, *spatial)"""
    return np.asarray(np.einsum("nc,nc...->n...", weights, activations))


def over_space(array: np.ndarray) -> tuple[int, ...]:
    """The spatial axes of (n, c, *spatial)."""
    return tuple(range(2, array.ndim))
