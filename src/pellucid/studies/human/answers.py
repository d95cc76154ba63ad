"""Answers as JSON lines: read, and held against the study, so that the analysis can trust every field.

    {"schema": 1, "study": "0f3c...", "participant": "9b1d...", "consent": true, "seat": 3, "condition": "with", "position": 0,
     "item": "7", "answer": ["benign"], "seconds": 12.3, "away": 0.0}

`position` counts pages from 0, `seconds` from the page's appearance to its answer, `away` is how long of it the page was hidden.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

from pellucid.core.errors import InputError
from pellucid.studies.human.study import LONGEST, SCHEMA, Study

PARTICIPANT = re.compile(r"[0-9a-f]{16}")
_FIELDS = {
    "schema",
    "study",
    "participant",
    "consent",
    "seat",
    "condition",
    "position",
    "item",
    "answer",
    "seconds",
    "away",
}

Line = dict[str, Any]
Source = str | Path | Iterable[Line]


@dataclass(frozen=True)
class Answers:
    """Lines that fit the study, each item at most once per participant; `repeated` lines came again and were left out."""

    lines: tuple[Line, ...]
    repeated: int = 0

    @cached_property
    def people(self) -> dict[str, tuple[Line, ...]]:
        """Each participant's lines in the order of the pages; participants in the order of appearance."""
        made: dict[str, list[Line]] = {}
        for line in self.lines:
            made.setdefault(line["participant"], []).append(line)
        return {name: tuple(sorted(lines, key=itemgetter("position"))) for name, lines in made.items()}


def read(study: Study, sources: Source | Iterable[str | Path]) -> Answers:
    """Read files of JSON lines, or take lines as they are, and check each against the study."""
    known: dict[tuple[str, str], Line] = {}
    seats: dict[str, int] = {}
    repeated = 0
    for where, line in _lines(sources):
        if (trouble := wrong(study, line)) is not None:
            raise InputError(f"{where}: {trouble}.")
        key = (line["participant"], line["item"])
        if seats.setdefault(line["participant"], line["seat"]) != line["seat"]:
            raise InputError(f"{where}: participant {line['participant']} sits on two seats: two files were mixed up.")
        repeated += key in known
        known.setdefault(key, line)
    return Answers(tuple(known.values()), repeated)


def _lines(sources: Any) -> Iterator[tuple[str, Line]]:
    if isinstance(sources, str | Path):
        sources = [sources]
    for i, source in enumerate(sources, 1):
        if isinstance(source, str | Path):
            yield from _of_file(Path(source))
        else:
            yield f"line {i}", source


def _of_file(path: Path) -> Iterator[tuple[str, Line]]:
    whole = path.read_text(encoding="utf-8-sig", errors="replace")
    for i, text in enumerate(whole.split("\n"), 1):  # and at no other sign that ends a line: an option may hold one
        if text.strip():
            try:
                yield f"{path.name}, line {i}", json.loads(text)
            except ValueError:
                raise InputError(
                    f"{path.name}, line {i} is not JSON: was the file cut off? Remove the line, and read again."
                ) from None


def wrong(study: Study, line: Any) -> str | None:
    """What is wrong with a line, in words; None where nothing is."""
    if not isinstance(line, dict) or set(line) != _FIELDS:
        return f"an answer is an object with the fields {', '.join(sorted(_FIELDS))}"
    if line["schema"] != SCHEMA or line["study"] != study.id:
        return f"it answers another study (or another version of it) than {study.id}"
    if not (isinstance(line["participant"], str) and PARTICIPANT.fullmatch(line["participant"])):
        return "a participant is 16 hexadecimal digits"
    if line["consent"] is not True:
        return "nobody agreed to take part"
    return _wrong_place(study, line) or _wrong_answer(study, line)


def _wrong_place(study: Study, line: Line) -> str | None:
    """The page, and whether this seat has it here and under this condition."""
    if not (_whole(line["seat"]) and 0 <= line["seat"] < study.seats):
        return f"there are the seats 0 to {study.seats - 1}"
    order = study.plan[line["seat"]].order
    if not (_whole(line["position"]) and 0 <= line["position"] < len(order)):
        return f"there are the pages 0 to {len(order) - 1}"
    item = study.items[order[line["position"]]]
    if line["item"] != item.id:
        return f"page {line['position']} of seat {line['seat']} is item {item.id!r}"
    if line["condition"] != study.condition(line["seat"], item.id):
        return f"on seat {line['seat']}, item {item.id!r} has another condition"
    return None


def _wrong_answer(study: Study, line: Line) -> str | None:
    item, answer = study.by_id[line["item"]], line["answer"]
    if not isinstance(answer, list) or any(one not in item.options for one in answer) or len(set(answer)) < len(answer):
        return f"an answer to item {item.id!r} is a list of its options"
    if item.asks and not item.several and len(answer) != 1:
        return f"item {item.id!r} has one answer"
    if not all(_duration(line[name]) for name in ("seconds", "away")):
        return "seconds and away are numbers from 0 to a week"
    return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _duration(value: Any) -> bool:
    real = isinstance(value, int | float) and not isinstance(value, bool)
    return real and math.isfinite(value) and 0 <= value <= LONGEST
