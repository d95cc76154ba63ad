"""What a participant sees, as data: words, facts, bars, coloured words, pictures, and panels of these.

A block holds text and numbers and no markup, so that the page can show it as text and nothing in it can run.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from pellucid.core.errors import InputError

_PICTURE = re.compile(r"data:image/png;base64,[A-Za-z0-9+/]+=*")


@dataclass(frozen=True)
class Prose:
    """A paragraph; with a title, set apart as a quotation is: a review, the machine's answer."""

    text: str
    title: str = ""


@dataclass(frozen=True)
class Facts:
    """A table of names and values; `marked` are the names whose line stands out."""

    rows: tuple[tuple[str, str], ...]
    title: str = ""
    marked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bars:
    """Names with signed weights, drawn as bars around zero."""

    rows: tuple[tuple[str, float], ...]
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Words:
    """A text in parts, each with a signed weight: coloured by it, and underlined, so that colour is not all."""

    parts: tuple[tuple[str, float], ...]
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG within the page, with the words for those who do not see it."""

    uri: str
    alt: str
    caption: str = ""

    def __post_init__(self) -> None:
        if not _PICTURE.fullmatch(self.uri):
            raise InputError(f"Picture(uri={self.uri[:40]!r}): give a PNG as a data URI, as `drawing.png` makes it.")


@dataclass(frozen=True)
class Panel:
    """Blocks under one heading, set apart from their neighbours."""

    title: str
    blocks: tuple[Block, ...]


Block = Prose | Facts | Bars | Words | Picture | Panel
_KINDS: dict[str, Any] = {kind.__name__.lower(): kind for kind in (Prose, Facts, Bars, Words, Picture, Panel)}


def as_json(block: Block) -> dict[str, Any]:
    """A block as JSON's own types, its kind beside its fields."""
    fields = {f.name: getattr(block, f.name) for f in dataclasses.fields(block)}
    if isinstance(block, Panel):
        fields["blocks"] = [as_json(inner) for inner in block.blocks]
    return {"block": type(block).__name__.lower(), **fields}


def from_json(data: dict[str, Any]) -> Block:
    """The inverse of `as_json`."""
    fields = dict(data)
    kind = _KINDS.get(fields.pop("block", ""))
    if kind is None:
        raise InputError(f"no block of kind {data.get('block')!r}: this study was written by another version.")
    if kind is Panel:
        fields["blocks"] = tuple(from_json(inner) for inner in fields["blocks"])
    made: Block = kind(**{name: _tuples(value) for name, value in fields.items()})
    return made


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
