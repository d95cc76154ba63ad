"""What a benchmark has finished, a file a method, so that nothing is computed twice and an interruption loses one method at most.

    methods/KEY.json    the method's line, and the middle slice of its first map for the page

KEY is a digest of all that the numbers depend on: the network's weights, the recipe, the patches' own digests, the method's
spelling, what it is judged by, the device, and the versions of the libraries.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid.core.errors import StoreError
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.method_line import MethodLine


@dataclass(frozen=True)
class Finished:
    """A method that is done: its line, and one slice of one map, `picture[y][x]` in [-1, 1], empty where it failed."""

    line: MethodLine
    picture: list[list[float]]


@dataclass(frozen=True)
class Kept:
    """A folder of finished methods of one network on the same patches."""

    folder: Path
    facts: dict[str, Any]

    def path(self, method: str) -> Path:
        text = json.dumps([self.facts, method], sort_keys=True)
        return self.folder / "methods" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"

    def get(self, method: str) -> Finished | None:
        """What was kept of a method by its spelling."""
        path = self.path(method)
        if not path.is_file():
            return None
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return Finished(MethodLine.of(told["line"]), told["picture"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{path.name} is not what a benchmark wrote: delete it, and it is made anew.") from error

    def put(self, done: Finished) -> None:
        """Keep it; the file appears whole or not at all."""
        path = self.path(done.line.method)
        path.parent.mkdir(parents=True, exist_ok=True)
        with appearing(path) as partial:
            told = {"line": done.line.facts(), "picture": done.picture}
            partial.write_text(json.dumps(told, allow_nan=False) + "\n", encoding="utf-8")
