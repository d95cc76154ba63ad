"""What rules say of a table's rows, and the perturbations D(z | A) that keep to a rule.

A statement is (column, kind, value): "<=" and ">" a cut, "=" a value, "missing". A column of numbers is cut, one with only two
values is not; levels are told by "=", levels with an order by cuts between them. A rule is a tuple of statements in the order
of columns; it has at most one "<=" and one ">" for a column, the narrower ones.

Sample s of a size of rules takes the background row u_s, and in every column whose value there breaks the rule the row's own
value (for "=" and "missing") or one of the background's values that keep to it (for cuts), picked by the noise v_s: the
paper's conditional distribution, as far as a table of rows knows it. Where u_s keeps to the whole rule, z is that background
row, whatever row is explained, and the model's answer to it is already known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pellucid.core.rules import Condition
from pellucid.core.schema import Column, Schema
from pellucid.methods.anchor.anchors import Anchors
from pellucid.methods.anchor.cuts import between, cuts, spelled
from pellucid.methods.anchor.search import Pull, Rule

_BLOCK = 1024  # samples whose noise is drawn together


class Statement(NamedTuple):
    """One thing said of a column."""

    column: int
    kind: str  # "<=", ">", "=" or "missing"
    value: float


@dataclass(eq=False)
class Table:
    """n rows x (n, p), a background (b, p), and what their columns are."""

    method: Anchors
    x: np.ndarray
    background: np.ndarray
    columns: tuple[Column, ...]
    dtype: np.dtype
    _cuts: list[np.ndarray] = field(default_factory=list)
    _said: dict[int, list[Statement]] = field(default_factory=dict)
    _masks: dict[Any, np.ndarray] = field(default_factory=dict)
    _noise: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def of(cls, method: Anchors, x: np.ndarray, background: np.ndarray, schema: Schema | None, names: Any) -> Table:
        kinds = Schema(_plain(x, background, names), "") if schema is None else schema
        counts = x.dtype.kind in "iub" and background.dtype.kind in "iub"
        dtype = x.dtype if counts or x.dtype.kind == "f" else np.dtype(float)
        made = cls(method, x.astype(float), background.astype(float), kinds.columns, dtype)
        made._cuts.extend(made._cut(j) for j in range(x.shape[1]))
        return made

    @property
    def cells(self) -> int:
        """Numbers of one perturbed input."""
        return int(self.x.shape[1])

    # -- what can be said ----------------------------------------------------------------------------------------------

    def grown(self, row: int, rule: Rule) -> list[Rule]:
        """The rule with one more statement that is true of the row, or a narrower one."""
        return [made for one in self.statements(row) if (made := _with(rule, one)) is not None]

    def widened(self, row: int, rule: Rule) -> list[Rule]:
        """The rule without one of its statements, or with a wider one in its place."""
        made = []
        for k, old in enumerate(rule):
            wider = [s for s in self.statements(row) if s[:2] == old[:2] and _with((s,), old)]  # type: ignore[index, arg-type]
            made += [(*rule[:k], *new, *rule[k + 1 :]) for new in [(), *((s,) for s in wider)]]
        return made

    def statements(self, row: int) -> list[Statement]:
        """Everything that is true of a row and not of all rows of the background."""
        if row not in self._said:
            said = [s for j, value in enumerate(self.x[row].tolist()) for s in self._of(j, value)]
            self._said[row] = [s for s in said if not self._held(s).all()]
        return self._said[row]

    def _of(self, j: int, value: float) -> list[Statement]:
        if np.isnan(value):
            return [Statement(j, "missing", 0.0)]
        if self._equal(j):
            return [Statement(j, "=", value)]
        return [Statement(j, "<=" if value <= cut else ">", cut) for cut in self._cuts[j].tolist()]

    def coverage(self, rule: Rule) -> float:
        """The share of background rows that a rule applies to."""
        return float(self.mask(rule).mean())

    def mask(self, rule: Rule) -> np.ndarray:
        """(b,) the background rows that a rule applies to."""
        if rule not in self._masks:
            held = np.ones(len(self.background), dtype=bool)
            for statement in rule:
                held = held & self._held(statement)  # type: ignore[arg-type]
            self._masks[rule] = held
        return self._masks[rule]

    def _held(self, statement: Statement) -> np.ndarray:
        if statement not in self._masks:
            self._masks[statement] = _keeps(statement, self.background[:, statement.column])
        return self._masks[statement]

    def _cut(self, j: int) -> np.ndarray:
        """Where column j is cut; nowhere if its values are only told apart by being equal."""
        column, values = self.columns[j], self.background[:, j]
        return np.empty(0) if self._equal(j) else cuts(values, self.method.bins, column.kind != "number")

    def _equal(self, j: int) -> bool:
        """Whether column j has levels without an order, or only two values."""
        column, values = self.columns[j], self.background[:, j]
        if column.kind == "level":
            return not column.ordered
        return len(np.unique(values[~np.isnan(values)])) == 2

    # -- perturbations -------------------------------------------------------------------------------------------------

    def draw(self, pull: Pull, known: bool) -> tuple[np.ndarray, np.ndarray]:
        """Perturbed inputs (m, p) that the model has to be asked, and the background rows (k,) that stand for the others."""
        u, v = self._stream(pull.level, pull.start, pull.stop)
        kept = self.mask(pull.rule)[u] if known else np.zeros(len(u), dtype=bool)
        z, v = self.background[u[~kept]], v[~kept]
        for column in dict.fromkeys(statement.column for statement in pull.rule):  # type: ignore[attr-defined]
            said = tuple(s for s in pull.rule if s.column == column)  # type: ignore[attr-defined]
            z[:, column] = self._kept(said, z[:, column], v[:, column], self.x[pull.row, column])
        return z.astype(self.dtype), u[kept]

    def _kept(self, said: tuple[Any, ...], values: np.ndarray, noise: np.ndarray, own: float) -> np.ndarray:
        """values (m,) of one column, made to keep to what a rule says of it."""
        if said[0].kind in ("=", "missing"):
            return np.full(len(values), own)
        good = np.logical_and.reduce([_keeps(s, values) for s in said])
        pool = self.background[self.mask(said), said[0].column]
        drawn = pool[(noise * len(pool)).astype(int)] if len(pool) else np.full(len(values), own)
        return np.where(good, values, drawn)

    def _stream(self, level: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Background rows (m,) and uniform noise (m, p) of some samples."""
        parts = [self._block(level, block) for block in range(start // _BLOCK, (stop - 1) // _BLOCK + 1)]
        first = start - start // _BLOCK * _BLOCK
        u, v = parts[0] if len(parts) == 1 else (np.concatenate([p[i] for p in parts]) for i in (0, 1))
        return u[first : first + stop - start], v[first : first + stop - start]

    def _block(self, level: int, block: int) -> tuple[np.ndarray, np.ndarray]:
        if (level, block) not in self._noise:
            rng = self.method.noise(level, block)
            self._noise[level, block] = (
                rng.integers(len(self.background), size=_BLOCK),
                rng.random((_BLOCK, self.x.shape[1])),
            )
        return self._noise[level, block]

    # -- words ---------------------------------------------------------------------------------------------------------

    def conditions(self, row: int, rule: Rule) -> tuple[Condition, ...]:
        """A rule as a reader knows it: one condition per column."""
        columns = dict.fromkeys(s.column for s in rule)  # type: ignore[attr-defined]
        return tuple(self._condition([s for s in rule if s.column == j]) for j in columns)  # type: ignore[attr-defined]

    def _condition(self, said: list[Any]) -> Condition:
        j = said[0].column
        column, name = self.columns[j], self.columns[j].name
        if said[0].kind == "missing":
            return Condition(name, j, f"{name} is missing", missing=True)
        if said[0].kind == "=":
            value = column.levels[int(said[0].value)] if column.kind == "level" else said[0].value
            shown = value if column.kind == "level" else spelled(value)
            return Condition(name, j, f"{name} = {shown}", values=(value,))
        low = max((s.value for s in said if s.kind == ">"), default=None)
        high = min((s.value for s in said if s.kind == "<="), default=None)
        if column.kind == "level":
            return _ordered(column, j, low, high)
        return Condition(name, j, between(name, low, high, spelled), low=low, high=high)


def _with(rule: Rule, one: Statement) -> Rule | None:
    """A rule with one more statement; None if it says that, or something narrower, already."""
    for old in rule:
        if (old.column, old.kind) != (one.column, one.kind):  # type: ignore[attr-defined]
            continue
        narrower = one.value < old.value if one.kind == "<=" else one.kind == ">" and one.value > old.value  # type: ignore[attr-defined]
        return tuple(one if s is old else s for s in rule) if narrower else None
    return tuple(sorted((*rule, one)))  # type: ignore[type-var]


def _keeps(statement: Statement, values: np.ndarray) -> np.ndarray:
    """values (m,) -> whether a statement holds of each"""
    match statement.kind:
        case "<=":
            return np.asarray(values <= statement.value)
        case ">":
            return np.asarray(values > statement.value)
        case "=":
            return np.asarray(values == statement.value)
    return np.isnan(values)


def _ordered(column: Column, j: int, low: float | None, high: float | None) -> Condition:
    """Levels in their order: "education <= High School"."""
    first, last = 0 if low is None else int(low) + 1, len(column.levels) - 1 if high is None else int(high)
    values = column.levels[first : last + 1]
    if len(values) == 1:
        return Condition(column.name, j, f"{column.name} = {values[0]}", values=values)
    words = between(column.name, low, high, lambda code: str(column.levels[int(code)]))
    return Condition(column.name, j, words, values=values)


def _plain(x: np.ndarray, background: np.ndarray, names: Any) -> tuple[Column, ...]:
    """The columns of an array: numbers, whole where all of them are."""
    named = names or tuple(f"x{j}" for j in range(x.shape[1]))
    return tuple(Column(name, "integer" if x.dtype.kind in "iub" else "number", str(x.dtype)) for name in named)
