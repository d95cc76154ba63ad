"""What a run has finished, kept as it goes: answers as JSON lines, explanations as records; a run that is cut off goes on
from there.

The first line of `answers.jsonl` says which model and which prompts the answers belong to, so that no answer of another
model is taken over. A last line that was cut off in the middle is asked again. An explanation is a file that appears whole
or not at all, and its name depends on all that it depends on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pellucid.core.errors import InputError, StoreError
from pellucid.core.positional import Reply
from pellucid.core.records import Attribution
from pellucid.core.store import load
from pellucid.studies.positional_bias.prompts import Key

FORMAT = 1


class Journal:
    """A folder, or nothing at all: then nothing is kept and nothing taken over."""

    def __init__(self, folder: str | Path | None, identity: dict[str, Any], resume: bool) -> None:
        self.folder = None if folder is None else Path(folder)
        self.digest = digest(identity)
        self.known: dict[Key, Reply] = {}
        if self.folder is None:
            return
        (self.folder / "explanations").mkdir(parents=True, exist_ok=True)
        self.answers = self.folder / "answers.jsonl"
        self._begin(identity, resume)

    def _begin(self, identity: dict[str, Any], resume: bool) -> None:
        if not self.answers.exists():
            self.answers.write_text(_line({"format": FORMAT, **identity}), encoding="utf-8")
        elif not resume:
            raise InputError(
                f"{self.folder} holds answers of a run already: resume to go on with it, or choose another folder."
            )
        lines = _whole_lines(self.answers)
        _same_run(lines[0] if lines else None, identity, self.answers)
        self.known = {_key(line): _reply(line) for line in lines[1:]}

    def add(self, replies: Iterable[Reply]) -> None:
        """Keep answers; when this returns they are on the disk."""
        replies = tuple(replies)
        self.known |= {reply_key(reply): reply for reply in replies}
        if self.folder is None:
            return
        with self.answers.open("a", encoding="utf-8") as file:
            file.write("".join(_line(dataclasses.asdict(reply)) for reply in replies))
            file.flush()
            os.fsync(file.fileno())

    def explanation(self, *facts: Any) -> Attribution | None:
        """The record that was kept for these facts, if there is one."""
        path = self._path(facts)
        if path is None or not path.exists():
            return None
        record: Attribution = load(path)
        return record

    def keep(self, record: Attribution, *facts: Any) -> None:
        """Keep the record of an explanation."""
        path = self._path(facts)
        if path is not None:
            record.save(path)

    def _path(self, facts: tuple[Any, ...]) -> Path | None:
        name = digest([self.digest, *facts])
        return None if self.folder is None else self.folder / "explanations" / f"{name}.npz"


def reply_key(reply: Reply) -> Key:
    """The key of the prompt that it answers."""
    return reply.kind, reply.a, reply.b, reply.category, reply.style, reply.order


def digest(facts: Any) -> str:
    """Sixteen digits that change with anything in `facts`."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _line(facts: dict[str, Any]) -> str:
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in facts.items()
    }
    return json.dumps(finite, ensure_ascii=False, allow_nan=False) + "\n"


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines that were written to their end; a torn last one is cut off the file."""
    text = path.read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if len(whole) < len(text):
        os.truncate(path, len(whole))
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise StoreError(f"{path.name} is not what a run of this study wrote: {error}.") from error


def _same_run(head: Any, identity: dict[str, Any], path: Path) -> None:
    """Refuse to mix answers of two models or two plans."""
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise StoreError(f"{path.name} is not what a run of this study wrote: choose another folder.")
    for name, value in identity.items():
        if head.get(name) != value:
            raise InputError(
                f"the answers kept in {path.parent} belong to another {name}: choose another folder, or give back what they "
                "were made with."
            )


def _reply(line: dict[str, Any]) -> Reply:
    try:
        log_odds = math.nan if line["log_odds"] is None else float(line["log_odds"])
        return Reply(**{**line, "log_odds": log_odds})
    except (KeyError, TypeError) as error:
        raise StoreError("a line of answers.jsonl is not what a run of this study wrote.") from error


def _key(line: dict[str, Any]) -> Key:
    return reply_key(_reply(line))
