"""Options of the command line that speak the language of spellings, and those that a method's own fields become.

A method is a frozen dataclass, so its fields say everything an option needs: a name, a type, a default. `--method LIME
--samples 500` and `--method "LIME(samples=500)"` are the same value. A field whose option the command itself has
(`SmoothGrad(method=...)`) is called `--method-FIELD`.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

import click

from pellucid.core import spelling
from pellucid.core.errors import PellucidError
from pellucid.core.registry import MASKERS, METHODS, METRICS, TARGETS, resolve

_FIELD = "field_"  # what the names of generated parameters begin with
_NUMBERS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}


class Spelled(click.ParamType):
    """A value of one of the public tables, by its spelling."""

    def __init__(self, kind: str, table: Mapping[str, str]) -> None:
        self.name, self.table = kind, table

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        name = value.partition("(")[0].strip()
        if name not in self.table:
            self.fail(unknown(name, self.name, self.table), param, ctx)
        try:
            return spelling.parse(value)
        except PellucidError as error:
            self.fail(str(error), param, ctx)


class TargetType(click.ParamType):
    """A column number, a class name, or a spelled target such as `Margin(0, 1)`."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if re.fullmatch(r"[+-]?\d+", str(value)):
            return int(value)
        if str(value).partition("(")[0].strip() in TARGETS:
            return TARGET_VALUE.convert(value, param, ctx)
        return value


class UnitType(click.ParamType):
    """`3`, an output of a network; `features.4:3`, a channel of a layer; or a spelled `Unit(...)`."""

    name = "unit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if re.fullmatch(r"\d+", str(value)):
            return int(value)
        place = re.fullmatch(r"([\w.]+):(\d+)", str(value))
        try:
            if place is not None:
                return resolve("Unit")(channel=int(place[2]), layer=place[1])
            return spelling.as_value(value, (resolve("Unit"),), "is no unit.")
        except PellucidError as error:
            why = f" ({error})" if "(" in str(value) else ""
            wanted = "write 3 for an output, features.4:3 for a channel of a layer, or 'Unit(...)'"
            self.fail(f"{value!r} is no unit{why}: {wanted}.", param, ctx)


class Duration(click.ParamType):
    """`60`, `60s`, `2m`, `1.5h`: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*", str(value).lower())
        seconds = float(match[1]) * _NUMBERS.get(match[2] or "s", 0) if match else 0.0
        if not 0 < seconds < float("inf"):
            self.fail(f"{value!r} is no length of time: write 60s, 2m or 1h.", param, ctx)
        return seconds


class RowPicks(click.ParamType):
    """`3`, `0:5`, `0,2,7`, `-3:`: positions and slices."""

    name = "rows"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int | slice, ...]:
        matches = [re.fullmatch(r"\s*(?:(-?\d+)|(-?\d*):(-?\d*))\s*", part) for part in str(value).split(",")]
        if None in matches:
            self.fail(f"{value!r} picks no rows: write 3, or 0:5, or 0,2,7.", param, ctx)
        return tuple(_pick(*match.groups()) for match in matches if match is not None)


def _pick(one: str | None, start: str | None, stop: str | None) -> int | slice:
    return int(one) if one is not None else slice(*(int(end) if end else None for end in (start, stop)))


METHOD, METRIC, MASKER = Spelled("method", METHODS), Spelled("metric", METRICS), Spelled("masker", MASKERS)
TARGET_VALUE = Spelled("target", TARGETS)

takes_masker = click.option(
    "--masker", type=MASKER, metavar="MASKER", help="What is hidden and how, as in 'Grid(window=16)'."
)
takes_target = click.option(
    "--target",
    type=TargetType(),
    metavar="TARGET",
    help="A class name, an output column, 'Margin(0, 1)', or \"LogOdds('A', 'B')\".",
)
takes_budget = click.option("--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h.")


def unknown(name: str, kind: str, known: Mapping[str, str]) -> str:
    """There is no such name; the nearest one, whatever its case, or else all of them."""
    lowered = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1)
    hint = f"Did you mean {lowered[near[0]]!r}?" if near else f"There are {', '.join(known)}."
    return f"there is no {kind} {name!r}. {hint}"


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


class MethodCommand(click.Command):
    """A command that looks for `--method` first and then has that method's, or its default's, fields as options of its own.

    The callback's `method` is the finished value: the spelling, with the fields that were given besides.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        option = next(param for param in self.params if param.name == "method")
        text = _given_method(args) or option.get_default(ctx)
        if isinstance(text, str) and not ctx.resilient_parsing:
            method = option.type.convert(text, option, ctx)
            ctx.meta["pellucid.fields"] = field_options(method, {opt for param in self.params for opt in param.opts})
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *ctx.meta.get("pellucid.fields", [])]

    def invoke(self, ctx: click.Context) -> Any:
        given = {
            name.removeprefix(_FIELD): ctx.params.pop(name) for name in list(ctx.params) if name.startswith(_FIELD)
        }
        given = {
            name: value
            for name, value in given.items()
            if ctx.get_parameter_source(_FIELD + name) is not click.core.ParameterSource.DEFAULT
        }
        if given:
            try:
                ctx.params["method"] = dataclasses.replace(ctx.params["method"], **given)
            except PellucidError as error:
                raise click.UsageError(str(error), ctx) from error
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        fields = ctx.meta.get("pellucid.fields", [])
        own = [param.get_help_record(ctx) for param in self.get_params(ctx) if param not in fields]
        with formatter.section("Options"):
            formatter.write_dl([record for record in own if record is not None])
        if fields:
            records = [param.get_help_record(ctx) for param in fields]
            with formatter.section(f"Options of {fields[0].owner}"):
                formatter.write_dl([record for record in records if record is not None])


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
            [_FIELD + field.name, f"--{flag}/--no-{flag}" if hint is bool else f"--{flag}"],
            type=None if hint is bool else FieldType(hint),
            help=f"{about(type(method), field.name)}  [default: {spelling.spell(getattr(method, field.name))}]".strip(),
        )
        option.owner = type(method).__name__
        made.append(option)
    return made


def hints_of(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return typing.get_type_hints(cls)


def about(cls: type, field: str) -> str:
    """What a class's docstring says of a field: the clause that names it between backquotes."""
    text = " ".join((inspect.getdoc(cls) or "").split())
    clauses = [part.strip() for part in re.split(r";\s|\.\s|\.$", text) if f"`{field}`" in part]
    best = next((clause for clause in clauses if clause.startswith(f"`{field}`")), clauses[0] if clauses else "")
    return re.sub(rf"^`{field}`(?! and|,)(:| is\b)?\s*", "", best).replace("`", "")


def _given_method(args: list[str]) -> str | None:
    """What follows `--method`, the last one if there are several."""
    found = None
    for position, arg in enumerate(args):
        if arg == "--":
            break
        if arg.startswith("--method="):
            found = arg.partition("=")[2]
        elif arg == "--method" and position + 1 < len(args):
            found = args[position + 1]
    return found
