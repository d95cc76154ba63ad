"""What a counterfactual may change: `[Immutable("sex"), Increasing("age"), Range("hours", 0, 60), Step("income", 500), "debt
<= income"]`.

Constraints are values like methods are: literals in, no data. `Limits.of` binds them to the rows of a question, and `Limits.holds`
is the one place that says whether a changed row keeps to all of them. A constraint speaks of the changed row as a whole: a row
that breaks one before the change has to be brought inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.errors import InputError, MethodError
from pellucid.core.relations import Relation, relations
from pellucid.core.schema import Column

Names = str | tuple[str, ...]


class Constraint:
    """The root of what may be said of a column by a value."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it is about."""
        given: Names = getattr(self, "column", "") or getattr(self, "columns", ())
        return (given,) if isinstance(given, str) else tuple(given)


@dataclass(frozen=True)
class Immutable(Constraint):
    """These columns stay as they are."""

    column: Names


@dataclass(frozen=True)
class Actionable(Constraint):
    """Only these columns may change."""

    columns: Names


@dataclass(frozen=True)
class Increasing(Constraint):
    """These columns never fall: an age, an education."""

    column: Names


@dataclass(frozen=True)
class Decreasing(Constraint):
    """These columns never rise."""

    column: Names


@dataclass(frozen=True)
class Range(Constraint):
    """The column ends between `low` and `high`, both included; None leaves a side open."""

    column: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise MethodError(f"{self!r} holds no number: give the smaller end first.")


@dataclass(frozen=True)
class Step(Constraint):
    """The column moves by whole multiples of `size`."""

    column: str
    size: float

    def __post_init__(self) -> None:
        if not self.size > 0:
            raise MethodError(f"{self!r}: a step is a positive number.")


@dataclass(frozen=True)
class Allowed(Constraint):
    """The column ends at one of these values."""

    column: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))


@dataclass(frozen=True)
class OneHot(Constraint):
    """Of these 0/1 columns exactly one is 1."""

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        if len(self.columns) < 2:
            raise MethodError(f"{self!r}: a one-hot block has at least two columns.")


Rule = Constraint | Relation


def as_constraints(given: Any) -> tuple[Rule, ...]:
    """Constraints of what a user may give: values, their spellings, relations as text, or one of these alone."""
    if given is None:
        return ()
    items = [given] if isinstance(given, str | Constraint | Relation) else list(given)
    made: list[Rule] = []
    for item in items:
        if isinstance(item, Constraint | Relation):
            made.append(item)
        elif isinstance(item, str):
            made += _read(item)
        else:
            raise MethodError(
                f"{item!r} is no constraint: give Immutable('sex'), Range('hours', 0, 60) or a text such as 'debt <= income'."
            )
    return tuple(made)


def _read(written: str) -> list[Rule]:
    name = written.partition("(")[0].strip()
    if name in KINDS and "(" in written:
        value = spelling.parse(written)
        assert isinstance(value, Constraint)
        return [value]
    return list(relations(written))


def written(rule: Rule) -> str:
    """A constraint as a reader knows it."""
    return rule.written if isinstance(rule, Relation) else repr(rule)


KINDS = ("Immutable", "Actionable", "Increasing", "Decreasing", "Range", "Step", "Allowed", "OneHot")


