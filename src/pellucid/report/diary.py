"""What an audit has finished, kept beside its records, so that an interrupted or limited one goes on from there.

After every part that was finished whole, `progress.json` says so: which record it made, of which rows, and what it cost. A part
that was cut short is not in it and is done again. The file also says what the audit is made of (`fingerprint.py`); where that
differs, nothing is taken over.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pellucid.core.budget import Receipt
from pellucid.core.errors import PellucidError
from pellucid.core.store import appearing
from pellucid.report.folder import Folder
from pellucid.report.ledger import Part

NAME = "progress.json"
FORMAT = 1


@dataclass(eq=False)
class Diary:
    """Finished parts by name: those of an earlier run, and those of this one."""

    folder: Folder
    made_of: dict[str, str]
    earlier: dict[str, Any] = field(default_factory=dict)
    held: dict[str, Any] = field(
        default_factory=dict
    )  # records of the earlier run by file, which this one may write over
    entries: dict[str, Any] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    anew: str | None = None

    @classmethod
    def begin(cls, folder: Folder, made_of: dict[str, str], resume: bool) -> Diary:
        """An empty one, or what is left of an earlier run; `anew` says why not."""
        diary = cls(folder, made_of)
        if resume:
            diary.earlier, diary.anew = _read(folder, made_of)
            for file in {entry["file"] for entry in diary.earlier.values()}:
                with contextlib.suppress(PellucidError, OSError):  # then it is made again
                    diary.held[file] = folder.read(file)
        return diary

    def recall(self, part: Part, rows: Sequence[int]) -> tuple[Any, dict[str, Any]] | None:
        """The record that an earlier run made of a part, and the entry; None if it has to be done."""
        entry = self.earlier.get(part.name)
        if entry is None or (part.local and entry["rows"] != list(rows)):
            return None
        if (part.after and part.after not in self.taken) or entry["file"] not in self.held:
            return None
        self.taken.append(part.name)
        self._note(part.name, entry)
        return self.held[entry["file"]], entry

    def note(self, part: Part, receipt: Receipt, file: str, rows: Sequence[int], left: list[dict[str, str]]) -> None:
        """A part is finished."""
        self._note(
            part.name,
            {
                "file": file,
                "rows": list(rows) if part.local else [],
                "rows_forward": receipt.rows_forward,
                "rows_backward": receipt.rows_backward,
                "seconds": receipt.seconds,
                "left_out": left,
            },
        )

    def _note(self, name: str, entry: dict[str, Any]) -> None:
        self.entries[name] = entry
        place = self.folder.place(NAME)
        if place is None:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with appearing(place) as partial:
            whole = {"format": FORMAT, "made_of": self.made_of, "finished": self.entries}
            partial.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")

    def told(self) -> dict[str, Any]:
        """For the record: what was taken over, what that had cost, and why not more."""
        old = [self.entries[name] for name in self.taken]
        cost = {key: sum(entry[key] for entry in old) for key in ("rows_forward", "rows_backward", "seconds")}
        return {"parts": list(self.taken), **cost, "anew": self.anew}


def _read(folder: Folder, made_of: dict[str, str]) -> tuple[dict[str, Any], str | None]:
    """The finished parts of an earlier run, or why there are none."""
    place = folder.place(NAME)
    if place is None:
        return {}, "no folder was given to resume from"
    try:
        held = json.loads(place.read_text(encoding="utf-8"))
        before, finished = held["made_of"], held["finished"]
    except FileNotFoundError:
        return {}, "the folder holds no earlier run"
    except (ValueError, KeyError, TypeError):
        return {}, f"{NAME} of the earlier run cannot be read"
    if held.get("format") != FORMAT:
        return {}, f"{NAME} was written by another version"
    different = [name for name in made_of if before.get(name) != made_of[name]]
    if different:
        verb = "differs" if different == ["model"] else "differ"
        return {}, f"the {' and the '.join(different)} {verb} from those of the earlier run"
    return finished, None
