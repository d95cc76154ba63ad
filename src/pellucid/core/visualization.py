"""Visualization: the inputs that a unit of a network answers to most, made, not found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.records import Record, per_row


@dataclass(frozen=True)
class Unit:
    """What is to be excited: a channel of a layer, at one `place` or on average over space; None for `layer` is the output.

    `direction` weighs the channels instead of choosing one.
    """

    channel: int | None = None
    layer: str | None = None
    place: tuple[int, ...] | None = None
    direction: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if (self.channel is None) == (self.direction is None):
            raise MethodError(f"{self!r}: give a channel, or a direction with one weight per channel.")


@dataclass(frozen=True, eq=False, kw_only=True)
class Visualization(Record):
    """k inputs `images (k, channels, *space)`, what the unit says of each, `activations (k,)`, and on the way there `curve (s, k)`.

    `natural` is the largest activation on the pictures that were given to compare with, NaN where there were none.
    """

    images: np.ndarray = per_row()
    activations: np.ndarray = per_row()
    curve: np.ndarray
    natural: float = float("nan")
    unit: Unit
    method: Any = None

    def __len__(self) -> int:
        return len(self.images)
