"""What an audit is made of, as short texts that are equal exactly when a record of an earlier run still holds.

A network is told by its weights, an estimator by all that it holds, a function by its code, and all of them by what they
say of the rows, to the last bit. So a function that calls a service, and answers as before on these rows, counts as unchanged.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from types import CodeType
from typing import Any

import numpy as np

from pellucid.core.budget import versions
from pellucid.report.subject import Subject


def fingerprints(
    subject: Subject, by: Any, beside: Iterable[Any], methods: Iterable[Any], settings: dict[str, Any]
) -> dict[str, str]:
    """The model, the data, methods with their seeds, settings, and versions: each may be why records are of no use.

    `beside` is what was given besides the rows: reference rows, names and examples of concepts.
    """
    form = subject.ready.inputs.form
    return {
        "model": digest(_model(subject)),
        "data": digest(
            [
                subject.x,
                subject.numbers,
                subject.given,
                subject.labels,
                form.names,
                form.schema,
                by,
                *map(_rows, beside),
            ]
        ),
        "methods": ", ".join(map(repr, methods)),
        "settings": json.dumps(settings, default=str, sort_keys=True),
        "versions": json.dumps(versions(*subject.ready.adapter.packages), sort_keys=True),
    }


def digest(parts: Iterable[Any]) -> str:
    """Some values as one short text."""
    made = hashlib.sha256()
    for part in parts:
        for piece in _bytes(part):
            made.update(len(piece).to_bytes(8, "little") + piece)
    return made.hexdigest()[:32]


def _bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray) and value.dtype != object:
        yield str((value.dtype, value.shape)).encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, np.ndarray):
        yield repr(value.tolist()).encode()
    else:
        yield value if isinstance(value, bytes) else repr(value).encode()


def _rows(background: Any) -> Any:
    """Reference rows as something that has bytes."""
    if background is None or isinstance(background, str):
        return background
    rows = background.to_numpy() if hasattr(background, "to_numpy") else background
    return np.asarray(rows.detach().cpu() if hasattr(rows, "detach") else rows)


def _model(subject: Subject) -> Iterator[Any]:
    model, kind = subject.model, subject.kind
    yield from (kind, type(model).__module__, type(model).__qualname__, subject.outputs)
    if kind == "torch":
        yield repr(model)
        for name, tensor in model.state_dict().items():
            yield name
            yield _rows(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)
    elif kind == "estimator":
        yield _held(model)
    else:
        code = getattr(model, "__code__", None) or getattr(type(model).__call__, "__code__", None)
        yield from () if code is None else _code(code)


def _held(model: Any) -> str:
    """All that an estimator holds; nothing where that cannot be written down, so that its answers must do."""
    import joblib

    try:
        return str(joblib.hash(model, hash_name="sha1"))
    except Exception:  # whatever an object of the user's raises when it is pickled
        return ""


def _code(code: CodeType) -> Iterator[Any]:
    """What a function does, without the place of its lines."""
    yield from (code.co_code, code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(constant)
