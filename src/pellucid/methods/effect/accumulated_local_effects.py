"""Accumulated local effects: how the score moves with a column where the rows really are.

Apley & Zhu, "Visualizing the effects of predictor variables in black box supervised learning models" (JRSS B 2020). The rows
whose value lies in bin k, between the edges z_{k-1} and z_k, are moved to both edges and nowhere else:

    local(k) = mean over rows in bin k of  f(z_k, x_C) - f(z_{k-1}, x_C)        ALE(z_k) = sum of local(1..k) - constant

so that no row gets a value that is far from its own, and what goes together with the column is not counted as its effect. The
mean over the data is 0. Two columns give the surface of what they do together beyond their own two curves (second
order). Levels without an order are first put next to those they resemble (`level_order.py`). A bin that holds no rows moves
nothing.

The dalex package takes every step from all rows, weighted by a Gaussian around the grid point whose width is a quarter of the
column's range, and puts the curve's mean over the grid at the mean prediction: up to a constant the same curve where a step is
the same for all rows, a flatter one where the steps differ along the column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Card
from pellucid.methods.effect.accumulated import bin_means, curve, filled, stderr, surface
from pellucid.methods.effect.base import EffectMethod, Found, Responses
from pellucid.methods.effect.grid import Axis, Variable, spaced_axis
from pellucid.methods.effect.level_order import by_likeness


@dataclass(frozen=True)
class AccumulatedLocalEffects(EffectMethod):
    """Numbers are cut into at most `bins` bins that hold about as many rows each; levels stand for themselves."""

    bins: int = 20

    card: ClassVar[Card] = Card(
        question="How does the score move with this column, among rows that exist?",
        scope="global",
        access="black box",
        inputs=("table",),
        output="a curve along a grid with its standard error, 0 on average; for two columns, their joint surface",
        cost="2 rows, whatever the number of bins; 4 for a surface",
        strengths="right where columns go together; cheap",
        weaknesses="far ends of the curve are comparable only along the data in between; no curves of single rows",
        paper="Apley & Zhu 2020",
        rows=1,
        verb="effect",
    )

    def __post_init__(self) -> None:
        if not isinstance(self.bins, int) or isinstance(self.bins, bool) or self.bins < 1:
            raise MethodError(f"{self!r}: bins is a whole number, at least 1.")

    def axis(self, variable: Variable) -> Axis:
        if variable.nominal:
            return spaced_axis(variable, len(variable.x), "quantile", (0, 1))
        if len(np.unique(variable.known)) < 2:
            return spaced_axis(variable, 2, "quantile", (0, 1))  # raises
        shares = np.linspace(0, 1, self.bins + 1)
        return variable.axis(np.unique(np.quantile(variable.known, shares, method="inverted_cdf")).astype(float))

    def measure(self, responses: Responses, axes: tuple[Axis, ...]) -> Found:
        if any(len(axis.codes) < 2 for axis in axes):
            raise InputError(
                "accumulated local effects go from one grid point to the next: give a grid of at least two."
            )
        if len(axes) == 2:
            return _two(responses, *axes)
        (axis,) = axes
        return _levels(responses, axis) if axis.values.dtype == object else _numbers(responses, axis)


def _numbers(responses: Responses, axis: Axis) -> Found:
    place, rows = _bins(axis, responses.x)
    edges = np.stack([axis.codes[place], axis.codes[place + 1]])  # (2, n)
    below, above = responses.moved((axis.place,), edges[..., None]).T
    return _accumulate((above - below)[rows], place[rows], len(axis.codes) - 1, np.arange(len(axis.codes)))


def _levels(responses: Responses, axis: Axis) -> Found:
    """Every row is moved to the levels beside its own: both neighbours' rows speak of the step between them."""
    code = responses.x[:, axis.place]
    order, rank, rows = _ranked(responses, axis)
    sides = np.clip(np.stack([rank - 1, rank + 1]), 0, len(order) - 1)
    moved = responses.moved(
        (axis.place,), np.stack([axis.codes[order][sides[0]], axis.codes[order][sides[1]], code])[..., None]
    )
    down, up, own = moved.T
    lower, upper = rows & (rank > 0), rows & (rank < len(order) - 1)
    effects = np.concatenate([(own - down)[lower], (up - own)[upper]])
    steps = np.concatenate([rank[lower] - 1, rank[upper]])
    found = _accumulate(effects, steps, len(order) - 1, order, np.bincount(rank[rows], minlength=len(order)))
    said = () if axis.ordered else (f"levels of {axis.name!r} were gone through in the order of their likeness",)
    return Found(found.mean, found.variance, found.stderr, warnings=said)


