"""Grad-CAM++: Grad-CAM with weights that do not shrink when a class is seen in several places.

Chattopadhay et al., "Grad-CAM++" (WACV 2018), eq. 10 and 19. The paper takes Y = exp(S), for which the second and third
derivatives along one activation are powers of the first wherever S is piecewise linear in the layer; exp(S) cancels:

    alpha^k_ij = g^2 / (2 g^2 + (sum_ab A^k_ab) g^3)     w_k = sum_ij alpha^k_ij ReLU(g^k_ij)     L = ReLU(sum_k w_k A^k)

with g = dS / dA^k_ij. (`sum().backward()` twice, as often written, gives row sums of the Hessian, not its diagonal.) Where g
is zero alpha is zero. The weights use the gradient of S, not of exp(S): the map of one row changes by a factor only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, LayerMethod, Parts
from pellucid.core.scalar import Captured, Differentiable
from pellucid.methods.cam.maps import as_parts, over_space, weighted


@dataclass(frozen=True)
class GradCAMPlusPlus(LayerMethod):
    """`layer` by name, None for the last one with space; `grid` (h, w) of tokens; `relu` False keeps evidence against."""

    layer: str | None = None
    grid: tuple[int, int] | None = None
    relu: bool = True

    card: ClassVar[Card] = Card(
        question="Where in the picture is the evidence, if the class is there more than once?",
        scope="local",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="a map over places",
        cost="1 forward row and a backward pass down to the layer",
        strengths="covers several objects of a class; as cheap as Grad-CAM",
        weaknesses="counts only evidence in favour, so classes are told apart less; exact only for layers below a "
        "piecewise linear head; on 20 photographs no better than a random order on deletion (docs/evidence/gradient.md)",
        paper="Chattopadhay et al. 2018",
        rows=1,
    )

    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        weights = (alphas(layer) * np.maximum(layer.gradients, 0)).sum(axis=over_space(layer.gradients))
        return as_parts(weighted(weights, layer.activations), layer, relu=self.relu)


def alphas(layer: Captured) -> np.ndarray:
    """(n, c, *spatial) the paper's alpha"""
    g, total = layer.gradients, layer.activations.sum(axis=over_space(layer.activations), keepdims=True)
    below = 2 * g**2 + total * g**3
    return np.divide(g**2, below, out=np.zeros_like(g), where=below != 0)
