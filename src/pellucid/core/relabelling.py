"""What a person decided about labels, applied to them: keep, another label, or drop the row.

Decisions come from the page that `relabel_page` writes, as JSON or CSV: `row`, what the label `was`, the `decision` and the
`label` now. Those of other data are refused: every row has to have the label that it had on the page.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pellucid.core.errors import InputError

SCHEMA = "pellucid-labels-1"
_DECISIONS = ("keep", "relabel", "drop")
_FIELDS = ("row", "was", "decision", "label")


class Relabelled(NamedTuple):
    """`labels (n,)` with the new ones in their places, and `kept (n,)`, False where the row is to be dropped."""

    labels: np.ndarray
    kept: np.ndarray


def relabel(y: Any, decisions: Any, *, classes: Sequence[Any] | None = None) -> Relabelled:
    """Apply decisions to labels.

    Parameters
    ----------
    y : (n,) the labels that the page was made of.
    decisions : the file that the page saved, .json or .csv, or a list of `{"row", "was", "decision", "label"}`.
    classes : labels that may be given besides those that y holds.
    """
    labels = np.array(np.asarray(y).tolist())
    known = {str(label): label for label in [*labels.tolist(), *(classes or ())]}
    made, kept, seen = labels.astype(object), np.ones(len(labels), dtype=bool), set()
    for line in _read(decisions, len(labels)):
        row, decision = _checked(line, labels)
        if row in seen:
            raise InputError(f"row {row} is decided twice: leave one of the two decisions out.")
        seen.add(row)
        kept[row] = decision != "drop"
        if decision == "relabel":
            if str(line["label"]) not in known:
                names = ", ".join(list(known)[:20])
                raise InputError(
                    f"row {row} is relabelled {line['label']!r}: expected one of {names}, or classes= with it."
                )
            made[row] = known[str(line["label"])]
    return Relabelled(np.array(made.tolist()), kept)


def _read(given: Any, n: int) -> list[dict[str, Any]]:
    if not isinstance(given, str | Path):
        return list(given)
    path = Path(given)
    if path.suffix.lower() not in (".json", ".csv") or not path.is_file():
        raise InputError(f"{path.name} is no file of decisions: give the .json or .csv that the page saved.")
    try:
        return _of_csv(path) if path.suffix.lower() == ".csv" else _of_json(path, n)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.name} holds no decisions ({error}): give the file that the page saved.") from error


def _of_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file, strict=True))
    if lines and set(_FIELDS) - set(lines[0]):
        raise ValueError(f"expected the columns {', '.join(_FIELDS)}")
    return lines


def _of_json(path: Path, n: int) -> list[dict[str, Any]]:
    held = json.loads(path.read_text(encoding="utf-8"))
    if held["schema"] != SCHEMA:
        raise ValueError(f"its schema is {held['schema']!r}, expected {SCHEMA!r}")
    if held["rows"] != n:
        raise InputError(f"{path.name} is about {held['rows']:,} labels and {n:,} were given: give those of the page.")
    return list(held["decisions"])


def _checked(line: Any, labels: np.ndarray) -> tuple[int, str]:
    """The row and the decision of one line, if it is one about these labels."""
    if not isinstance(line, dict) or set(_FIELDS) - set(line) or line["decision"] not in _DECISIONS:
        raise InputError(f"{line!r} is no decision: expected row, was, decision ({', '.join(_DECISIONS)}) and label.")
    text = str(line["row"])
    if not text.isascii() or not text.isdigit() or int(text) >= len(labels):
        raise InputError(f"there is no row {line['row']!r}; the labels are numbered 0 to {len(labels) - 1}.")
    row = int(text)
    if str(line["was"]) != str(labels[row]):
        raise InputError(
            f"row {row} was {line['was']!r} on the page and is {str(labels[row])!r} here: give the labels of the page."
        )
    return row, str(line["decision"])
