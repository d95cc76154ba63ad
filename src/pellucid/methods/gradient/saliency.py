"""Saliency: the derivative of the score with respect to each cell of the input.

Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks" (2013), eq. 3: w = dS_c / dx. The paper draws
max over channels of |w|; here values keep their sign and their channels, and `collapse("max")` gives the paper's map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.core.scalar import Differentiable


@dataclass(frozen=True)
class Saliency(GradientMethod):
    """`absolute` takes magnitudes, which forgets whether a cell raises or lowers the score."""

    absolute: bool = False

    card: ClassVar[Card] = Card(
        question="Which cells would change this score fastest?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a derivative per cell",
        cost="1 forward and 1 backward row",
        strengths="one pass; exact for what it is, a derivative",
        weaknesses="noisy on deep networks; zero where the score saturates; says nothing of how much a cell contributed",
        paper="Simonyan, Vedaldi & Zisserman 2013",
        rows=1,
    )

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        gradient = f.grad(x)
        return Parts(np.abs(gradient) if self.absolute else gradient)
