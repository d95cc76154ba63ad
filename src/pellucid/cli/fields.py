"""The options that a method's own fields become.

A method is a frozen dataclass, so its fields say everything an option needs: a name, a type, a default. `--method LIME
--samples 500` and `--method "LIME(samples=500)"` are the same value. A field whose option the command itself has
(`SmoothGrad(method=...)`) is called `--method-FIELD`.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from typing import Any

import click

from pellucid.core import spelling
from pellucid.core.errors import PellucidError

FIELD = "field_"  # what the names of generated parameters begin with


class FieldOption(click.Option):
    """The option that a field of a method becomes."""

    owner: str


def field_options(method: Any, taken: set[str]) -> list[FieldOption]:
    """One option per field, with the value it has in `method` as the default shown."""
    hints = hints_of(type(method))
    made = []
    for field in dataclasses.fields(method):
        flag = field.name.replace("_", "-")
        flag = f"method-{flag}" if f"--{flag}" in taken else flag
        hint = hints[field.name]
        option = FieldOption(
            [FIELD + field.name, f"--{flag}/--no-{flag}" if hint is bool else f"--{flag}"],
            type=None if hint is bool else FieldType(hint),
            help=f"{about(type(method), field.name)}  [default: {spelling.spell(getattr(method, field.name))}]".strip(),
        )
        option.owner = type(method).__name__
        made.append(option)
    return made


def hints_of(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields, or of a function's arguments."""
    return typing.get_type_hints(cls)


def about(cls: type, field: str) -> str:
    """What a class's docstring says of a field: the clause that names it between backquotes."""
    text = " ".join((inspect.getdoc(cls) or "").split())
    clauses = [part.strip() for part in re.split(r";\s|\.\s|\.$", text) if f"`{field}`" in part]
    best = next((clause for clause in clauses if clause.startswith(f"`{field}`")), clauses[0] if clauses else "")
    return re.sub(rf"^`{field}`(?! and|,)(:| is\b)?\s*", "", best).replace("`", "")


class FieldType(click.ParamType):
    """The type of one field, read from its annotation: literals, choices, tuples, and values of ours by their spelling."""

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation
        self.name = described(annotation)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        why = ""
        for kind in _alternatives(self.annotation):
            try:
                return _READERS.get(_plain_kind(kind), _read_value)(value, kind)
            except PellucidError as error:
                why = f" {error}"
            except ValueError:
                continue
        self.fail(f"{value!r} was given, expected: {self.name}.{why}", param, ctx)


def described(annotation: Any) -> str:
    """An annotation as a person reads it: `integer or none`."""
    words: dict[Any, str] = {int: "integer", float: "number", str: "text", bool: "true or false", type(None): "none"}
    kinds = sorted(_members(annotation), key=lambda kind: kind is type(None))
    return " or ".join(words.get(kind) or _named(kind) for kind in kinds)


def _named(kind: Any) -> str:
    """A kind that no word stands for: the choices of a literal, a list, a value of ours by its class."""
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(map(str, typing.get_args(kind)))
    return "list" if _plain_kind(kind) is tuple else str(getattr(kind, "__name__", kind))


def _alternatives(annotation: Any) -> list[Any]:
    """The members of a union in the order they are tried: what is most definite first, any text last."""
    order = [type(None), bool, int, float, typing.Literal, tuple]
    return sorted(
        _members(annotation),
        key=lambda kind: order.index(_plain_kind(kind)) if _plain_kind(kind) in order else 8 + (kind is str),
    )


def _members(annotation: Any) -> list[Any]:
    united = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return list(typing.get_args(annotation)) if united else [annotation]


def _plain_kind(kind: Any) -> Any:
    return typing.get_origin(kind) or kind


def _read_none(text: str, kind: Any) -> None:
    if text.lower() != "none":
        raise ValueError(text)


def _read_bool(text: str, kind: Any) -> bool:
    return text.lower() == "true" if text.lower() in ("true", "false") else _refuse(text)


def _read_literal(text: str, kind: Any) -> Any:
    found = [choice for choice in typing.get_args(kind) if str(choice) == text]
    return found[0] if found else _refuse(text)


def _read_tuple(text: str, kind: Any) -> tuple[Any, ...]:
    if "," not in text and not text.strip().startswith(("(", "[")):
        return _refuse(text)
    value = spelling.parse(text if text.strip().startswith(("(", "[")) else f"({text},)")
    fits = isinstance(value, tuple | list) and (
        typing.get_args(kind)[:1] != (float,) or all(isinstance(item, int | float) for item in value)
    )
    return tuple(value) if fits else _refuse(text)


def _read_value(text: str, kind: Any) -> Any:
    """A value of ours; a class that the annotation names must be its class."""
    value = spelling.parse(text)
    return value if not inspect.isclass(kind) or kind is Any or isinstance(value, kind) else _refuse(text)


def _refuse(text: str) -> Any:
    raise ValueError(text)


_READERS: dict[Any, Any] = {
    type(None): _read_none,
    bool: _read_bool,
    int: lambda text, kind: int(text),
    float: lambda text, kind: float(text),
    str: lambda text, kind: text,
    typing.Literal: _read_literal,
    tuple: _read_tuple,
}
