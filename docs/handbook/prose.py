"""Docstrings as Markdown: prose with every sign escaped, indented lines as code, and what a docstring says of each field."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from typing import Any

_SIGNS = re.compile(r"[\\`*_{}\[\]<>#|~^$&]")

# What a field of this name means wherever its class does not say more.
COMMON = {
    "absolute": "order by magnitude instead of by signed value",
    "baseline": "what a hidden cell is replaced by, or where a path starts",
    "samples": "how many draws; more of them make the error bar shorter",
    "seed": "which random numbers are drawn; the same seed gives the same answer",
    "steps": "how many points; more cost more and are more exact",
    "tolerance": "stop a row once its largest standard error is at most this",
}


def plain(text: str) -> str:
    """Text that no Markdown reader takes for markup; code in `backticks` stays code."""
    if text.count("`") % 2:
        return _escaped(text)
    parts = text.split("`")
    return "".join(f"`{part}`" if i % 2 else _escaped(part) for i, part in enumerate(parts))


def _escaped(text: str) -> str:
    return _SIGNS.sub(lambda sign: f"&#{ord(sign[0])};", text)


def markdown(text: str) -> str:
    """A cleaned docstring as Markdown: lines indented by four or more are equations, lines with a dash are a list."""
    made: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        for kind, lines in _runs(block.split("\n")):
            if kind == "code":
                made.append("\n".join(["```text", *_flush(lines), "```"]))
            elif kind == "list":
                made.append("\n".join(_item(line) for line in lines))
            else:
                made.append("\n".join(plain(line.strip()) for line in lines))
    return "\n\n".join(made)


def _runs(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Lines in runs of one kind: code, list or prose."""
    runs: list[tuple[str, list[str]]] = []
    for line in lines:
        kind = "code" if line.startswith("    ") else "list" if re.match(r" {0,3}[-*] ", line) else "prose"
        if kind == "prose" and line.startswith(" ") and runs and runs[-1][0] == "list":
            kind = "list"  # an item goes on
        if runs and runs[-1][0] == kind:
            runs[-1][1].append(line)
        else:
            runs.append((kind, [line]))
    return runs


def _flush(lines: list[str]) -> list[str]:
    """Lines without the indentation that they share."""
    least = min(len(line) - len(line.lstrip()) for line in lines)
    return [line[least:] for line in lines]


def _item(line: str) -> str:
    match = re.match(r"\s*[-*] (.*)", line)
    return f"- {plain(match[1])}" if match else f"  {plain(line.strip())}"


def headline(docstring: str) -> tuple[str, str]:
    """A module's docstring -> the first sentence after its name, and the rest."""
    first, _, rest = inspect.cleandoc(docstring).partition("\n\n")
    _, colon, said = " ".join(first.split("\n")).partition(": ")
    said = said if colon else first
    return said[:1].upper() + said[1:], rest


def bullets(text: str) -> str:
    """Clauses between semicolons as a list."""
    return "\n".join(f"- {plain(clause.strip())}" for clause in text.split(";"))


@dataclasses.dataclass(frozen=True)
class Field:
    """A line of the table of fields; `meaning` is empty where nothing says what the field is."""

    name: str
    kind: str
    default: str
    meaning: str


def fields(cls: type) -> list[Field]:
    """What can be set on a method or metric, with what its docstring, or that of a class above it, says of it."""
    said = _said(cls)
    return [
        Field(f.name, str(f.type), _default(f), said.get(f.name) or COMMON.get(f.name, ""))
        for f in dataclasses.fields(cls)
        if f.init
    ]


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return repr(field.default)
    return repr(field.default_factory()) if field.default_factory is not dataclasses.MISSING else ""


def _said(cls: type) -> dict[str, str]:
    """Per field the clauses that name it in backticks, and those that follow without naming another."""
    owners = [owner.__doc__ for owner in cls.__mro__ if dataclasses.is_dataclass(owner) and owner.__doc__]
    names, said = {f.name for f in dataclasses.fields(cls)}, dict[str, list[str]]()
    for text in owners:
        for name, clauses in _clauses(text, names).items():
            said.setdefault(name, []).extend(clauses)
    for name, clauses in _clauses(sys.modules[cls.__module__].__doc__ or "", names).items():
        said.setdefault(name, clauses)  # what the module says of a field that the class is silent on
    return {name: "; ".join(clauses) for name, clauses in said.items()}


def _clauses(text: str, names: set[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        _collect(" ".join(paragraph.split()), names, found)
    return found


def _collect(paragraph: str, names: set[str], found: dict[str, list[str]]) -> None:
    current: list[str] = []
    for clause in re.split(r"(?<=[.;]) ", paragraph):
        clause = clause.strip().rstrip(".;")
        spans = re.findall(r"`(\w+)", clause)
        current = [name for name in spans if name in names] or current
        for name in dict.fromkeys(current):
            found.setdefault(name, []).append(clause)
