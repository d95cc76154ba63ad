"""Occlusion: how far the score drops when one window (or column) is hidden.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014), section 4: v(all) - v(all but i).
Windows that share places out among them are divided over their cells; where windows overlap, a place gets the mean
undivided drop of the windows that cover it (captum's convention). The gap says how far drops are from adding up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.baseline import BaselineLike
from pellucid.core.errors import MethodError
from pellucid.core.maskers import Columns, Grid, Size
from pellucid.core.masking import Game, Masker
from pellucid.core.method import Card, GameMethod, Parts
from pellucid.core.scalar import pieces

_CELLS = 2**22  # of the coalitions held at once


@dataclass(frozen=True)
class Occlusion(GameMethod):
    """`window` and `stride` in cells (None: columns of a table, about 7 windows a side elsewhere); `baseline` is `Grid`'s fill."""

    window: Size | None = None
    stride: Size | None = None
    baseline: BaselineLike = None

    card: ClassVar[Card] = Card(
        question="How far does the score drop when a part is hidden?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a drop per window or column",
        cost="one row per window and background row, plus 2",
        strengths="needs only answers; means what it says; deterministic",
        weaknesses="misses parts that stand in for each other; depends on the fill and the window",
        paper="Zeiler & Fergus 2014",
        rows=10,
    )

    def __post_init__(self) -> None:
        Grid(self.window, self.stride, self.baseline)

    def masker(self, x: np.ndarray) -> Masker | None:
        if x.ndim == 1:
            if (self.window, self.stride, self.baseline) != (None, None, None):
                raise MethodError(
                    f"{self!r} has a window or fill, and texts have neither: say masker=Words(fill='mask')."
                )
            return None
        if x.ndim == 2 and self.window is None:
            return Columns() if self.baseline in (None, "background") else Grid(1, self.stride, self.baseline)
        return Grid(self.window, self.stride, self.baseline)

    def attribute(self, game: Game, rng: np.random.Generator) -> Parts:
        p = game.players
        ends = game(np.array([[True] * p, [False] * p]))  # (n, 2)
        without = np.concatenate([game(_all_but(part, p)) for part in pieces(p, max(1, _CELLS // p))], axis=1)  # (n, p)
        return Parts(ends[:, :1] - without, base_values=ends[:, 1])


def _all_but(part: slice, p: int) -> np.ndarray:
    """Coalitions (m, p) that lack one player each, those of `part`."""
    z = np.ones((part.stop - part.start, p), dtype=bool)
    z[np.arange(len(z)), np.arange(part.start, part.stop)] = False
    return z
