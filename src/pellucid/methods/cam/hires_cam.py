"""HiResCAM: gradient times activation, place by place, with their signs.

Draelos & Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations" (2020), eq. 4: M = sum_k dS / dA^k_ij A^k_ij.
For a head that is linear in the layer, the map adds up to the score less its bias, where Grad-CAM's does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, LayerMethod, Parts
from pellucid.core.scalar import Captured, Differentiable
from pellucid.methods.cam.maps import as_parts


@dataclass(frozen=True)
class HiResCAM(LayerMethod):
    """`layer` by name, None for the last one with space; `grid` (h, w) of tokens; `relu` True hides evidence against."""

    layer: str | None = None
    grid: tuple[int, int] | None = None
    relu: bool = False

    card: ClassVar[Card] = Card(
        question="Which places did the head really use?",
        scope="local",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="a map over places",
        cost="1 forward row and a backward pass down to the layer",
        strengths="shows exactly the places a linear head used, with their sign; as cheap as Grad-CAM",
        weaknesses="as coarse as the layer; for deeper heads a first-order view only",
        paper="Draelos & Carin 2020",
        rows=1,
    )

    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        return as_parts((layer.gradients * layer.activations).sum(axis=1), layer, relu=self.relu)
