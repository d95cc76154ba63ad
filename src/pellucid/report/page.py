"""Audits -> one HTML page: no network, no script, everything that a user named escaped.

The page is one template; this file only says what stands where. The content policy in its head forbids whatever the page
does not need, so that even a mistake here could not run or load anything.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from pellucid.core.budget import Receipt, versions
from pellucid.core.records import Attribution, Comparison, Curve, Line
from pellucid.report import enough, figures
from pellucid.report.bars import bars
from pellucid.report.plan import SLOPES, is_slope
from pellucid.report.record import Audit, RegionTest, Warn
from pellucid.report.words import number, percent, signed

_METRICS = ("Deletion", "Insertion", "Completeness", "Stability", "ModelRandomization")
_CLASSES = 6  # maps of places shown
_OPEN = 2  # rows that are unfolded
_KINDS = {"torch": "network (torch)", "estimator": "estimator"}


def render(audits: Sequence[Audit], title: str = "Audit") -> str:
    """The page."""
    env = Environment(
        loader=PackageLoader("pellucid.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {"percent": percent, "signed": signed, "number": number, "together": together}
    models = [_model(audit, i) for i, audit in enumerate(audits)]
    return env.get_template("audit.html").render(title=title, models=models, versions=versions())


def together(sentence: str) -> str:
    """A sentence in which no line ends between a number and its sign."""
    return sentence.replace(" %", "\u00a0%")


def _model(audit: Audit, i: int) -> dict[str, Any]:
    compared = audit.comparison
    return {
        "id": f"model-{i}",
        "name": audit.name,
        "summary": audit.summary,
        "facts": _facts(audit),
        "serious": [{**w, "figures": _shown(audit, w)} for w in audit.warnings if w["about"] == "model"],
        "cautions": [{**w, "figures": []} for w in audit.warnings if w["about"] != "model"],
        "held_out": audit.facts["held_out"],
        "importance": None if audit.importance is None else figures.importance(audit.importance),
        "importance_notes": () if audit.importance is None else audit.importance.receipt.warnings,
        "columns": None if audit.columns is None else _columns(audit),
        "places": None if audit.regions is None else _places(audit.regions),
        "groups": audit.groups,
        "glance": [] if compared is None else _glance(compared),
        "metrics": _METRICS,
        "agreement": figures.agreement(compared) if compared and len(compared.names) > 1 else None,
        "slopes": [] if compared is None else [name for name in compared.names if name in SLOPES],
        "curves": [] if compared is None else _curves(compared),
        "rows": [] if compared is None else _rows(audit, compared),
        "rules_receipt": None if audit.rules is None else receipt_text(audit.rules.receipt),
        "left_out": audit.left_out,
        "receipt": audit.receipt,
        "records": audit.records,
    }


def _shown(audit: Audit, warning: Warn) -> list[dict[str, str]]:
    """Beside a suspicious place: a picture of the class, and the explanation that shows the place best."""
    numbers, compared = warning["numbers"], audit.comparison
    rows = [i for i, row in enumerate(audit.rows) if row["predicted"] == numbers.get("class")]
    if warning["code"] != "shortcut" or compared is None or not rows or not _is_picture(compared):
        return []
    row, box = rows[0], (numbers["top"], numbers["left"], numbers["height"], numbers["width"])
    said = f"row {audit.rows[row]['row']}, called “{numbers['class']}”"
    made = [{"figure": figures.framed(compared.attributions[0], row, box, False), "caption": said}]
    weights = numbers["weight_by_method"]
    best = max(weights, key=weights.get, default=None)
    if best is not None and compared.attributions[compared.names.index(best)].done[row]:
        record = compared.attributions[compared.names.index(best)]
        said = f"{best} of it: {percent(weights[best])} of its weight lies there in such pictures"
        made.append({"figure": figures.framed(record, row, box, True), "caption": said})
    return made


def _is_picture(compared: Comparison) -> bool:
    first = compared.attributions[0]
    return len(first.spatial) == 2 and first.layout != "table"


def _facts(audit: Audit) -> list[str]:
    """The line under a model's name."""
    f, p = audit.facts, audit.performance
    shape = " × ".join(map(str, f["row_shape"]))
    said = ["a function" if f["kind"] == "callable" else f"{f['model']}, {_KINDS.get(f['kind'], f['kind'])}"]
    said.append(f"{len(f['columns']) or shape} columns" if f["input"] == "table" else f"{f['input']}s of {shape}")
    said += [f"{len(f['classes'])} classes"] if f["classes"] else ["regression"]
    looked = "" if f["rows_looked_at"] == f["rows_given"] else f", {f['rows_looked_at']:,} of them looked at"
    said.append(f"{f['rows_given']:,} rows{looked}")
    if p.get("right") is not None:
        said.append(f"right in {percent(p['right'])} ({percent(p['low'])} to {percent(p['high'])})")
    elif p:
        said.append(f"R² {number(p['r2'])}, mean absolute error {number(p['mean_absolute_error'])}")
    return said


