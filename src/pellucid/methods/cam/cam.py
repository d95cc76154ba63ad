"""CAM: the class activation map of a network that ends in global average pooling and one linear layer.

Zhou et al., "Learning Deep Features for Discriminative Localization" (CVPR 2016), eq. 2: M^c_ij = sum_k w^c_k A^k_ij, whose
mean over places is the class score without its bias. M is not rectified (founding texts often add a ReLU that the paper lacks).

The weights are found by tracing instead of by the names of layers: behind such a layer the gradient is w^c_k / Z in every place
and for every input. Both are checked, on x and on x / 2; a network without that head is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, LayerMethod, Parts
from pellucid.core.scalar import Captured, Differentiable
from pellucid.methods.cam.maps import as_parts, over_space, weighted

_SAME = 1e-3  # relative to the largest weight: far above rounding in half precision's sums, far below any other head


@dataclass(frozen=True)
class CAM(LayerMethod):
    """`layer` by name, None for the last one with space; `grid` (h, w) of tokens."""

    layer: str | None = None
    grid: tuple[int, int] | None = None

    card: ClassVar[Card] = Card(
        question="Which places add how much to the class score?",
        scope="local",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="a map over places whose mean is the class score without bias",
        cost="2 forward rows and 2 backward passes down to the layer",
        strengths="exact: the map is the score, place by place",
        weaknesses="only for networks that end in global average pooling and one linear layer; as coarse as the layer",
        paper="Zhou et al. 2016",
        rows=1,
        intrinsic=True,
    )

    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        space = over_space(layer.gradients)
        weights = layer.gradients.sum(axis=space)  # (n, k): Z places of w_k / Z each
        other = f.capture((x / 2).astype(x.dtype), layer.name, self.grid).gradients.sum(axis=space)
        uneven = np.ptp(layer.gradients, axis=space).max() * layer.gradients[0, 0].size
        largest = np.abs(weights).max()
        if uneven > _SAME * largest or np.abs(weights - other).max() > _SAME * largest:
            raise MethodError(
                f"CAM needs global average pooling and one linear layer behind layer {layer.name!r}, and this network has "
                "something else there (or the target is not on the raw scale): use GradCAM(), which asks for no special head."
            )
        return as_parts(weighted(weights, layer.activations), layer, relu=False)
