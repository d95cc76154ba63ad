"""The deconvolutional network: the gradient with each ReLU applied to what comes back instead of to what went forward.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (2013): where the forward pass went through
f = ReLU(z), the cotangent R goes back as

    R * 1[R > 0]

whatever z was; max-pooling sends it to the places it took its values from, as the gradient does. Like guided
backpropagation it shows the input more than the class: see there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.core.scalar import Differentiable
from pellucid.methods.gradient.guided_backprop import FAILS, relu_parts


@dataclass(frozen=True)
class Deconvnet(GradientMethod):
    """No hyper-parameters. Treats the whole ReLU family (ReLU6, leaky, ELU ...) as ReLU; other functions as they are."""

    card: ClassVar[Card] = Card(
        question="Which patterns of the picture would the layers above rebuild?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal"),
        output="a modified derivative per cell",
        cost="1 forward and 1 backward row",
        strengths="one pass; historically the first picture of what a network looks at",
        weaknesses=f"{FAILS}; ignores which units were active; a plain gradient on networks without ReLU",
        paper="Zeiler & Fergus 2013",
        rows=1,
        fails="the sanity check of random weights",
    )

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        from pellucid.models.rewire.guided import FAMILY, deconvnet

        return relu_parts(f.rewired(x, None, deconvnet), FAMILY)
