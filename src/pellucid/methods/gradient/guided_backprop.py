"""Guided backpropagation: a gradient from which every ReLU removes what is negative.

Springenberg et al., "Striving for Simplicity: The All Convolutional Net" (2014): where the forward pass went through
f = ReLU(z), the cotangent R goes back as

    R * 1[z > 0] * 1[R > 0]

The pictures are sharp because the input is being reconstructed, not because the class is being explained: Adebayo et al.,
"Sanity Checks for Saliency Maps" (NeurIPS 2018), found them almost unchanged when the weights of the upper layers are
drawn anew, and Nie et al. (ICML 2018) showed why. It is here to be compared with, and `ModelRandomization` shows the failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.method import Card, GradientMethod, Parts
from pellucid.core.scalar import Differentiable, Rewired

FAILS = "fails the sanity check of Adebayo et al. 2018: hardly changes when the network's upper layers are drawn anew"


@dataclass(frozen=True)
class GuidedBackprop(GradientMethod):
    """No hyper-parameters. Treats the whole ReLU family (ReLU6, leaky, ELU ...) as ReLU; other functions as they are."""

    card: ClassVar[Card] = Card(
        question="Which edges of the picture do the network's positive paths answer to?",
        scope="local",
        access="gradients",
        inputs=("table", "image", "volume", "signal"),
        output="a modified derivative per cell",
        cost="1 forward and 1 backward row",
        strengths="one pass; sharp pictures; meets functional, in-place and reused ReLUs alike",
        weaknesses=f"{FAILS}; shows edges of the input whatever the class; a plain gradient on networks without ReLU",
        paper="Springenberg et al. 2014",
        rows=1,
        fails="the sanity check of random weights",
    )

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        from pellucid.models.rewire.guided import FAMILY, guided

        return relu_parts(f.rewired(x, None, guided), FAMILY)


def relu_parts(made: Rewired, family: tuple[str, ...]) -> Parts:
    """The parts of a method that only changes ReLUs, with a warning where there is none to change."""
    plain = not made.met & set(family)
    said = "the network runs no function of the ReLU family, so this is its plain gradient"
    return Parts(made.values, unruled=made.unruled, warnings=(said,) if plain else ())