def _columns(audit: Audit) -> dict[str, Any]:
    test = audit.columns
    assert test is not None
    known = bool(np.isfinite(test.share).all())
    return {"figure": figures.columns_alone(test) if known else None, "of_truth": test.of_truth}


def _places(test: RegionTest) -> dict[str, Any]:
    """Suspicious classes first, then the most frequent."""
    order = sorted(range(len(test.names)), key=lambda i: not test.suspicious[i])
    shown = [
        {
            "name": test.names[i],
            "share": test.share[i, 0],
            "area": test.area[i],
            "contrast": test.contrast[i],
            "pasted": test.pasted[i, 0],
            "removed": test.removed[i, 0],
            "suspicious": bool(test.suspicious[i]),
            "figure": figures.places(test, i) if at < _CLASSES else None,
        }
        for at, i in enumerate(order)
    ]
    return {"classes": shown, "few": test.few, "skipped": test.skipped}


def _glance(compared: Comparison) -> list[dict[str, Any]]:
    """One line a method: every metric's mean and verdict, and the cost."""
    made = []
    for name, record, card in zip(compared.names, compared.attributions, compared.scorecards, strict=True):
        lines = {line.metric: line for line in card.lines}
        r, rows = record.receipt, max(1, int(record.done.sum()))
        made.append(
            {
                "name": name,
                "question": getattr(getattr(record.method, "card", None), "question", ""),
                "cells": [_cell(lines.get(metric), _additive(record)) for metric in _METRICS],
                "model_rows": (r.rows_forward + r.rows_backward) / rows,
                "seconds": r.seconds / rows,
            }
        )
    return made


def _additive(record: Attribution) -> bool:
    return bool(getattr(getattr(record.method, "card", None), "complete", False))


def _cell(line: Line | None, additive: bool) -> dict[str, Any]:
    """A number, a word, and a mood: good, bad or open."""
    if line is None:
        return {"text": "–", "verdict": "", "mood": "none"}
    value = line.mean if line.advantage is None else line.advantage
    low, high = (line.low, line.high) if line.advantage is None else (line.advantage_low, line.advantage_high)
    text = number(value) if line.advantage is None else signed(value)
    verdict = line.verdict.partition(";")[0].partition(":")[0]
    if line.metric == "Completeness" and not additive:
        return {"text": text, "verdict": "not meant to add up", "mood": "none", "low": low, "high": high}
    good = verdict.startswith(("better", "passes"))
    bad = verdict.startswith(("worse", "fails", "no better", "degenerate"))
    return {
        "text": text,
        "verdict": verdict,
        "mood": "good" if good else "bad" if bad else "open",
        "low": low,
        "high": high,
    }


def _curves(compared: Comparison) -> list[dict[str, str]]:
    """Deletion and insertion of all methods, each metric in one figure."""
    made = []
    for metric in ("Deletion", "Insertion"):
        records = {
            name: _judged(curve)
            for name, card in zip(compared.names, compared.scorecards, strict=True)
            for curve in card.curves
            if curve.metric == metric and curve.curves is not None
        }
        if records:
            made.append({"name": metric, "figure": figures.curves(records)})
    return made


def _judged(curve: Curve) -> Curve:
    """The rows that were finished."""
    return curve[np.isfinite(curve.value)]


def _rows(audit: Audit, compared: Comparison) -> list[dict[str, Any]]:
    first, picture = compared.attributions[0], _is_picture(compared)
    return [
        {
            **facts,
            "open": i < _OPEN,
            "explained": _target(audit, first, i),
            "picture": picture,
            "input": figures.seen(first, i) if picture else None,
            "agreement": _agreement(compared, i),
            "rule": None if audit.rules is None else enough.told(audit.rules, i),
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
        "gap": record.gap[row] if _additive(record) else None,
        "deletion": _advantage(read.get("Deletion"), row),
        "insertion": _advantage(read.get("Insertion"), row),
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
