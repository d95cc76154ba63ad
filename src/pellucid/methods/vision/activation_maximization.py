"""Activation maximisation: an input that excites one unit of a network as far as it will go.

Erhan, Bengio, Courville & Vincent (2009); Olah, Mordvintsev & Schubert, "Feature Visualization" (Distill, 2017). Gradient
ascent (Adam) on

    mean_i [ a(T(x_i)) - smooth * TV(x_i) ] - diversity * mean_{i != j} cos(G_i, G_j)

where a is the unit's activation, T a random shift, scaling and rotation at each step, TV the total variation, and G_i the Gram
matrix of the layer's channels, whose cosines keep several pictures apart. Pictures are parametrised by their Fourier coefficients,
each divided by its frequency, so that a step changes all scales alike, and squashed into the range of real inputs: without
both, pictures are noise that excites the unit just as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.core.errors import MethodError
from pellucid.core.method import Card, Method, check_positive


@dataclass(frozen=True)
class ActivationMaximization(Method):
    """`images` is how many pictures are made; `shape` is (channels, *space), where no real pictures say it.

    `steps` of the ascent; `rate` is the size of a step; `jitter` in pixels, `scale` as a share and `rotate` in degrees are the
    largest random changes at each step; `smooth` is the price of total variation; `diversity` is the price of pictures that
    are alike; `seed` draws where they start and the changes.
    """

    shape: tuple[int, ...] = (3, 64, 64)
    images: int = 1
    steps: int = 256
    rate: float = 0.05
    jitter: int = 4
    scale: float = 0.1
    rotate: float = 5.0
    smooth: float = 0.0
    diversity: float = 0.0
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="What does this unit look for?",
        scope="global",
        access="gradients",
        inputs=("image", "volume", "signal"),
        output="made pictures that excite the unit, and how far",
        cost="steps x images rows forward and backward",
        strengths="shows what a unit answers to, where real pictures show what happens to come with it",
        weaknesses="a made picture is one of many, shaped by its parametrisation; it says nothing of any real input",
        paper="Olah, Mordvintsev & Schubert 2017",
        rows=100,
        verb="visualize",
    )

    def __post_init__(self) -> None:
        check_positive(self, "images", "steps", "rate")
        if not (isinstance(self.shape, tuple) and len(self.shape) in (2, 3, 4) and min(self.shape) > 0):
            raise MethodError(
                f"ActivationMaximization(shape={self.shape!r}): expected (channels, *space), as in (3, 64, 64)."
            )
        for name in ("jitter", "scale", "rotate", "smooth", "diversity"):
            if not getattr(self, name) >= 0:
                raise MethodError(
                    f"ActivationMaximization({name}={getattr(self, name)!r}): expected a number from 0 on."
                )
