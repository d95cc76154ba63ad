"""Partial dependence and individual conditional expectation: the score as one column (or two) goes along a grid.

Friedman, "Greedy Function Approximation" (2001), section 8.2; Goldstein, Kapelner, Bleich & Pitkin, "Peeking Inside the
Black Box" (2015). For row i, with its other columns x_C(i) as they are,

    ICE_i(v) = f(v, x_C(i))        PD(v) = 1/n sum_i ICE_i(v)        Var(v) = 1/n sum_i (ICE_i(v) - PD(v))^2

PD is the mean of all rows' curves. `variance` tells how far rows differ; part of it is a mere offset between rows, which
`Effect.centred()` takes away: curves that are parallel then fall together, and what is left is interaction. Every row is put
at every grid point, whether such a row could exist or not: where columns go together, `AccumulatedLocalEffects` stays on
the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pellucid.core.effect import summary
from pellucid.core.errors import MethodError
from pellucid.core.method import Card
from pellucid.methods.effect.base import EffectMethod, Found, Responses, points_of
from pellucid.methods.effect.grid import Axis, Spacing, Variable, spaced_axis


@dataclass(frozen=True)
class PartialDependence(EffectMethod):
    """Grids of at most `points` values with `spacing` "uniform" or "quantile" within the quantiles `span`; levels are all taken."""

    points: int = 50
    spacing: Spacing = "uniform"
    span: tuple[float, float] = (0.05, 0.95)

    everywhere: ClassVar[bool] = True
    card: ClassVar[Card] = Card(
        question="How does the score move as this column changes and all others stay?",
        scope="global",
        access="black box",
        inputs=("table",),
        output="a curve per row, their mean and variance, along a grid; a surface for two columns",
        cost="`points` rows (squared for a surface)",
        strengths="plain to read; shows single rows, so interactions are not averaged away",
        weaknesses="sets columns to values that may not go with the others: says so, with the share of such points",
        paper="Friedman 2001; Goldstein et al. 2015",
        rows=10,
        verb="effect",
    )

    def __post_init__(self) -> None:
        check_grid(self, self.points)
        low, high = self.span
        if self.spacing not in ("uniform", "quantile") or not 0 <= low < high <= 1:
            raise MethodError(
                f"{self!r}: spacing is 'uniform' or 'quantile', and span two quantiles 0 <= low < high <= 1."
            )

    def axis(self, variable: Variable) -> Axis:
        return spaced_axis(variable, self.points, self.spacing, self.span)

    def measure(self, responses: Responses, axes: tuple[Axis, ...]) -> Found:
        curves = responses(tuple(axis.place for axis in axes), points_of(axes))
        return Found(*summary(curves), curves=curves)


def check_grid(method: object, points: int) -> None:
    """Refuse a grid without a step, when the method is made."""
    if not isinstance(points, int) or isinstance(points, bool) or points < 2:
        raise MethodError(f"{method!r}: a grid has a whole number of points, at least 2.")
