"""Grad-CAM: where in a layer the evidence for the score sits.

Selvaraju et al., "Grad-CAM" (ICCV 2017), eq. 1 and 2: with activations A^k of a layer and Z places,

    alpha_k = (1 / Z) sum_ij dy / dA^k_ij        L = ReLU(sum_k alpha_k A^k)

`raw` is L at the layer's size; `values` is L brought to the input's size, linearly. Nothing is scaled to [0, 1]: maps of
different inputs stay comparable, and a map of zeros is reported as degenerate instead of being drawn as an explanation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, LayerMethod, Parts
from pellucid.core.scalar import Captured, Differentiable
from pellucid.methods.cam.maps import as_parts, over_space, weighted


@dataclass(frozen=True)
class GradCAM(LayerMethod):
    """`layer` by name, None for the last one with space; `grid` (h, w) of tokens; `relu` False keeps evidence against."""

    layer: str | None = None
    grid: tuple[int, int] | None = None
    relu: bool = True

    card: ClassVar[Card] = Card(
        question="Where in the picture is the evidence for this class?",
        scope="local",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="a map over places",
        cost="1 forward row and a backward pass down to the layer",
        strengths="cheap; tells classes apart; passes the sanity check of random weights",
        weaknesses="as coarse as the layer; adds up to nothing; with `relu` it hides evidence against; on 20 photographs "
        "no better than a random order on deletion (docs/evidence/gradient.md)",
        paper="Selvaraju et al. 2017",
        rows=1,
    )

    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        alpha = layer.gradients.mean(axis=over_space(layer.gradients))  # (n, k)
        return as_parts(weighted(alpha, layer.activations), layer, relu=self.relu)
