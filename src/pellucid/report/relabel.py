"""Label errors -> one HTML page on which a person keeps, changes or drops the most suspect labels, and saves what was decided.

The page needs no network and may reach none: its script and style are allowed by their hashes, everything that a user named is
escaped, and pictures are in it as data. `relabel(y, decisions)` applies what it saves.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from pellucid import plot
from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_data
from pellucid.core.label_errors import LabelErrors
from pellucid.core.relabelling import SCHEMA
from pellucid.core.sealed import embedded, environment, policy
from pellucid.core.store import appearing
from pellucid.models.text import as_texts
from pellucid.report import figures
from pellucid.report.page import together
from pellucid.report.words import number, percent

_TEMPLATES = files("pellucid.report") / "templates"
_CELLS = 12  # columns of a row that are shown at once


def relabel_page(
    record: LabelErrors,
    path: str | Path,
    X: Any = None,
    *,
    k: int = 50,
    names: Sequence[str] | None = None,
    title: str = "Labels to look at",
) -> Path:
    """Write the page: the k most suspect labels, each to keep, to change or to drop.

    Parameters
    ----------
    record : what `label_errors` handed back.
    path : the .html file.
    X : (n, *features) the rows of the record, to be shown: a frame, texts, pictures, numbers; None shows labels alone.
    k : how many labels, the most suspect first.
    names : names of the columns of an array.
    """
    if X is not None and len(X) != len(record):
        raise InputError(f"X has {len(X)} rows, the record {len(record)}: give the rows that it was made of.")
    with appearing(Path(path)) as partial:
        partial.write_text(render(record, X, k, names, title), encoding="utf-8")
    return Path(path)


def render(record: LabelErrors, X: Any, k: int, names: Sequence[str] | None, title: str) -> str:
    """The page."""
    style, script = (_TEMPLATES.joinpath(f"relabel.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    env = environment("pellucid.report")
    env.filters |= {"percent": lambda share: together(percent(share)), "number": number}
    order = record.order[:k]
    rows = [_row(record, int(row)) | content for row, content in zip(order, _contents(X, order, names), strict=True)]
    return env.get_template("relabel.html").render(
        title=title,
        policy=policy(style, script),
        style=Markup(style),
        script=Markup(script),
        data=embedded(_data(record, order)),
        rows=rows,
        labels=list(enumerate(_labels(record))),
        total=len(record),
        method=record.receipt.method,
        curve=None if record.wrong is None else figures.svg(lambda ax: plot.label_errors(record, ax), 2.6),
        wrong=None if record.wrong is None else int(record.wrong.sum()),
        warnings=record.receipt.warnings,
    )


def _labels(record: LabelErrors) -> list[str]:
    """Every label that can be given, as text."""
    return list(dict.fromkeys(map(str, record.classes or sorted(set(record.labels.tolist())))))


def _data(record: LabelErrors, order: np.ndarray) -> dict[str, Any]:
    """What the script needs: nothing that it does not write into the file of decisions."""
    labels = [str(label) for label in record.labels.tolist()]
    mark = zlib.crc32("\n".join([record.receipt.method, *labels]).encode())
    return {
        "schema": SCHEMA,
        "of": f"{mark:08x}",
        "total": len(record),
        "classes": _labels(record),
        "rows": [{"row": int(row), "was": labels[row]} for row in order],
    }


def _row(record: LabelErrors, row: int) -> dict[str, Any]:
    label, suggested = str(record.labels[row]), str(record.suggested[row])
    others = [name for name in _labels(record) if name != label]
    return {
        "row": row,
        "label": label,
        "suggested": suggested,
        "agrees": label == suggested,
        "confidence": float(record.confidence[row]),
        "support": float(record.support[row]),
        "score": float(record.scores[row]),
        "first": suggested if label != suggested else (others or [label])[0],
    }


def _contents(X: Any, order: np.ndarray, names: Sequence[str] | None) -> list[dict[str, Any]]:
    """What is shown of each row: a picture, a text, or columns and their values."""
    nothing: dict[str, Any] = {"picture": None, "text": None, "cells": []}
    if X is None:
        return [nothing] * len(order)
    texts = as_texts(X)
    if texts is not None:
        return [{**nothing, "text": str(texts[row])} for row in order]
    data, _, own = plain_data(X)
    if data.ndim > 2:
        return [{**nothing, "picture": figures.pixels(data[row])} for row in order]
    named = list(names or own or (f"x{j}" for j in range(data.shape[1])))
    return [{**nothing, "cells": list(zip(named, map(_datum, data[row]), strict=True))} for row in order]


def _datum(value: Any) -> str:
    if value is None or value != value:
        return "missing"
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)
