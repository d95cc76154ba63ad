"""LIME: the slopes of a linear model that is fitted to the model's answers near one row.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), eq. 1 and 2. For neighbours z_s of a row x, told to the
surrogate as z'_s (`lime_neighbours.py`: numbers in standard deviations from x, levels as 1 where x's own is kept),

    minimise over b0, b   sum_s pi_s (f(z_s) - b0 - z'_s . b)^2 + penalty * |b|^2,    pi_s = exp(-D_s^2 / (2 kernel_width^2))

with D_s the Euclidean distance of z'_s from x's own z'. This kernel is the lime package's, which takes the square root
of exp(-D^2 / width^2); with the paper's exp(-D^2 / s^2), the same weights come from kernel_width = s / sqrt(2).

The values are b: how the score moves per standard deviation of a number, and by keeping a level rather than taking
another one. They are slopes and not contributions, and b0 + sum(b) is not the score: hence no base value. `fit` is the
weighted R2 of the surrogate: low means that no linear model describes this neighbourhood. The neighbours' noise is the
same for all rows, so errors of different rows are correlated; `stderr` is that of each single value.

Where parts of the input are hidden (pictures, texts, or with masker=), the neighbours are 0/1 masks:
`lime_masks.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.budget import Budget
from pellucid.core.errors import MethodError
from pellucid.core.masking import Game
from pellucid.core.method import Card, Neighbourhood, Parts, SurrogateMethod, check_positive
from pellucid.core.scalar import Scalar
from pellucid.core.schema import Schema
from pellucid.methods.removal.lime_fit import (
    Surrogate,
    cosine_distance,
    doubts,
    euclidean_distance,
    proximity,
    weighted_ridge,
)
from pellucid.methods.removal.lime_masks import WIDTH, by_masks
from pellucid.methods.removal.lime_neighbours import Around

_CELLS = 2**22  # numbers of neighbours held at once, whatever the number of samples
_ROUND = 256  # neighbours a row between two looks at the budget


@dataclass(frozen=True, eq=False)
class Neighbours:
    """m neighbours of each of n rows: what the model is asked, what the surrogate is told, how much each one counts."""

    points: np.ndarray  # (m, n, p)
    features: np.ndarray  # (m, n, p)
    weights: np.ndarray  # (m, n)


@dataclass(frozen=True)
class LIME(SurrogateMethod):
    """`samples` neighbours a row; `kernel_width` None is 0.75 sqrt(p) on a table and 0.25 on masks; `penalty` is the ridge's,
    on the slopes alone.
    """

    samples: int = 5000
    kernel_width: float | None = None
    penalty: float = 1.0
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Which features does a linear model of the neighbourhood rely on?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal"),
        output="a slope per column (per standard deviation of a number, or for keeping a level) or per shown part",
        cost="`samples` rows",
        strengths="needs only answers; says how well it fits and how far it can be trusted",
        weaknesses="the answer depends on the kernel's width; neighbours ignore that columns go together; not additive",
        paper="Ribeiro, Singh & Guestrin 2016",
        sampled=True,
    )

    def __post_init__(self) -> None:
        if not isinstance(self.samples, int):
            raise MethodError(f"LIME(samples={self.samples!r}): expected a whole number.")
        check_positive(self, "samples", *(["kernel_width"] if self.kernel_width is not None else []))
        if self.penalty != 0:
            check_positive(self, "penalty")

    def neighbours(self, x: np.ndarray, neighbourhood: Neighbourhood, rng: np.random.Generator) -> Neighbours:
        """All neighbours of rows x (n, p): what `attribute` asks and fits when it is handed the same `rng`."""
        around = Around.of(x, neighbourhood)
        noise = rng.standard_normal((self.samples, x.shape[1]))
        told = [around.features(row, noise) for row in range(len(x))]
        weights = [self._weights(around, row, features) for row, features in enumerate(told)]
        return Neighbours(around.points(noise), np.stack(told, axis=1), np.stack(weights, axis=1))

    def attribute(self, f: Scalar, x: np.ndarray, neighbourhood: Neighbourhood, rng: np.random.Generator) -> Parts:
        around = Around.of(x, neighbourhood)
        noise, y = self._ask(f, around, rng)
        values, stderr, fit = np.empty(x.shape), np.empty(x.shape), np.empty(len(x))
        effective = np.inf
        for rows in around.alike():
            surrogate = self._fit(around, int(rows[0]), noise, y[:, rows])
            values[rows], stderr[rows], fit[rows] = surrogate.coefficients, surrogate.stderr, surrogate.r2
            effective = min(effective, surrogate.effective)
        doubts = _doubts(neighbourhood.schema, stderr, fit, y, effective)
        if len(y) < self.samples:
            doubts = (*doubts, f"only {len(y):,} of {self.samples:,} neighbours a row were asked")
        return Parts(values, stderr=stderr, fit=fit, warnings=doubts)

    def play(self, game: Game, rng: np.random.Generator) -> Parts:
        return by_masks(game, rng, self.samples, self._fit_masks)

    def _fit_masks(self, z: np.ndarray, y: np.ndarray) -> Surrogate:
        """Masks z (m, p), scores y (m, n)"""
        return weighted_ridge(z, proximity(cosine_distance(z), self.kernel_width or WIDTH), y, self.penalty)

    def _ask(self, f: Scalar, around: Around, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Noise (m, p) and the model's answers (m, n), in rounds until `samples`, or until the budget is spent."""
        p = around.x.shape[1]
        least = p + 2  # fewer points than that determine no slope and no error
        if self.samples < least:
            raise MethodError(f"LIME(samples={self.samples}) is too few for {p} columns: at least {least}.")
        noise, y, drawn = [], [], 0
        while size := min(self.samples - drawn, max(least - drawn, self._affordable(f, around.x))):
            noise.append(rng.standard_normal((size, p)))
            y.append(f(around.points(noise[-1])))
            drawn += size
        return np.concatenate(noise), np.concatenate(y)

    def _affordable(self, f: Scalar, x: np.ndarray) -> int:
        """Neighbours a row in the next round: what memory holds, and what the budget still pays for."""
        size = max(1, _CELLS // x.size)
        if f.meter.budget == Budget():
            return size
        return 0 if f.meter.spent else int(min(size, _ROUND, f.meter.rows_left() // len(x)))

    def _fit(self, around: Around, row: int, noise: np.ndarray, y: np.ndarray) -> Surrogate:
        """One design for y (m, k) of the rows that share it."""
        features = around.features(row, noise)
        return weighted_ridge(features, self._weights(around, row, features), y, self.penalty)

    def _weights(self, around: Around, row: int, features: np.ndarray) -> np.ndarray:
        width = self.kernel_width or 0.75 * np.sqrt(features.shape[1])
        return proximity(euclidean_distance(features, around.at(row)), width)


def _doubts(
    schema: Schema | None, stderr: np.ndarray, fit: np.ndarray, y: np.ndarray, effective: float
) -> tuple[str, ...]:
    """What a reader must know before believing these values; stderr (n, p), fit (n,), y (m, n)."""
    found, p = [], stderr.shape[1]
    unknown = np.flatnonzero(np.isnan(stderr).any(axis=0))
    if len(unknown):
        names = [str(j) if schema is None else repr(schema.names[j]) for j in unknown[:5]]
        found.append(
            f"{len(unknown)} of {p} columns ({', '.join(names)}{', ...' * (len(unknown) > 5)}) did not vary among the "
            "neighbours of some rows, for want of other values in the background: their 0 is no finding"
        )
    return (*found, *doubts(fit, y, effective, p, "columns"))
