"""Kinds of values that options have: spelled values of the public tables, targets, units, rows, lengths of time."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

import click

from pellucid.core import spelling
from pellucid.core.errors import PellucidError
from pellucid.core.registry import MASKERS, METHODS, METRICS, POLICIES, TARGETS, resolve

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


class Columns(click.ParamType):
    """`money=income,debt`: a name, and the columns that go by it."""

    name = "columns"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, list[str]]:
        if isinstance(value, tuple):
            return value
        name, _, listed = str(value).partition("=")
        columns = [column.strip() for column in listed.split(",") if column.strip()]
        if not name.strip() or not columns:
            self.fail(f"{value!r} is no group of columns: write money=income,debt.", param, ctx)
        return name.strip(), columns


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


def unknown(name: str, kind: str, known: Mapping[str, str]) -> str:
    """There is no such name; the nearest one, whatever its case, or else all of them."""
    lowered = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1)
    hint = f"Did you mean {lowered[near[0]]!r}?" if near else f"There are {', '.join(known)}."
    return f"there is no {kind} {name!r}. {hint}"


METHOD, METRIC, MASKER = Spelled("method", METHODS), Spelled("metric", METRICS), Spelled("masker", MASKERS)
TARGET_VALUE = Spelled("target", TARGETS)
POLICY = Spelled("policy", POLICIES)
