"""Audits -> `audit.json` and `audit.html`, each whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.budget import versions
from pellucid.core.store import appearing
from pellucid.report import concepts, enough, otherwise
from pellucid.report.gate import Gate, gate
from pellucid.report.page import render
from pellucid.report.record import Audit, GroupTest, RegionTest

FORMAT = 1
PAGE, DATA = "audit.html", "audit.json"


def publish(folder: Path, audits: Sequence[Audit], title: str = "Audit", fail_on: Sequence[str] = ()) -> None:
    """Write the page and the JSON of one or several audits; the records are beside them already."""
    folder.mkdir(parents=True, exist_ok=True)
    judged = gate(audits, fail_on) if fail_on else None
    write(folder / DATA, json.dumps(as_json(audits, title, judged), indent=2, allow_nan=False) + "\n")
    write(folder / PAGE, render(audits, title, judged))


def write(path: Path, text: str) -> None:
    """The file appears whole or not at all."""
    with appearing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def as_json(audits: Sequence[Audit], title: str = "Audit", judged: Gate | None = None) -> dict[str, Any]:
    """What a program may want to know; `warnings` and `left_out` of all models together come first."""
    whole = {
        "format": FORMAT,
        "pellucid": versions().get("pellucid"),
        "title": title,
        "summary": " ".join(f"{audit.name}: {audit.summary}" for audit in audits),
        "warnings": [{"model": audit.name, **warning} for audit in audits for warning in audit.warnings],
        "left_out": [{"model": audit.name, **left} for audit in audits for left in audit.left_out],
        "gate": None if judged is None else judged.as_json(),
        "models": [_model(audit) for audit in audits],
    }
    return plain(whole)


def _model(audit: Audit) -> dict[str, Any]:
    return {
        "name": audit.name,
        "summary": audit.summary,
        **audit.facts,
        "performance": audit.performance,
        "simpler": _simpler(audit),
        "stand_in": _stand_in(audit),
        "concepts": [line for called, made in audit.concepts.items() for line in concepts.told(made, called)] or None,
        "groups": audit.groups,
        "group_reasons": None if audit.reasons is None else _reasons(audit.reasons),
        "rows": audit.rows,
        "methods": _methods(audit),
        "agreement": None if audit.comparison is None else audit.comparison.agreement,
        "disputes": _disputes(audit),
        "importance": _importance(audit),
        "rules": _rules(audit),
        "changes": _changes(audit),
        "typical": _without_pictures(audit.typical) or None,
        "suspects": audit.suspects or None,
        "places": None if audit.regions is None else _places(audit.regions),
        "columns_alone": None
        if audit.columns is None
        else [
            {"column": name, "share": share[0], "low": share[1], "high": share[2]}
            for name, share in zip(audit.columns.names, audit.columns.share, strict=True)
        ],
        "records": audit.records,
        "resumed": audit.resumed or None,
        "receipt": dataclasses.asdict(audit.receipt),
    }


def _without_pictures(typical: dict[str, Any]) -> dict[str, Any]:
    """What a program reads: the rows by their numbers."""
    bare = {
        key: [{name: fact for name, fact in row.items() if name != "picture"} for row in typical.get(key, ())]
        for key in ("prototypes", "criticisms")
    }
    return {**typical, **bare} if typical else {}


def _methods(audit: Audit) -> list[dict[str, Any]]:
    if audit.comparison is None:
        return []
    compared = audit.comparison
    return [
        {
            "name": name,
            "done": record.done,
            "scores": record.scores,
            "base_values": record.base_values,
            "gap": record.gap,
            "metrics": [dataclasses.asdict(line) for line in card.lines],
            "receipt": dataclasses.asdict(record.receipt),
        }
        for name, record, card in zip(compared.names, compared.attributions, compared.scorecards, strict=True)
    ]


def _disputes(audit: Audit) -> list[dict[str, Any]]:
    """Every two methods: on how many rows they rank differently, what most of all, and whom the evidence supports."""
    return [
        {
            "first": one.first,
            "second": one.second,
            "rows": len(one.rows),
            "of": one.judged,
            "features": one.features,
            "side": one.side,
            "evidence": [dataclasses.asdict(each) for each in one.evidence],
        }
        for one in (audit.comparison.disputes if audit.comparison else ())
    ]


def _rules(audit: Audit) -> list[dict[str, Any]] | None:
    """One for each of the rows, in their order."""
    if audit.rules is None:
        return None
    return [{"row": row["row"], **enough.told(audit.rules, i)} for i, row in enumerate(audit.rows)]


def _changes(audit: Audit) -> list[dict[str, Any]] | None:
    """One for each of the rows, in their order."""
    if audit.changes is None:
        return None
    return [{"row": row["row"], **otherwise.told(audit.changes, i)} for i, row in enumerate(audit.rows)]


def _simpler(audit: Audit) -> list[dict[str, Any]] | None:
    """The model itself and the simple ones beside it."""
    if audit.rivals is None:
        return None
    made = audit.rivals
    return [
        {
            "model": name,
            "metric": made.metric,
            "score": made.scores[i].mean(),
            "behind": made.behind[i],
            "margin": made.margin,
            "enough": made.enough[i],
            "rule": made.rules[i],
        }
        for i, name in enumerate(made.names)
    ]


def _stand_in(audit: Audit) -> dict[str, Any] | None:
    """The tree of the model's own answers, and how far it stands for the model."""
    if audit.rivals is None or audit.rivals.stand_in is None or audit.rivals.fidelity is None:
        return None
    made = audit.rivals.fidelity
    return {
        "rules": list(audit.rivals.stand_in.sentences()),
        "measure": made.measure,
        "fresh": made.fresh,
        "mixed": made.mixed,
        "chance": made.chance,
        "rows_fresh": made.rows_fresh,
    }


def _reasons(test: GroupTest) -> list[dict[str, Any]]:
    """Every group's columns, the most important there first."""
    return [
        {
            "group": group,
            "rows": test.rows[i],
            "small": test.small[i],
            "columns": [
                {
                    "column": test.names[j],
                    "importance": test.importance[i, j],
                    "difference": test.difference[i, j],
                    "differs": test.differs[i, j],
                }
                for j in np.argsort(-test.importance[i, :, 0], kind="stable")
            ],
        }
        for i, group in enumerate(test.groups)
    ]


def _importance(audit: Audit) -> list[dict[str, Any]] | None:
    if audit.importance is None:
        return None
    made = audit.importance
    order = np.argsort(-made.mean, kind="stable")
    return [{"column": made.names[j], "mean": made.mean[j], "stderr": made.stderr[j]} for j in order]


def _places(test: RegionTest) -> list[dict[str, Any]]:
    return [
        {
            "class": test.names[i],
            "box": test.boxes[i],
            "area": test.area[i],
            "share": test.share[i],
            "contrast": test.contrast[i],
            "pasted": test.pasted[i],
            "removed": test.removed[i],
            "elsewhere": test.elsewhere[i],
            "suspicious": test.suspicious[i],
        }
        for i in range(len(test.names))
    ]


def plain(value: Any) -> Any:
    """JSON's own types: arrays become lists, what is no finite number becomes null."""
    match value:
        case dict():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case np.ndarray() | np.generic():
            return plain(value.tolist())
        case float():
            return value if math.isfinite(value) else None
    return value
