"""Any record <-> one `.npz`: arrays as they are, everything else as JSON beside them. No pickle in either direction.

Generic over dataclass fields. Values of ours (methods, targets, maskers) are stored by their spelling; which classes a
file may name is the public table, so a file can build nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import re
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core import registry, spelling
from pellucid.core.errors import SpellingError, StoreError

_PARTIAL = re.compile(r"\..+\.[0-9a-f]{32}\.part")
HEADER = "header.json"
FORMAT = 1
NESTED = {  # parts of records that are no public names
    "Dissection": "pellucid.core.dissection",
    "Line": "pellucid.core.scores",
    **dict.fromkeys(["Dispute", "Evidence"], "pellucid.core.dispute"),
    **dict.fromkeys(["Suggestion", "Trial"], "pellucid.core.advice"),
    "Rule": "pellucid.core.model_card",
    **dict.fromkeys(["Arm", "Contrast"], "pellucid.core.study"),
    **dict.fromkeys(["BiasLine", "RoleLine", "Remedy"], "pellucid.core.positional"),
    "Reply": "pellucid.core.replies",
}


def save(record: Any, path: str | Path) -> Path:
    """Write a record; the file appears whole or not at all."""
    path = Path(path)
    arrays: dict[str, np.ndarray] = {}
    header = json.dumps({"format": FORMAT, "record": _pack(record, "r", arrays)}, allow_nan=True)
    arrays[HEADER] = np.frombuffer(header.encode(), dtype=np.uint8)
    with appearing(path) as partial, partial.open("xb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    return path


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when all is written, and vanishes if anything goes wrong."""
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Delete what a killed run left half written by `appearing` in this folder; no other run may be writing there."""
    for path in folder.glob(".*.part"):
        if _PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)


def load(path: str | Path) -> Any:
    """Read a record that `save` wrote."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise StoreError(
            f"{Path(path).name} is not a record of pellucid: expected an .npz that `record.save` wrote."
        ) from error
    if HEADER not in arrays:
        raise StoreError(f"{Path(path).name} is an .npz, but not one that `record.save` wrote: it has no {HEADER}.")
    header = json.loads(arrays[HEADER].tobytes())
    if header["format"] != FORMAT:
        raise StoreError(
            f"{Path(path).name} has format {header['format']}, this version reads {FORMAT}: use the version that wrote it."
        )
    return _unpack(header["record"], arrays)


def _pack(value: Any, key: str, arrays: dict[str, np.ndarray]) -> Any:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case np.generic():
            return value.item()
        case np.ndarray() if value.dtype == object:
            return {
                "objects": [_pack(v, key, arrays) for v in value.ravel().tolist()],
                "shape": list(value.shape),
            }
        case np.ndarray():
            arrays[key] = value
            return {"array": key}
        case tuple() | list():
            return {"tuple": [_pack(v, f"{key}.{i}", arrays) for i, v in enumerate(value)]}
        case dict():
            return {"dict": {k: _pack(v, f"{key}.{k}", arrays) for k, v in value.items()}}
    if not dataclasses.is_dataclass(value):
        return {"lost": repr(value)}
    name = type(value).__name__
    if name not in registry.RECORDS and name not in NESTED:
        return {"spelling": spelling.spell(value)}
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init and f.repr}
    return {"class": name, "fields": {k: _pack(v, f"{key}.{k}", arrays) for k, v in fields.items()}}


def _unpack(packed: Any, arrays: dict[str, np.ndarray]) -> Any:
    match packed:
        case {"array": key}:
            return arrays[key]
        case {"objects": items, "shape": shape}:
            whole = np.empty(len(items), dtype=object)
            whole[:] = [_unpack(item, arrays) for item in items]
            return whole.reshape(shape)
        case {"tuple": items}:
            return tuple(_unpack(item, arrays) for item in items)
        case {"dict": items}:
            return {key: _unpack(item, arrays) for key, item in items.items()}
        case {"spelling": text}:
            return _parsed(text)
        case {"lost": _}:
            return None
        case {"class": name, "fields": fields}:
            return _class(name)(**{key: _unpack(value, arrays) for key, value in fields.items()})
    return packed


def _parsed(text: str) -> Any:
    """A value of ours; None where it held a user's function, which no file can keep."""
    try:
        return spelling.parse(text)
    except SpellingError:
        return None


def _class(name: str) -> Any:
    if name in NESTED:
        return getattr(importlib.import_module(NESTED[name]), name)
    if name not in registry.RECORDS:
        raise StoreError(
            f"this file names {name!r}, which is no record of pellucid: it was not written by `record.save`."
        )
    return registry.resolve(name)
