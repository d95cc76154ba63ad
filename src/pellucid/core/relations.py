"""A relation between columns as a person writes it, `"debt <= 0.4 * income"`, read by a small parser of its own.

    relation = side op side (op side)*        op   = <= | < | >= | > | = | == | !=
    side     = product ((+ | -) product)*     product = factor ((* | /) factor)*
    factor   = number | name | `name with blanks` | 'text' | - factor | ( side )

Sides have to be linear in the columns: a product needs a plain number on one side, a quotient below. A text, as in
`"job != 'nurse'"`, stands alone on its side. Nothing is ever evaluated as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pellucid.core.errors import SpellingError

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d][\w.]*)|`(?P<quoted>[^`]+)`"
    r"|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<op><=|>=|==|!=|<|>|=)|(?P<sign>[-+*/()]))"
)
_FLIPPED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<", "==": "==", "!=": "!="}


@dataclass(frozen=True)
class Linear:
    """constant + sum of weight * column; `text` where a side is a text instead."""

    weights: dict[str, float] = field(default_factory=dict)
    constant: float = 0.0
    text: str | None = None

    def __add__(self, other: Linear) -> Linear:
        names = dict.fromkeys([*self.weights, *other.weights])
        weights = {name: self.weights.get(name, 0.0) + other.weights.get(name, 0.0) for name in names}
        return Linear(weights, self.constant + other.constant)

    def times(self, factor: float) -> Linear:
        return Linear({name: weight * factor for name, weight in self.weights.items()}, self.constant * factor)


@dataclass(frozen=True)
class Relation:
    """sum of weight * column `op` bound; `text` where one column is compared with a text."""

    weights: tuple[tuple[str, float], ...]
    op: str
    bound: float
    written: str
    text: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.weights)


def relations(written: str) -> tuple[Relation, ...]:
    """The relations that a text spells: one for each comparison, `"0 <= debt <= income"` has two."""
    reader = _Reader(written)
    sides, ops = [reader.side()], []
    while reader.kind() == "op":
        op = reader.take()[1]
        ops.append("==" if op == "=" else op)
        sides.append(reader.side())
    if not ops or reader.kind() is not None:
        raise reader.error("expected one comparison, as in 'debt <= income'")
    return tuple(_compared(a, op, b, written) for a, op, b in zip(sides, ops, sides[1:], strict=False))


def linear(written: str) -> Linear:
    """The linear expression that a text spells, `"2 * education + 0.1 * age"`."""
    reader = _Reader(written)
    side = reader.side()
    if reader.kind() is not None or side.text is not None:
        raise reader.error("expected a sum of columns, as in '2 * education + 0.1 * age'")
    return side


def _compared(left: Linear, op: str, right: Linear, written: str) -> Relation:
    if left.text is not None:
        left, right, op = right, left, _FLIPPED[op]
    if right.text is not None:
        alone = list(left.weights.items())
        if left.text is not None or len(alone) != 1 or alone[0][1] != 1 or left.constant or op not in ("==", "!="):
            raise SpellingError(
                f"{written!r}: a text is compared with one column, by == or !=, as in \"job != 'nurse'\"."
            )
        return Relation(((alone[0][0], 1.0),), op, 0.0, written, right.text)
    difference = left + right.times(-1.0)
    weights = tuple((name, weight) for name, weight in difference.weights.items() if weight)
    if not weights:
        raise SpellingError(f"{written!r} compares no columns: it is always true or never.")
    return Relation(weights, op, -difference.constant, written)


class _Reader:
    """The tokens of one text, read from left to right."""

    def __init__(self, written: str) -> None:
        self.written, self.tokens, self.place = written, list[tuple[str, str]](), 0
        at = 0
        while written[at:].strip():
            found = _TOKEN.match(written, at)
            if found is None:
                raise self.error(f"cannot read {written[at:].strip()[0]!r}")
            kind = str(found.lastgroup)
            names = {"quoted": "name", "single": "text", "double": "text"}
            self.tokens.append((names.get(kind, kind), found[kind]))
            at = found.end()

    def error(self, says: str) -> SpellingError:
        return SpellingError(
            f"{self.written!r}: {says}; a constraint compares sums of columns, as in 'debt <= 0.4 * income'; write `a name` "
            "with blanks between backticks."
        )

    def peek(self) -> str | None:
        return self.tokens[self.place][1] if self.place < len(self.tokens) else None

    def kind(self) -> str | None:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else None

    def take(self) -> tuple[str, str]:
        if self.place == len(self.tokens):
            raise self.error("it ends too early")
        self.place += 1
        return self.tokens[self.place - 1]

    def side(self) -> Linear:
        made = self.product()
        while self.kind() == "sign" and self.peek() in ("+", "-"):
            sign = self.take()[1]
            other = self.product()
            self._numeric(made, other)
            made = made + (other if sign == "+" else other.times(-1.0))
        return made

    def product(self) -> Linear:
        made = self.factor()
        while self.kind() == "sign" and self.peek() in ("*", "/"):
            sign, other = self.take()[1], self.factor()
            self._numeric(made, other)
            if sign == "*" and not made.weights:
                made, other = other, made
            if other.weights or (sign == "/" and not other.constant):
                raise self.error("a product or quotient of columns is not linear")
            made = made.times(other.constant if sign == "*" else 1.0 / other.constant)
        return made

    def factor(self) -> Linear:
        kind, value = self.take()
        match kind:
            case "number":
                return Linear(constant=float(value))
            case "name":
                return Linear({value: 1.0})
            case "text":
                return Linear(text=value)
        if value == "-":
            return self.factor().times(-1.0)
        if value == "(":
            made = self.side()
            if self.take()[1] != ")":
                raise self.error("a bracket is not closed")
            return made
        raise self.error(f"{value!r} is not expected here")

    def _numeric(self, *sides: Linear) -> None:
        if any(side.text is not None for side in sides):
            raise self.error("a text cannot be added or multiplied")


def spelled(value: Any) -> str:
    """A number as a reader writes it: no digits that say nothing."""
    if isinstance(value, float) and value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
