"""LIME: the slopes of a linear model that is fitted to the model's answers near one row.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), eq. 1 and 2. For neighbours z_s of a row x, told to the
surrogate as z'_s (`lime_neighbours.py`: numbers in standard deviations from x, levels and bins as 1 where x's own),

    minimise over b0, b   sum_s pi_s (f(z_s) - b0 - z'_s . b)^2 + penalty * |b|^2,    pi_s = exp(-D_s^2 / (2 kernel_width^2))

with D_s the distance of z'_s from x's own z' (`lime_kernel.py`). This kernel is the lime package's, which takes the square
root of exp(-D^2 / width^2); with the paper's exp(-D^2 / s^2), the same weights come from kernel_width = s / sqrt(2).

The values are b: how the score moves per standard deviation of a number, and by keeping a level or a bin rather than
taking another one. They are slopes and not contributions, and b0 + sum(b) is not the score: hence no base value. `fit` is
the weighted R2 of the surrogate: low means that no linear model describes this neighbourhood. The neighbours' noise is the
same for all rows, so errors of different rows are correlated; `stderr` is that of each single value, given the features
that were selected.

With a masker, or on inputs that are no table, players come and go instead (`lime_masks.py`): z' is then the 0/1 mask, and a
value is what the surrogate gains by a player's presence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.budget import Budget
from pellucid.core.errors import InputError, MethodError, ModelError
from pellucid.core.masking import Game
from pellucid.core.method import Card, Neighbourhood, Parts, SurrogateMethod, check_positive
from pellucid.core.scalar import Scalar
from pellucid.methods.removal.lime_kernel import Distance
from pellucid.methods.removal.lime_local import Local, Loss
from pellucid.methods.removal.lime_masks import by_masks
from pellucid.methods.removal.lime_neighbours import Around, Sampling, check_sampling
from pellucid.methods.removal.lime_select import Selection
from pellucid.methods.removal.lime_stop import Found, goals

_CELLS = 2**20  # numbers of neighbours held at once, whatever the number of samples
_ROUND = 256  # neighbours a row between two looks at the budget


@dataclass(frozen=True, eq=False)
class Neighbours:
    """m neighbours of each of n rows: what the model is asked, what the surrogate is told, how much each one counts."""

    points: np.ndarray  # (m, n, p)
    features: np.ndarray  # (m, n, p)
    weights: np.ndarray  # (m, n)


@dataclass(frozen=True)
class LIME(SurrogateMethod):
    """`samples` neighbours a row, fewer where its largest standard error is at most `tolerance`, in the unit of the score.

    `sampling` "around" the row or from the "training" data's own spread; `bins` (4: quartiles) tells numbers by their bin
    rather than their value; `distance` None is Euclidean on a table and the cosine on masks, `kernel_width` None follows it
    (0.75 sqrt(p) and 0.25); `loss` "logistic" follows
    log-odds of probabilities; `selection` keeps a few features; `penalty` is the ridge's, on the slopes alone.
    Coverage of error bars is claimed at fixed samples.
    """

    samples: int = 5000
    sampling: Sampling = "around"
    bins: int | None = None
    kernel_width: float | None = None
    distance: Distance | None = None
    loss: Loss = "squared"
    selection: Selection | None = None
    penalty: float = 1.0
    tolerance: float | None = None
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Which features does a linear model of the neighbourhood rely on?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a slope per column (per standard deviation of a number, or for keeping a level) or per shown part",
        cost="`samples` rows",
        strengths="needs only answers; says how well it fits and how far it can be trusted",
        weaknesses="the answer depends on the kernel's width; neighbours ignore that columns go together; not additive",
        paper="Ribeiro, Singh & Guestrin 2016",
        rows=1000,
        sampled=True,
    )

    def __post_init__(self) -> None:
        for name in ("samples", "bins"):
            value = getattr(self, name)
            if not isinstance(value, int) and not (name == "bins" and value is None):
                raise MethodError(f"LIME({name}={value!r}): expected a whole number.")
        check_positive(self, "samples", *(n for n in ("kernel_width", "tolerance") if getattr(self, n) is not None))
        if self.penalty != 0:
            check_positive(self, "penalty")
        check_sampling(self.sampling, self.bins)
        self._local("euclidean")

    def _local(self, distance: Distance) -> Local:
        """How the surrogate is made of samples, with this distance where the caller names none."""
        return Local(self.kernel_width, self.distance or distance, self.loss, self.selection, self.penalty)

    def neighbours(self, x: np.ndarray, neighbourhood: Neighbourhood, rng: np.random.Generator) -> Neighbours:
        """All neighbours of rows x (n, p): what `attribute` asks and fits when it is handed the same `rng`."""
        around = self._around(x, neighbourhood)
        noise = rng.standard_normal((self.samples, x.shape[1]))
        seen = around.seen(noise)
        told = [around.features(row, seen) for row in range(len(x))]
        weights = [self._weights(around, row, features) for row, features in enumerate(told)]
        return Neighbours(around.points(noise), np.stack(told, axis=1), np.stack(weights, axis=1))

    def play(self, game: Game, rng: np.random.Generator) -> Parts:
        return by_masks(game, rng, self.samples, self._local("cosine"), self.tolerance)

    def attribute(self, f: Scalar, x: np.ndarray, neighbourhood: Neighbourhood, rng: np.random.Generator) -> Parts:
        if self.distance == "shapley":
            raise MethodError("LIME(distance='shapley') weighs 0/1 masks: give a masker, for example masker=Columns().")
        around, (n, p) = self._around(x, neighbourhood), x.shape
        least = p + 2  # fewer points than that determine no slope and no error
        if self.samples < least:
            raise MethodError(f"LIME(samples={self.samples}) is too few for {p} columns: at least {least}.")
        found, noise, y = Found.nothing(n, p), np.empty((0, p)), np.empty((0, n))
        for goal in goals(self.samples, least, self.tolerance):
            noise, y = self._ask(f, around, rng, goal, (noise, y))
            now = self._fit(around, noise, y)
            found = now if self.tolerance is None else found.refined(now, self.tolerance)
            if len(y) < goal or (self.tolerance is not None and found.reached(self.tolerance).all()):
                break
        stopped = self.tolerance is not None and found.reached(self.tolerance).all()
        unknown = around.still if self.selection else np.isnan(found.stderr)
        doubts = _unmoved(np.any(unknown, axis=0), neighbourhood) + found.doubts(
            y, len(y) if stopped else self.samples, "columns"
        )
        return found.parts(self.tolerance, None, tuple(doubts))

    def _around(self, x: np.ndarray, neighbourhood: Neighbourhood) -> Around:
        return Around.of(x, neighbourhood, self.sampling == "training", self.bins)

    def _ask(
        self, f: Scalar, around: Around, rng: np.random.Generator, goal: int, had: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Noise (m, p) and answers (m, n), of which some are `had`: in rounds up to m = goal, or until the budget is spent."""
        noise, y = [had[0]], [had[1]]
        drawn, p = len(had[1]), around.x.shape[1]
        while size := min(goal - drawn, max(p + 2 - drawn, self._affordable(f, around.x))):
            noise.append(rng.standard_normal((size, p)))
            y.append(_answers(f, around.points(noise[-1])))
            drawn += size
        return np.concatenate(noise), np.concatenate(y)

    def _affordable(self, f: Scalar, x: np.ndarray) -> int:
        """Neighbours a row in the next round: what memory holds, and what the budget still pays for."""
        size = max(1, _CELLS // x.size)
        if f.meter.budget == Budget():
            return size
        return 0 if f.meter.spent else int(min(size, _ROUND, f.meter.rows_left() // len(x)))

    def _fit(self, around: Around, noise: np.ndarray, y: np.ndarray) -> Found:
        """noise (m, p), answers (m, n); one design for the rows that share it"""
        found, seen = Found.nothing(*around.x.shape), around.seen(noise)
        for rows in around.alike():
            features = around.features(int(rows[0]), seen)
            weights = self._weights(around, int(rows[0]), features)
            found.placed(rows, Found.of(self._local("euclidean").fit(features, weights, y[:, rows])))
        return found

    def _weights(self, around: Around, row: int, features: np.ndarray) -> np.ndarray:
        away = around.origin(row) if self.distance == "cosine" else np.zeros(features.shape[1])
        return self._local("euclidean").weigh(features + away, around.at(row) + away)


def _answers(f: Scalar, points: np.ndarray) -> np.ndarray:
    """points (m, n, p) -> (m, n); a model that fails on a neighbour fails on a row that nobody gave"""
    try:
        return f(points)
    except (ModelError, InputError) as error:
        raise type(error)(
            f"{error} The model was asked about neighbours that LIME made by changing columns of x on their own, and "
            "answers for x itself: give background rows from the range that it knows, "
            "or wrap it in a function that answers for any mix of columns."
        ) from error


def _unmoved(unknown: np.ndarray, neighbourhood: Neighbourhood) -> list[str]:
    """(p,) columns whose 0 is no finding, in a sentence"""
    schema, places = neighbourhood.schema, np.flatnonzero(unknown)
    if not len(places):
        return []
    names = [str(j) if schema is None else repr(schema.names[j]) for j in places[:5]]
    return [
        f"{len(places)} of {len(unknown)} columns ({', '.join(names)}{', ...' * (len(places) > 5)}) did not vary among the "
        "neighbours of some rows, for want of other values in the background: their 0 is no finding"
    ]
