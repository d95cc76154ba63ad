"""What leaves a command on stdout: one JSON document, or a page for people.

stdout belongs to the command alone: while a model runs, whatever it prints goes to stderr.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterator
from typing import Any

import click


def print_json(document: Any) -> None:
    """One document; a number that is not finite becomes null, which JSON has."""
    click.echo(json.dumps(plain(document), indent=2, allow_nan=False))


def plain(value: Any) -> Any:
    """What JSON can hold of any value: records by their fields, methods and other values of ours by their spelling."""
    import numpy as np

    from pellucid.core.registry import RECORDS
    from pellucid.core.store import NESTED

    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case np.generic():
            return plain(value.item())
        case np.ndarray():
            return [plain(item) for item in value.tolist()]
        case dict():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list():
            return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and type(value).__name__ in (*RECORDS, *NESTED):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value) if field.repr}
    return str(value)


@contextlib.contextmanager
def own_stdout() -> Iterator[None]:
    """Inside, prints of Python and of compiled code alike go to stderr."""
    with contextlib.redirect_stdout(sys.stderr), _descriptor_to_stderr():
        yield


@contextlib.contextmanager
def _descriptor_to_stderr() -> Iterator[None]:
    """The same below Python, for libraries in C that write to descriptor 1; both are flushed at each turn."""
    _flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
