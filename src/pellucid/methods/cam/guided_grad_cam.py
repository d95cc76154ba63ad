"""Guided Grad-CAM: the fine lines of guided backpropagation where Grad-CAM sees the class.

Selvaraju et al., "Grad-CAM" (ICCV 2017), section 3.2: the elementwise product of the two, Grad-CAM at the input's size. It inherits
the first factor's fault: the lines hardly depend on the upper layers' weights (Adebayo et al. 2018); only the map does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, LayerMethod, Parts
from pellucid.core.scalar import Captured, Differentiable
from pellucid.methods.cam.grad_cam import GradCAM
from pellucid.methods.gradient.guided_backprop import FAILS, GuidedBackprop


@dataclass(frozen=True)
class GuidedGradCAM(LayerMethod):
    """`layer` by name, None for the last one with space; `grid` (h, w) of tokens."""

    layer: str | None = None
    grid: tuple[int, int] | None = None

    card: ClassVar[Card] = Card(
        question="Which fine structures lie where the evidence for this class is?",
        scope="local",
        access="inner layer",
        inputs=("image", "volume", "signal"),
        output="a product per cell",
        cost="2 forward rows and 2 backward passes",
        strengths="fine and class-discriminative at once",
        weaknesses=f"its fine structure {FAILS}; adds up to nothing",
        paper="Selvaraju et al. 2017",
        rows=1,
        fails="the sanity check of random weights",
    )

    def attribute(self, f: Differentiable, x: np.ndarray, layer: Captured) -> Parts:
        where = GradCAM().attribute(f, x, layer)
        lines = GuidedBackprop().attribute(f, x, background=None, rng=self.stream())
        return Parts(
            lines.values * where.values[:, None],
            raw=where.raw,
            layer=where.layer,
            unruled=lines.unruled,
            warnings=(*where.warnings, *lines.warnings),
        )