@dataclass(frozen=True, eq=False)
class Limits:
    """Constraints bound to n rows x (n, p): for each cell where it may end, and the relations between columns.

    `low`, `high` (n, p) are closed ends; `frozen` (n, p) is True where nothing may change; `step` (p,) is 0 where a column moves
    freely; `allowed` holds the values that a column may end at; `A` (q, p), `ops`, `b` (q,) are linear relations; `groups` one-hot
    blocks. Codes of levels count as numbers only where the levels have an order.
    """

    x: np.ndarray
    columns: tuple[Column, ...]
    low: np.ndarray
    high: np.ndarray
    frozen: np.ndarray
    still: np.ndarray  # (n, p) of the frozen cells, those that may not even follow
    step: np.ndarray
    allowed: dict[int, np.ndarray]
    A: np.ndarray
    ops: tuple[str, ...]
    b: np.ndarray
    groups: tuple[tuple[int, ...], ...]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, rules: Sequence[Rule], x: np.ndarray, columns: tuple[Column, ...]) -> Limits:
        """rules bound to rows x (n, p), codes where columns have levels"""
        binding = _Binding(x, columns)
        for rule in rules:
            binding.add(rule)
        linear = binding.linear
        A = np.array([weights for weights, _, _ in linear]).reshape(-1, x.shape[1])
        return cls(
            x=x,
            columns=columns,
            low=binding.low,
            high=binding.high,
            frozen=binding.frozen,
            still=binding.still,
            step=binding.step,
            allowed=binding.allowed,
            A=A,
            ops=tuple(op for _, op, _ in linear),
            b=np.array([bound for _, _, bound in linear]),
            groups=tuple(binding.groups),
            rules=tuple(rules),
        )

    def take(self, rows: np.ndarray) -> Limits:
        """The limits of some of the rows."""
        return replace(
            self,
            x=self.x[rows],
            low=self.low[rows],
            high=self.high[rows],
            frozen=self.frozen[rows],
            still=self.still[rows],
        )

    def with_frozen(self, frozen: np.ndarray) -> Limits:
        """The same limits with other cells held fast, (n, p)."""
        return replace(self, frozen=frozen)

    @property
    def coded(self) -> np.ndarray:
        """(p,) True where a column holds codes of levels."""
        return np.array([column.kind == "level" for column in self.columns])

    @property
    def whole(self) -> np.ndarray:
        """(p,) True where a column holds whole numbers."""
        return np.array([column.kind == "integer" for column in self.columns])

    def holds(self, rows: np.ndarray, z: np.ndarray, follows: np.ndarray | None = None) -> np.ndarray:
        """z (m, p), changed rows (m,) -> (m,) whether every constraint holds; `follows (m, p)`: cells that nobody acted upon"""
        return np.asarray(self.cells(rows, z, follows).all(axis=1) & self.related(z).all(axis=1))

    def cells(self, rows: np.ndarray, z: np.ndarray, follows: np.ndarray | None = None) -> np.ndarray:
        """z (m, p) -> (m, p) whether each cell by itself may be what it is; what only follows need not keep to steps"""
        if follows is not None:
            return self._cells(rows, z, self.still, np.zeros(len(self.step)))
        return self._cells(rows, z, self.frozen, self.step)

    def _cells(self, rows: np.ndarray, z: np.ndarray, frozen: np.ndarray, step: np.ndarray) -> np.ndarray:
        x, same = self.x[rows], _same(z, self.x[rows])
        good: np.ndarray = np.isnan(z) | ((z >= self.low[rows]) & (z <= self.high[rows]))
        good &= ~np.isnan(z) | np.isnan(x)  # nothing becomes missing
        good &= same | ~frozen[rows]
        good[:, self.whole] &= (z == np.rint(z))[:, self.whole] | same[:, self.whole]
        stepped = step > 0
        if stepped.any():
            moves = (z - x)[:, stepped] / step[stepped]
            good[:, stepped] &= np.isclose(moves, np.rint(moves), rtol=0, atol=1e-6) | same[:, stepped]
        for j, values in self.allowed.items():
            good[:, j] &= np.isin(z[:, j], values)
        for group in self.groups:
            block = z[:, list(group)]
            good[:, list(group)] &= (np.isin(block, (0, 1)).all(axis=1) & (block.sum(axis=1) == 1))[:, None]
        return good

    def related(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) -> (m, q) whether each relation between columns holds; a missing value breaks those that read it"""
        if not len(self.b):
            return np.ones((len(z), 0), dtype=bool)
        sums = np.stack([_sum(weights, z) for weights in self.A], axis=1)
        held = [_compare(sums[:, k], op, self.b[k]) for k, op in enumerate(self.ops)]
        return np.stack(held, axis=1)


def _sum(weights: np.ndarray, z: np.ndarray) -> np.ndarray:
    """sum of weight * column over the columns that a relation reads, in a fixed order"""
    read = np.flatnonzero(weights)
    total = np.zeros(len(z))
    for j in read:
        total = total + weights[j] * z[:, j]
    return total


def _compare(sums: np.ndarray, op: str, bound: float) -> np.ndarray:
    close = 1e-9 * (1 + abs(bound))
    match op:
        case "<=":
            return np.asarray(sums <= bound)
        case "<":
            return np.asarray(sums < bound)
        case ">=":
            return np.asarray(sums >= bound)
        case ">":
            return np.asarray(sums > bound)
        case "==":
            return np.asarray(np.abs(sums - bound) <= close)
    return np.asarray(np.abs(sums - bound) > close)


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a == b) | (np.isnan(a) & np.isnan(b)))


class _Binding:
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
