"""Input times gradient: what each cell would contribute if the model were linear through the origin.

Shrikumar et al., "Not Just a Black Box" (2016): x_i * dS / dx_i. On f = w.x it is w_i x_i exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.core.scalar import Differentiable


@dataclass(frozen=True)
class InputXGradient(GradientMethod):
    """No hyper-parameters."""

    card: ClassVar[Card] = Card(
        question="What would each cell contribute if the model were linear?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a contribution per cell",
        cost="1 forward and 1 backward row",
        strengths="one pass; equals the contribution on a linear model",
        weaknesses="zero wherever the input is zero; adds up to the score only for networks without biases",
        paper="Shrikumar et al. 2016",
        rows=1,
    )

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        return Parts(x * f.grad(x))
