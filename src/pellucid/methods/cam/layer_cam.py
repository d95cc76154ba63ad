"""LayerCAM: activations weighted place by place, so that shallow layers give fine maps.

Jiang et al., "LayerCAM" (IEEE TIP 2021), eq. 5 and 6: L = ReLU(sum_k ReLU(dS / dA^k_ij) A^k_ij).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, LayerMethod, Parts
from pellucid.core.scalar import Captured, Differentiable
from pellucid.methods.cam.maps import as_parts


@dataclass(frozen=True)
class LayerCAM(LayerMethod):
    """`layer` by name, None for the last one with space; `grid` (h, w) of tokens."""

    layer: str | None = None
    grid: tuple[int, int] | None = None

    card: ClassVar[Card] = Card(
        question="Where is the evidence, in finer detail than the last layer has?",
        scope="local",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="a map over places",
        cost="1 forward row and a backward pass down to the layer",
        strengths="useful at shallow layers; as cheap as Grad-CAM",
        weaknesses="counts only evidence in favour; noisy at the shallowest layers; on 20 photographs no better "
        "than a random order on deletion (docs/evidence/gradient.md)",
        paper="Jiang et al. 2021",
        rows=1,
    )

    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        raw = (np.maximum(layer.gradients, 0) * layer.activations).sum(axis=1)
        return as_parts(raw, layer, relu=True)
