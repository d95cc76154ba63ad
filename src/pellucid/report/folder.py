"""Where an audit's records go, and how they come back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.core.store import load


@dataclass(frozen=True)
class Folder:
    """Where records go: `root / records / part`; without a root, nowhere."""

    root: Path | None = None
    part: str = ""

    @classmethod
    def of(cls, out: str | Path | None, part: str = "") -> Folder:
        return cls(None if out is None else Path(out), part)

    def place(self, name: str) -> Path | None:
        """A file among the records; None where nothing is written."""
        return None if self.root is None else self.root / "records" / self.part / name

    def keep(self, record: Any, name: str) -> str:
        """Write a record and return its name beside the page; the bare name where nothing is written."""
        place = self.place(f"{slug(name)}.npz")
        if self.root is None or place is None:
            return name
        place.parent.mkdir(parents=True, exist_ok=True)
        record.save(place)
        return place.relative_to(self.root).as_posix()

    def read(self, file: str) -> Any:
        """The record of that name beside the page."""
        if self.root is None:
            raise FileNotFoundError(file)
        return load(self.root / file)


def slug(name: str) -> str:
    """A name as a file may have it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "record"
