"""The engine of `effect`: coerce, choose the grid, vary the columns, account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.effect import Effect
from pellucid.core.errors import InputError, PellucidError, TargetError
from pellucid.core.maskers import column_names
from pellucid.core.scalar import pieces
from pellucid.core.target import Class, Margin, Target
from pellucid.methods.effect.base import EffectMethod
from pellucid.methods.effect.copies import by_column, copies
from pellucid.methods.effect.grid import Axis, Variable, given_axis, nearest
from pellucid.methods.effect.off_data import off_data
from pellucid.methods.effect.partial_dependence import PartialDependence
from pellucid.models.adapter import BlackBox
from pellucid.models.prepare import Prepared, prepare
from pellucid.models.tabular import EstimatorAdapter

_CELLS = 2**19  # numbers of varied rows held at once: what the processor's cache holds
_POINTS = 50  # of a usual grid
_MANY = 50_000  # varied rows from which walking the trees pays for compiling the walk


def effect(
    model: Any,
    X: Any,
    feature: str | int | Sequence[str | int],
    method: EffectMethod | str | None = None,
    *,
    target: Any = None,
    grid: Any = None,
) -> Effect:
    """See `pellucid.api.effect`."""
    chosen, ready, meter = as_effect_method(method), prepare(model, X), Meter()
    variables = _variables(ready, feature)
    axes = _axes(chosen, variables, grid)
    with ready.adapter.session():
        f, scores = ready.bind(target, meter)
        check_same(f.pick.target)
        responses = Varied(f, walked(f, scores))
        found = chosen.measure(responses, axes)
    warnings = [*found.warnings, *(said for axis in axes for said in axis.warnings)]
    if chosen.everywhere:
        names = column_names(responses.x, ready.inputs.form)
        warnings += [said for axis in axes for said in off_data(responses.x, axis, names, responses.coded)]
    return Effect(
        features=tuple(axis.name for axis in axes),
        grid=_grid(axes),
        axes=tuple(axis.values for axis in axes),
        mean=found.mean,
        variance=found.variance,
        stderr=found.stderr,
        density=_density(axes, responses.x),
        curves=found.curves,
        target=f.pick.target,
        method=chosen,
        receipt=receipt(
            chosen,
            meter,
            packages=ready.adapter.packages,
            target=repr(f.pick.target),
            scale=f.scale,
            stderr=float(np.nanmax(found.stderr)) if np.isfinite(found.stderr).any() else None,
            warnings=tuple(dict.fromkeys(warnings)),
        ),
    )


def as_effect_method(method: Any) -> EffectMethod:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = PartialDependence if method is None else method
    says = "does not follow a column: give PartialDependence() or AccumulatedLocalEffects()."
    made: EffectMethod = spelling.as_value(given, (EffectMethod,), says)
    return made


def walked(f: BlackBox, scores: np.ndarray, points: int = _POINTS) -> Any:
    """The question that a tree ensemble answers for a whole grid in one walk per row; None for any other model, and for so
    few rows at so few points that it does not pay."""
    if len(scores) * points < _MANY or not isinstance(f.adapter, EstimatorAdapter):
        return None
    from pellucid.models.tree.question import ask

    try:
        asked = ask(f, scores)
        first = np.arange(min(8, len(scores)))
        return asked if np.allclose(asked.own(first), scores[first], rtol=1e-5, atol=1e-7) else None
    except PellucidError:  # no trees, or not ones that can be read: it is asked like any other model
        return None


def check_same(target: Target) -> None:
    """A mean over rows wants one number for all of them."""
    labels = {Class: ("label",), Margin: ("a", "b")}.get(type(target), ())
    if any(isinstance(getattr(target, label), tuple) for label in labels):
        raise TargetError(
            "an effect is the mean of one output over all rows, and this target differs from row to row: "
            "name it, target=<class or column>."
        )


@dataclass(frozen=True, eq=False)
class Varied:
    """The number of every row while columns are set to other values, in pieces of bounded size, or by walking trees."""

    f: BlackBox
    trees: Any = None  # the question to a tree ensemble, where the model is one
    many: int = _MANY  # varied rows from which it is walked

    @property
    def x(self) -> np.ndarray:
        return self.f.inputs.x

    @property
    def coded(self) -> np.ndarray:
        schema = self.f.schema
        return np.zeros(self.x.shape[1], bool) if schema is None else schema.coded

    def __call__(self, places: tuple[int, ...], points: np.ndarray) -> np.ndarray:
        if self.trees is not None and len(points) * len(self.x) >= self.many:
            from pellucid.models.tree.free import curves

            return curves(self.trees, places, points)
        values = np.broadcast_to(points[:, None], (len(points), len(self.x), len(places)))
        return self.moved(places, values)

    def moved(self, places: tuple[int, ...], values: np.ndarray) -> np.ndarray:
        made, columns = np.empty((len(values), len(self.x))), by_column(self.x)
        for part in pieces(len(values), max(1, _CELLS // self.x.size)):
            varied = copies(columns, len(values[part]))
            for k, place in enumerate(places):
                varied[..., place] = values[part][..., k]
            made[part] = self.f(varied)
        return made.T


def _variables(ready: Prepared, feature: Any) -> tuple[Variable, ...]:
    """The one column or the two that the caller names."""
    x, schema = ready.inputs.x, ready.inputs.form.schema
    if x.ndim != 2:
        raise InputError(f"an effect is that of a column of a table (n, p); X has shape {x.shape}.")
    names = column_names(x, ready.inputs.form)
    asked = [feature] if isinstance(feature, str | int | np.integer) else list(feature)
    if len(asked) not in (1, 2):
        raise InputError(f"feature={feature!r} names {len(asked)} columns: name one, or two for a surface.")
    places = [_place(name, names) for name in asked]
    if len(set(places)) < len(places):
        raise InputError(f"feature={feature!r} names one column twice: name two for a surface.")
    return tuple(Variable(names[j], j, x[:, j], None if schema is None else schema.columns[j]) for j in places)


def _place(name: Any, names: tuple[str, ...]) -> int:
    if name in names:
        return names.index(name)
    if isinstance(name, int | np.integer) and 0 <= name < len(names):
        return int(name)
    raise InputError(f"there is no column {name!r}; the columns are {', '.join(names[:20])}.")


def _axes(method: EffectMethod, variables: tuple[Variable, ...], grid: Any) -> tuple[Axis, ...]:
    if grid is None:
        return tuple(method.axis(variable) for variable in variables)
    given = [grid] if len(variables) == 1 else list(grid)
    if len(given) != len(variables):
        raise InputError(f"{len(given)} grids for {len(variables)} columns: give one each, grid=([...], [...]).")
    return tuple(given_axis(variable, values) for variable, values in zip(variables, given, strict=True))


def _grid(axes: tuple[Axis, ...]) -> np.ndarray:
    """(g,) the values of one column, (g, 2) of two, row-major."""
    if len(axes) == 1:
        return axes[0].values
    indices = np.meshgrid(*(np.arange(len(axis.codes)) for axis in axes), indexing="ij")
    sides = [axis.values[index.ravel()] for axis, index in zip(axes, indices, strict=True)]
    return np.stack(sides, axis=1)


def _density(axes: tuple[Axis, ...], x: np.ndarray) -> np.ndarray:
    """(g,) rows nearest to each grid point."""
    places = np.stack([nearest(axis, x[:, axis.place]) for axis in axes])
    places = places[:, (places >= 0).all(axis=0)]
    shape = tuple(len(axis.codes) for axis in axes)
    return np.bincount(np.ravel_multi_index(tuple(places), shape), minlength=int(np.prod(shape)))
