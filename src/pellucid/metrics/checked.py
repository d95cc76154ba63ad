"""The judges judged: on models whose true importance is known, does a metric put the truth above a corrupted copy of it?

Each draw makes a model anew, with rows and their true contributions, corrupts these in one of five ways, and asks the metric
about both. `rates` counts how often the truth comes out better. A metric that cannot tell one sort of corruption from the truth
names it on its card (`blind`); everything else it has to win in 95 % of draws. The same functions check a metric of your own:

    rates(MyMetric(), "linear")     ->     {"swapped": 1.0, "noise": 0.97, ...}

"swapped" deals the right values out to the wrong places of each row, "noise" adds twice their spread, "flipped" turns all signs,
"another row's" is the truth about the next row, "invented" knows nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.records import Attribution
from pellucid.metrics.base import Metric
from pellucid.metrics.run import evaluate

ROWS, COLUMNS, SIDE = 8, 9, 10
Values = np.ndarray  # (n, ...)


@dataclass(frozen=True, eq=False)
class Scene:
    """One draw: a model, rows, and what truly matters in them."""

    model: Callable[[np.ndarray], np.ndarray]
    x: np.ndarray  # (n, *features)
    truth: Values  # contributions, or, of pictures, where what decides is
    background: np.ndarray | None = None
    base: float | np.ndarray | None = None  # the score that the contributions start from


def linear(rng: np.random.Generator) -> Scene:
    """f = w . x, beside one background row."""
    w, (x, b) = rng.normal(size=COLUMNS), _rows(rng)
    return Scene(lambda z: z @ w, x, w * (x - b), b, float((b @ w)[0]))


def additive(rng: np.random.Generator) -> Scene:
    """f = sum of sin(a_j x_j) + c_j x_j^2, beside one background row."""
    (a, c), (x, b) = rng.normal(size=(2, COLUMNS)), _rows(rng)

    def parts(z: np.ndarray) -> np.ndarray:
        return np.asarray(np.sin(a * z) + c * z**2)

    return Scene(lambda z: parts(z).sum(axis=1), x, parts(x) - parts(b), b, float(parts(b).sum()))


def rule(rng: np.random.Generator) -> Scene:
    """1 where columns a and b are both large, or c and d: half of the rows fulfil the one, half the other.

    The truth is Shapley values against 50 background rows, over the orders of the four columns that matter.
    """
    four, at = rng.choice(COLUMNS, 4, replace=False), rng.uniform(0.4, 0.6, 4)
    x, b = rng.normal(size=(ROWS, COLUMNS)), rng.normal(size=(50, COLUMNS))
    large = np.where(np.arange(ROWS)[:, None] % 2 == 0, [1, 1, -1, -1], [-1, -1, 1, 1])
    x[:, four] = at + large * rng.uniform(0.1, 1, (ROWS, 4))

    def model(z: np.ndarray) -> np.ndarray:
        passed = z[..., four] > at
        return np.asarray((passed[..., 0] & passed[..., 1]) | (passed[..., 2] & passed[..., 3]), dtype=float)

    truth = np.zeros_like(x)
    for order in itertools.permutations(range(4)):
        now = np.repeat(b[:, None], ROWS, axis=1)  # (background, n, p)
        for j in order:
            before = model(now).mean(axis=0)
            now[:, :, four[j]] = x[:, four[j]]
            truth[:, four[j]] += (model(now).mean(axis=0) - before) / 24
    return Scene(model, x, truth, b, float(model(b).mean()))


def patch(rng: np.random.Generator) -> Scene:
    """How well the best place of a picture fits a chequered patch, which lies somewhere on a smooth ground."""
    side, tile = 4, np.indices((4, 4)).sum(axis=0) % 2
    x, mask = _ground(rng), np.zeros((ROWS, SIDE, SIDE))
    for row, (top, left) in enumerate(rng.integers(0, SIDE - side + 1, (ROWS, 2))):
        mask[row, top : top + side, left : left + side] = 1
        x[row, top : top + side, left : left + side] = tile

    def model(z: np.ndarray) -> np.ndarray:
        seen = np.lib.stride_tricks.sliding_window_view(z, (side, side), axis=(1, 2))
        return np.asarray(1 - np.abs(seen - tile).mean(axis=(3, 4)).min(axis=(1, 2)))

    return Scene(model, x, mask)


def edges(rng: np.random.Generator) -> Scene:
    """How bright an object of a third of the picture is, for a model that every hard edge in the picture shakes.

    So do specks of a fill, wherever they are: what was never seen in training lowers the score (out of distribution).
    """
    side, mask = 6, np.zeros((ROWS, SIDE, SIDE))
    for row, (top, left) in enumerate(rng.integers(0, SIDE - side + 1, (ROWS, 2))):
        mask[row, top : top + side, left : left + side] = 1
    x = _ground(rng) + 0.4 * mask

    return Scene(lambda z: _bright(z) * np.exp(-8 * _roughness(z)), x, mask)


def _bright(z: np.ndarray) -> np.ndarray:
    """(b, h, w) -> (b,) the mean of the brightest 6 x 6 places that lie together"""
    return np.asarray(
        np.lib.stride_tricks.sliding_window_view(z, (6, 6), axis=(1, 2)).mean(axis=(3, 4)).max(axis=(1, 2))
    )


def _roughness(z: np.ndarray) -> np.ndarray:
    """(b, h, w) -> (b,) the mean square of steps between neighbours"""
    return np.asarray((np.diff(z, axis=1) ** 2).mean(axis=(1, 2)) + (np.diff(z, axis=2) ** 2).mean(axis=(1, 2)))


def _rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=(ROWS, COLUMNS)), rng.normal(size=(1, COLUMNS))


def _ground(rng: np.random.Generator) -> np.ndarray:
    """(n, side, side) smooth pictures between 0.3 and 0.5"""
    steps = np.linspace(0, 1, SIDE)
    slope = rng.uniform(-0.1, 0.1, (2, ROWS, 1, 1))
    return np.asarray(0.4 + slope[0] * (steps[:, None] - 0.5) + slope[1] * (steps - 0.5))


WORLDS: dict[str, Callable[[np.random.Generator], Scene]] = {
    "linear": linear,
    "additive": additive,
    "rule": rule,
    "patch": patch,
    "edges": edges,
}


def swapped(values: Values, rng: np.random.Generator) -> Values:
    """The right values at the wrong places."""
    return rng.permuted(values.reshape(len(values), -1), axis=1).reshape(values.shape)


def noise(values: Values, rng: np.random.Generator) -> Values:
    """The truth under noise of twice its spread."""
    return values + 2 * values.std() * rng.normal(size=values.shape)


def flipped(values: Values, rng: np.random.Generator) -> Values:
    """All signs turned."""
    return -values


def another_rows(values: Values, rng: np.random.Generator) -> Values:
    """The truth about the next row."""
    return np.roll(values, 1, axis=0)


def invented(values: Values, rng: np.random.Generator) -> Values:
    """Noise that knows nothing."""
    return values.std() * rng.normal(size=values.shape)


CORRUPTIONS: dict[str, Callable[[Values, np.random.Generator], Values]] = {
    "swapped": swapped,
    "noise": noise,
    "flipped": flipped,
    "another row's": another_rows,
    "invented": invented,
}


def rates(
    metric: Metric,
    world: str,
    draws: int = 20,
    told: Callable[[Scene], dict[str, Any]] = lambda scene: {},
) -> dict[str, float]:
    """For each corruption, the share of draws in which the metric puts the truth above it; `told`: more for `evaluate`."""
    won = dict.fromkeys(CORRUPTIONS, 0)
    for draw in range(draws):
        rng = np.random.default_rng((draw, 7))
        scene = WORLDS[world](rng)
        best = quality(metric, scene, scene.truth, told(scene))
        for name, corrupt in CORRUPTIONS.items():
            worse = quality(metric, scene, corrupt(scene.truth, rng), told(scene))
            won[name] += best - worse > 1e-9 * max(abs(best), abs(worse), 1)  # equal to rounding is not told apart
    return {name: count / draws for name, count in won.items()}


def quality(metric: Metric, scene: Scene, values: Values, told: dict[str, Any]) -> float:
    """What a metric says of values, larger = better."""
    record = Attribution.from_arrays(values, data=scene.x, target=None, base_values=scene.base)
    card = evaluate(scene.model, record, metric, background=scene.background, **told)
    mean = card.lines[0].mean
    return {"higher": mean, "lower": -mean, "closer to 0": -abs(mean)}[metric.card.direction]
