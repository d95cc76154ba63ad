"""From constraints to the ends, steps and sums that they mean for rows of a table; what names no column or value is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.core.constraints import (
    Actionable,
    Allowed,
    Decreasing,
    Immutable,
    Increasing,
    OneHot,
    Range,
    Rule,
    Step,
    written,
)
from pellucid.core.errors import InputError
from pellucid.core.relations import Relation
from pellucid.core.schema import Column


class Binding:
    """Constraints, one after the other, on the way to `Limits`."""

    def __init__(self, x: np.ndarray, columns: tuple[Column, ...]) -> None:
        self.x, self.columns = x, columns
        self.place = {column.name: j for j, column in enumerate(columns)}
        self.low, self.high = np.full(x.shape, -np.inf), np.full(x.shape, np.inf)
        self.frozen, self.still = np.zeros(x.shape, dtype=bool), np.zeros(x.shape, dtype=bool)
        self.step = np.zeros(x.shape[1])
        self.allowed: dict[int, np.ndarray] = {}
        self.linear: list[tuple[np.ndarray, str, float]] = []
        self.groups: list[tuple[int, ...]] = []

    def add(self, rule: Rule) -> None:
        places = [self._place(name, rule) for name in rule.names]
        match rule:
            case Immutable():
                self.frozen[:, places] = self.still[:, places] = True
            case Actionable():
                self.frozen[:, [j for j in range(len(self.columns)) if j not in places]] = True
            case Increasing() | Decreasing():
                self._numbers(places, rule)
                end = self.low if isinstance(rule, Increasing) else self.high
                own = self.x[:, places]
                worse = np.maximum if isinstance(rule, Increasing) else np.minimum
                end[:, places] = np.where(np.isnan(own), end[:, places], worse(end[:, places], own))
            case Range():
                self._range(places[0], rule)
            case Step():
                self._numbers(places, rule)
                self.step[places] = rule.size
            case Allowed():
                self._allow(places[0], [self._code(places[0], value, rule) for value in rule.values])
            case OneHot():
                self._numbers(places, rule)
                self.groups.append(tuple(places))
            case Relation():
                self._relate(places, rule)

    def _range(self, j: int, rule: Range) -> None:
        self._numbers([j], rule)
        if rule.low is not None:
            self.low[:, j] = np.maximum(self.low[:, j], self._end(j, rule.low, rule))
        if rule.high is not None:
            self.high[:, j] = np.minimum(self.high[:, j], self._end(j, rule.high, rule))

    def _end(self, j: int, value: Any, rule: Rule) -> float:
        return self._code(j, value, rule) if self.columns[j].kind == "level" else float(value)

    def _relate(self, places: list[int], rule: Relation) -> None:
        if rule.text is not None:
            j = places[0]
            code = self._code(j, rule.text, rule)
            others = [k for k in range(len(self.columns[j].levels)) if k != code]
            self._allow(j, [code] if rule.op == "==" else others)
            return
        self._numbers(places, rule, plain=True)
        weights = np.zeros(len(self.columns))
        weights[places] = [weight for _, weight in rule.weights]
        self.linear.append((weights, rule.op, rule.bound))

    def _allow(self, j: int, codes: Sequence[float]) -> None:
        values = np.array(sorted(codes), dtype=float)
        self.allowed[j] = values if j not in self.allowed else np.intersect1d(self.allowed[j], values)

    def _code(self, j: int, value: Any, rule: Rule) -> float:
        column = self.columns[j]
        if column.kind != "level":
            try:
                return float(value)
            except (TypeError, ValueError):
                raise InputError(f"{written(rule)}: column {column.name!r} holds numbers, not {value!r}.") from None
        names = [str(level) for level in column.levels]
        if str(value) not in names:
            raise InputError(
                f"{written(rule)}: column {column.name!r} has no value {value!r}; it has {', '.join(names[:20])}."
            )
        return float(names.index(str(value)))

    def _numbers(self, places: Sequence[int], rule: Rule, plain: bool = False) -> None:
        """Refuse levels without an order, and any levels where sums are taken."""
        for j in places:
            column = self.columns[j]
            if column.kind == "level" and (plain or not column.ordered):
                raise InputError(
                    f"{written(rule)}: column {column.name!r} holds levels, which have no "
                    f"{'numbers' if plain else 'order'}: say which values are allowed, Allowed({column.name!r}, (...))."
                )

    def _place(self, name: str, rule: Rule) -> int:
        if name not in self.place:
            known = ", ".join(list(self.place)[:20])
            raise InputError(f"{written(rule)}: there is no column {name!r}; the columns are {known}.")
        return self.place[name]
