"""Meaningful perturbation: the smallest smooth part of a picture whose loss, or whose keeping, decides the score.

Fong & Vedaldi, "Interpretable Explanations of Black Boxes by Meaningful Perturbation" (ICCV 2017), eq. 2 to 6: a mask m of few
nodes, linear in between, is learned by Adam so that the picture Phi(x; m) = m x + (1 - m) baseline, shifted by a few places
anew at every step, minimises

    deletion        area * mean |1 - m|  +  smooth * mean sum_axes |dm|^beta  +  score(Phi(x; m))
    preservation    area * mean |m|      +  smooth * mean sum_axes |dm|^beta  -  score(Phi(x; m))

Here the score is told in units of the drop from x to the baseline alone, (f(Phi) - f(baseline)) / |f(x) - f(baseline)|, so the
same numbers serve raw outputs and probabilities; `area` and `smooth` are the paper's 1e-4 and 1e-2 times its 28 x 28 nodes,
for sums are means here. The authors blur by the mask's own value and smooth the mask once more; this one mixes with the
baseline. The value of a place is 1 - m (deletion) or m (preservation): in [0, 1], no contribution and not additive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.baseline import BaselineLike, check_baseline, references
from pellucid.core.errors import MethodError
from pellucid.core.maskers import Size, sizes, space_of
from pellucid.core.method import Card, GradientMethod, Parts, check_positive
from pellucid.core.scalar import Differentiable


@dataclass(frozen=True)
class MeaningfulPerturbation(GradientMethod):
    """`steps` of Adam at `rate` on a mask of `cells` nodes along each side; `jitter` is the largest shift, as a share of a side.

    `baseline` is what deleted places show (of several, a step sees one after the other); None is the background, or zeros.
    `game`: hide the smallest part that brings the score down ("deletion"), or keep the smallest that holds it up. `area` is the
    price of a mask's size, `smooth` of its roughness, with differences to the power `beta`.
    """

    game: Literal["deletion", "preservation"] = "deletion"
    steps: int = 150
    rate: float = 0.1
    cells: Size = 28
    baseline: BaselineLike = "blur"
    area: float = 0.08
    smooth: float = 8.0
    beta: float = 3.0
    jitter: float = 0.02
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Which smallest part decides the score, when it is deleted or when it alone is kept?",
        scope="local",
        access="gradients",
        inputs=("image", "volume", "signal"),
        output="a mask over places between 0 and 1",
        cost="`steps` forward and backward rows, plus 4",
        strengths="one region instead of a cloud of cells; says what suffices, or what is needed",
        weaknesses="an optimum among many: it depends on the baseline, the penalties and the start; may find an adversarial part",
        paper="Fong & Vedaldi 2017",
        rows=100,
    )

    def __post_init__(self) -> None:
        check_positive(self, "steps", "rate", "beta")
        check_baseline(self.baseline)
        for name in ("area", "smooth", "jitter"):
            if not getattr(self, name) >= 0:
                raise MethodError(f"MeaningfulPerturbation({name}={getattr(self, name)!r}): expected 0 or more.")
        if not isinstance(self.steps, int):
            raise MethodError(f"MeaningfulPerturbation(steps={self.steps!r}): expected a whole number.")
        if min(np.atleast_1d(self.cells)) < 2:
            raise MethodError(
                f"MeaningfulPerturbation(cells={self.cells!r}): expected at least 2 nodes along each side."
            )
        if self.beta < 1:
            raise MethodError(f"MeaningfulPerturbation(beta={self.beta!r}): expected 1 or more.")
        if self.game not in ("deletion", "preservation"):
            raise MethodError(f"MeaningfulPerturbation(game={self.game!r}): choose 'deletion' or 'preservation'.")

    def attribute(
        self, f: Differentiable, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator
    ) -> Parts:
        if x.ndim == 2:
            raise MethodError(
                f"MeaningfulPerturbation is for inputs with space (pictures, volumes, signals); x has shape {x.shape}."
            )
        drawn = references(self.baseline, x, background, channels=f.channels, schema=f.schema)
        scene = _Scene.of(f, x, drawn, sizes(self.cells, space_of(x, f.channels), "cells"))
        start = np.full((len(x), *(weights.shape[1] for weights in scene.spread)), 0.5)
        mask = self._learn(scene, start, rng)
        before, after = self._loss(scene, start), self._loss(scene, mask)
        grown = _along(mask, scene.spread)
        values = 1 - grown if self.game == "deletion" else grown
        return Parts(values, warnings=scene.doubts(before, after), notes=(scene.told(values, before, after, mask),))

    def _learn(self, scene: _Scene, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Adam (Kingma & Ba 2015), clipped to [0, 1]; mask (n, *grid)"""
        first, second = np.zeros_like(mask), np.zeros_like(mask)
        reach = [int(self.jitter * side) for side in scene.space]
        for step in range(1, self.steps + 1):
            shift = [int(rng.integers(-r, r + 1)) for r in reach]
            slope = self._sign * scene.slope(mask, step % len(scene.drawn), shift) + self._pull(mask)
            first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
            move = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
            mask = np.clip(mask - self.rate * move, 0, 1)
        return mask

    @property
    def _sign(self) -> float:
        return 1.0 if self.game == "deletion" else -1.0

    def _pull(self, mask: np.ndarray) -> np.ndarray:
        """The derivative of the penalties by each node."""
        count = mask[0].size
        pull = np.full_like(mask, -self._sign * self.area / count)
        for axis in range(1, mask.ndim):
            change = np.diff(mask, axis=axis)
            steep = self.smooth * self.beta * np.abs(change) ** (self.beta - 1) * np.sign(change) / count
            pull -= np.diff(steep, axis=axis, prepend=0, append=0)
        return pull

    def _loss(self, scene: _Scene, mask: np.ndarray) -> np.ndarray:
        """(n,) without a shift"""
        rows = mask.reshape(len(mask), -1)
        kept = rows.mean(1)
        rough = sum(
            (np.abs(np.diff(mask, axis=a)) ** self.beta).reshape(len(mask), -1).sum(1) for a in range(1, mask.ndim)
        )
        area = 1 - kept if self.game == "deletion" else kept
        return np.asarray(
            self.area * area + self.smooth * rough / rows.shape[1] + self._sign * scene.score(mask), dtype=float
        )


