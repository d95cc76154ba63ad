"""Records come back from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.core import store


def load(path: str | Path) -> Any:
    """Read a record that `record.save(path)` wrote."""
    return store.load(path)
