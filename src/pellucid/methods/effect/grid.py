"""Along which values a column is varied: the user's own, its levels, or quantiles or even steps of a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.schema import Column

Spacing = Literal["uniform", "quantile"]


@dataclass(frozen=True, eq=False)
class Axis:
    """The grid of one column: `codes` (g,) as the float matrix holds them, `values` (g,) as a person knows them."""

    name: str
    place: int  # the column's number
    codes: np.ndarray
    values: np.ndarray
    ordered: bool  # whether going along the grid means something
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Variable:
    """One column of the data: its name and number, its values (n,), and what a frame knows of it."""

    name: str
    place: int
    x: np.ndarray
    column: Column | None

    @property
    def nominal(self) -> bool:
        return self.column is not None and self.column.kind == "level"

    @property
    def known(self) -> np.ndarray:
        """The values that are not missing."""
        return self.x[~np.isnan(self.x.astype(float))]

    def axis(self, codes: np.ndarray, warnings: tuple[str, ...] = ()) -> Axis:
        """A grid of these codes (g,)."""
        column = self.column
        if column is None or column.kind != "level":
            return Axis(self.name, self.place, codes, codes, True, warnings)
        values = np.empty(len(codes), dtype=object)
        values[:] = [column.levels[int(code)] for code in codes]
        return Axis(self.name, self.place, codes, values, column.ordered, warnings)


def given_axis(variable: Variable, values: Sequence[Any]) -> Axis:
    """The grid that the caller names, in the column's own values."""
    listed = list(values)
    if not listed:
        raise InputError(f"the grid of column {variable.name!r} is empty: give at least one value.")
    if not variable.nominal:
        codes = np.asarray(listed, dtype=float) if all(_is_number(v) for v in listed) else None
        if codes is None or not np.isfinite(codes).all():
            raise InputError(f"column {variable.name!r} holds numbers; its grid {listed[:5]!r} does not.")
        return variable.axis(codes)
    assert variable.column is not None
    place = {level: code for code, level in enumerate(variable.column.levels)}
    for value in listed:
        if value not in place:
            known = ", ".join(map(repr, variable.column.levels[:10]))
            raise InputError(
                f"the grid of column {variable.name!r} holds {value!r}, which is none of its values: it knows {known}."
            )
    return variable.axis(np.array([place[value] for value in listed], dtype=float))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def spaced_axis(variable: Variable, points: int, spacing: Spacing, span: tuple[float, float]) -> Axis:
    """At most `points` values: every value of a column that has no more, else steps within the quantiles `span`."""
    found, counts = np.unique(variable.known, return_counts=True)
    if len(found) < 2:
        what = "holds missing values only" if not len(found) else "is constant"
        raise InputError(
            f"column {variable.name!r} {what}, so there is nothing to vary: leave it out, or give grid=[...]."
        )
    if variable.column is not None and variable.column.text:
        raise InputError(
            f"column {variable.name!r} holds free text ({len(found)} different values), and a curve along whole texts says "
            "nothing: name texts to compare, grid=[...]; which of the words count is left to the text methods, for which give "
            "explain a list of texts and a function that puts each into its row."
        )
    if variable.nominal:
        return _levels(variable, found, counts, points)
    if len(found) <= points:
        return variable.axis(found.astype(float))
    low, high = np.quantile(variable.known, span)
    if spacing == "uniform":
        codes = np.linspace(low, high, points)
    else:
        codes = np.quantile(variable.known, np.linspace(*span, points))
    whole = variable.column is not None and variable.column.kind == "integer"
    return variable.axis(np.unique(np.rint(codes) if whole else codes))


def _levels(variable: Variable, found: np.ndarray, counts: np.ndarray, points: int) -> Axis:
    """Levels in their own order; of too many, evenly spaced ones where they have an order, else the most frequent."""
    assert variable.column is not None
    levels = variable.column.levels
    in_order = variable.column.ordered or not _sortable(levels)
    order = np.arange(len(found)) if in_order else np.argsort(_ranks([levels[int(code)] for code in found]))
    if len(found) <= points:
        return variable.axis(found[order])
    if variable.column.ordered or "date" in variable.column.dtype:
        kept = order[np.unique(np.linspace(0, len(found) - 1, points).astype(int))]
        return variable.axis(found[kept])
    frequent = set(np.argsort(-counts, kind="stable")[:points].tolist())
    said = f"column {variable.name!r} has {len(found)} levels: only the {points} most frequent ones are shown"
    return variable.axis(found[[i for i in order if i in frequent]], (said,))


def _sortable(levels: Sequence[Any]) -> bool:
    return len({isinstance(level, str) for level in levels}) <= 1


def _ranks(values: list[Any]) -> np.ndarray:
    ranks = np.empty(len(values), dtype=int)
    ranks[sorted(range(len(values)), key=lambda i: values[i])] = np.arange(len(values))
    return ranks


def nearest(axis: Axis, x: np.ndarray) -> np.ndarray:
    """x (n,) -> (n,) the grid point that each value is nearest to, -1 for a missing value or a level not in the grid."""
    values = x.astype(float)
    codes, first = np.unique(axis.codes, return_index=True)
    place = first[np.searchsorted((codes[1:] + codes[:-1]) / 2, values)]  # halfway, the lower one
    away = np.isnan(values)
    if axis.values.dtype == object:
        away |= axis.codes[place] != values
    return np.where(away, -1, place)
