"""The page's part on single rows: what each method says of each, what was measured of that, and which rule is enough."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import numpy as np

from pellucid.core.budget import Receipt
from pellucid.core.records import Attribution
from pellucid.core.scores import Comparison, Curve
from pellucid.report import enough, figures, otherwise
from pellucid.report.bars import bars
from pellucid.report.page_methods import additive
from pellucid.report.plan import is_slope
from pellucid.report.record import Audit

_OPEN = 2  # rows that are unfolded


def is_picture(compared: Comparison) -> bool:
    """Whether rows have two axes of space."""
    first = compared.attributions[0]
    return len(first.spatial) == 2 and first.layout != "table"


def rows(audit: Audit, compared: Comparison) -> list[dict[str, Any]]:
    """One dict a row."""
    first, picture = compared.attributions[0], is_picture(compared)
    return [
        {
            **facts,
            "open": i < _OPEN,
            "explained": _target(audit, first, i),
            "picture": picture,
            "input": figures.seen(first, i) if picture else None,
            "agreement": _agreement(compared, i),
            "rule": None if audit.rules is None else enough.told(audit.rules, i),
            "change": None if audit.changes is None else otherwise.told(audit.changes, i),
            "methods": [_explained(compared, j, i, picture) for j in range(len(compared.names))],
        }
        for i, facts in enumerate(audit.rows)
    ]


def _target(audit: Audit, record: Attribution, row: int) -> str:
    """Which number is explained, by the names that the user knows."""
    classes, label = audit.facts["classes"], getattr(record.target, "label", None)
    column = label[row] if isinstance(label, tuple) else label
    scale = {"raw": "raw score", "margin": "margin", "probability": "probability"}.get(
        record.receipt.scale or "", "score"
    )
    return f"the {scale} of “{classes[column]}”" if isinstance(column, int) and classes else f"the {scale}"


def _agreement(compared: Comparison, row: int) -> float | None:
    """The mean rank correlation on one row of every two methods that share out the score."""
    alike = [i for i, record in enumerate(compared.attributions) if not is_slope(record.method)]
    pairs = np.array([compared.by_row[row, i, j] for i, j in itertools.combinations(alike, 2)])
    return float(np.nanmean(pairs)) if np.isfinite(pairs).any() else None


def _explained(compared: Comparison, j: int, row: int, picture: bool) -> dict[str, Any]:
    """One method on one row."""
    record, card = compared.attributions[j], compared.scorecards[j]
    done = bool(record.done[row])
    read = {curve.metric: curve for curve in card.curves}
    finished = max(1, int(record.done.sum()))
    return {
        "name": compared.names[j],
        "done": done,
        "figure": _figure(record, row, picture) if done else None,
        "bars": bars(record, row) if done and record.layout == "table" else None,
        "limit": float(np.abs(record.collapse("sum")[row]).max()) if done else None,
        "score": record.scores[row],
        "base": record.base_values[row],
        "gap": record.gap[row] if additive(record) else None,
        "deletion": _advantage(read.get("Deletion"), row),
        "insertion": _advantage(read.get("Insertion"), row),
        "inside": _value(read.get("Localization"), row),
        "stability": _value(read.get("Stability"), row),
        "sanity": _value(read.get("ModelRandomization"), row),
        "model_rows": (record.receipt.rows_forward + record.receipt.rows_backward) / finished,
        "receipt": receipt_text(record.receipt),
    }


def _figure(record: Attribution, row: int, picture: bool) -> str | None:
    if record.layout == "table":
        return None
    return figures.heat(record, row) if picture else figures.shown(record, row)


def _advantage(curve: Curve | None, row: int) -> float | None:
    return None if curve is None else float(curve.advantage[row])


def _value(curve: Curve | None, row: int) -> float | None:
    return None if curve is None else float(curve.value[row])


def receipt_text(receipt: Receipt) -> str:
    """A receipt as a person reads it: one fact a line, nothing that is empty."""
    facts = {key: value for key, value in dataclasses.asdict(receipt).items() if value not in (None, (), {}, [])}
    return "\n".join(f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in facts.items())