@dataclass(frozen=True, eq=False)
class _Scene:
    """What the masks are laid over, and the score in units of the whole drop."""

    f: Differentiable
    x: np.ndarray  # (n, *features)
    drawn: np.ndarray  # (r, n, *features)
    spread: tuple[np.ndarray, ...]  # one (side, nodes) an axis
    low: np.ndarray  # (n,) the mean score of the references
    drop: np.ndarray  # (n,) |f(x) - low|, 1 where there is none
    flat: np.ndarray  # (n,) where there is none

    @classmethod
    def of(cls, f: Differentiable, x: np.ndarray, drawn: np.ndarray, cells: tuple[int, ...]) -> _Scene:
        space = space_of(x, f.channels)
        high, low = f(x), f(np.asarray(drawn)).mean(axis=0)
        flat = np.abs(high - low) <= 1e-6 * np.maximum(np.abs(high), np.abs(low))
        nodes = [min(count, side) for count, side in zip(cells, space, strict=True)]
        spread = tuple(_hats(side, count) for side, count in zip(space, nodes, strict=True))
        return cls(f, x, drawn, spread, low, np.where(flat, 1.0, np.abs(high - low)), flat)

    @property
    def space(self) -> tuple[int, ...]:
        return tuple(len(weights) for weights in self.spread)

    def slope(self, mask: np.ndarray, which: int, shift: list[int]) -> np.ndarray:
        """mask (n, *grid) -> the derivative of the score by each node"""
        x, reference = self._shifted(self.x, shift), self._shifted(self.drawn[which], shift)
        by_cell = self.f.grad(self._mixed(mask, x, reference)) * (x - reference)
        by_place = by_cell if self.f.channels is None else by_cell.sum(axis=self.f.channels)
        scaled = by_place / self.drop.reshape(-1, *[1] * len(self.space))
        return _along(scaled, tuple(weights.T for weights in self.spread))

    def score(self, mask: np.ndarray) -> np.ndarray:
        """(n,) what is left of the score: 1 for all of it, 0 for the references' own"""
        mixed = np.stack([self._mixed(mask, self.x, reference) for reference in self.drawn])
        return np.asarray((self.f(mixed).mean(axis=0) - self.low) / self.drop)

    def _mixed(self, mask: np.ndarray, x: np.ndarray, reference: np.ndarray) -> np.ndarray:
        grown = _along(mask, self.spread)
        grown = grown if self.f.channels is None else np.expand_dims(grown, self.f.channels)
        return np.asarray(reference + grown * (x - reference)).astype(x.dtype)

    def _shifted(self, x: np.ndarray, shift: list[int]) -> np.ndarray:
        """Moved by so many places along each side; what comes in repeats the edge."""
        axes = [axis for axis in range(1, x.ndim) if axis != self.f.channels]
        for axis, by, side in zip(axes, shift, self.space, strict=True):
            x = x if by == 0 else x.take(np.clip(np.arange(side) + by, 0, side - 1), axis=axis)
        return x

    def told(self, values: np.ndarray, before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> str:
        share, left = values.mean() * 100, self.score(mask).mean() * 100
        return (
            f"mean over {len(values)} rows: loss {before.mean():.3g} at the start, {after.mean():.3g} at the end; the part "
            f"found covers {share:.3g} % of the places; through the mask {left:.3g} % of the drop to the baseline is left"
        )

    def doubts(self, before: np.ndarray, after: np.ndarray) -> tuple[str, ...]:
        n, said = len(after), []
        if self.flat.any():
            said.append(
                f"the baseline scores like the data in {int(self.flat.sum())} of {n} rows, so no part can matter there"
            )
        risen = self.flat < (after >= before)
        if risen.any():
            said.append(f"the loss did not fall in {int(risen.sum())} of {n} rows: take more steps or a smaller rate")
        return tuple(said)


def _hats(side: int, nodes: int) -> np.ndarray:
    """(side, nodes): linear interpolation with the first and last node on the first and last place"""
    at = np.linspace(0, nodes - 1, side) if side > 1 else np.zeros(1)
    return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(nodes)))


def _along(values: np.ndarray, matrices: tuple[np.ndarray, ...]) -> np.ndarray:
    """values (n, *a) with the matrix (b, a) of each axis applied -> (n, *b)"""
    for axis, matrix in enumerate(matrices, start=1):
        values = np.moveaxis(np.tensordot(values, matrix, axes=(axis, 1)), -1, axis)
    return values