def _ranked(responses: Responses, axis: Axis) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The order of the levels (g,), each row's rank in it (n,), and which rows have a level of the grid."""
    same = responses.x[:, [axis.place]] == axis.codes
    rows, place = same.any(axis=1), same.argmax(axis=1)
    if axis.ordered:
        order = np.argsort(axis.codes)
    else:
        others = np.delete(responses.x, axis.place, axis=1)[rows]
        order = by_likeness(place[rows], len(axis.codes), others, np.delete(responses.coded, axis.place))
    return order, np.argsort(order)[place], rows


def _accumulate(
    effects: np.ndarray, place: np.ndarray, steps: int, order: np.ndarray, weights: np.ndarray | None = None
) -> Found:
    """Local effects and their steps -> curve at the edges, back in the order of the grid.

    `weights` (edges,) centre the curve where rows lie on the edges themselves (levels), and not in between.
    """
    mean, variance, count = bin_means(effects, place, steps)
    mean, variance = np.nan_to_num(mean), np.nan_to_num(variance)  # a bin without rows moves nothing

    def linear(means: np.ndarray) -> np.ndarray:
        made = curve(means, np.maximum(count, 0))
        return made if weights is None else made - (made @ weights / weights.sum())[..., None]

    back = np.argsort(order)
    heterogeneity = np.concatenate([variance[:1], variance])
    return Found(linear(mean)[back], heterogeneity[back], stderr(linear, variance, count)[back])


def _bins(axis: Axis, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bin of each row (n,), and which rows lie within the edges."""
    values = x[:, axis.place].astype(float)
    if (np.diff(axis.codes) <= 0).any():
        raise InputError(f"the grid of column {axis.name!r} must rise from point to point: its gaps are the bins.")
    inside = (values >= axis.codes[0]) & (values <= axis.codes[-1])
    if not inside.any():
        raise InputError(
            f"no row of column {axis.name!r} lies within the grid {axis.codes[0]:g} to {axis.codes[-1]:g}."
        )
    place = np.searchsorted(axis.codes, values, side="left") - 1
    return np.clip(place, 0, len(axis.codes) - 2), inside


def _two(responses: Responses, first: Axis, second: Axis) -> Found:
    for axis in (first, second):
        if axis.values.dtype == object:
            raise MethodError(
                f"column {axis.name!r} holds levels: surfaces of accumulated local effects are for two columns of numbers; "
                "use PartialDependence()."
            )
    (row, inside), (column, within) = _bins(first, responses.x), _bins(second, responses.x)
    corners = [np.stack([first.codes[row + a], second.codes[column + b]], axis=-1) for a in (0, 1) for b in (0, 1)]
    low, right, up, both = responses.moved((first.place, second.place), np.stack(corners)).T
    rows, shape = inside & within, (len(first.codes) - 1, len(second.codes) - 1)
    cell = np.ravel_multi_index((row[rows], column[rows]), shape)
    mean, variance, count = (
        part.reshape(shape) for part in bin_means((both - up - right + low)[rows], cell, int(np.prod(shape)))
    )
    made = surface(filled(mean), count)
    error = stderr(lambda means: surface(means, count), np.nan_to_num(variance), count)
    padded = np.pad(filled(variance), ((1, 0), (1, 0)), mode="edge")
    empty = (count == 0).mean()
    said = (f"{empty:.0%} of the cells hold no rows and took their neighbours' effect",) if empty > 0.05 else ()
    return Found(made.ravel(), padded.ravel(), error.ravel(), warnings=said)
