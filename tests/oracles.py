"""Closed-form answers, worked out by hand, by enumeration, or taken from the founding texts and the papers.

An entry has `id`, `family`, `spec` (the question), `expected` (named answers) and `tol`.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _table() -> dict[str, dict[str, Any]]:
    entries = json.loads(Path(__file__).with_name("oracles.json").read_text(encoding="utf-8"))
    return {entry["id"]: entry for entry in entries}


def oracle(id: str) -> dict[str, Any]:
    """The entry called `id`; an unknown one is an error that lists the known ones."""
    try:
        return _table()[id]
    except KeyError:
        raise KeyError(f"no oracle {id!r}; there are {', '.join(_table())}") from None
