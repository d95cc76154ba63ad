"""Audits -> one HTML page: no network, no script, everything that a user named escaped.

The page is one template; this file only says what stands where. The content policy in its head forbids whatever the page
does not need, so that even a mistake here could not run or load anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pellucid.core.budget import versions
from pellucid.core.sealed import environment
from pellucid.report import figures, page_methods, page_overall, page_rows
from pellucid.report.gate import Gate
from pellucid.report.plan import SLOPES
from pellucid.report.record import Audit, Warn
from pellucid.report.words import number, percent, signed

_KINDS = {"torch": "network (torch)", "estimator": "estimator"}


def render(audits: Sequence[Audit], title: str = "Audit", judged: Gate | None = None) -> str:
    """The page."""
    env = environment("pellucid.report")
    env.filters |= {"percent": percent, "signed": signed, "number": number, "together": together}
    models = [_model(audit, i) for i, audit in enumerate(audits)]
    return env.get_template("audit.html").render(title=title, models=models, gate=judged, versions=versions())


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
        "simple": None if audit.rivals is None else page_overall.simple(audit.rivals),
        "alternatives": [{**w, "figures": []} for w in audit.warnings if w["about"] == "alternative"],
        "serious": [{**w, "figures": _shown(audit, w)} for w in audit.warnings if w["about"] == "model"],
        "cautions": [{**w, "figures": []} for w in audit.warnings if w["about"] in ("explanation", "audit")],
        "held_out": audit.facts["held_out"],
        "importance": None if audit.importance is None else figures.importance(audit.importance),
        "importance_notes": () if audit.importance is None else audit.importance.receipt.warnings,
        "columns": None if audit.columns is None else page_overall.columns(audit),
        "places": None if audit.regions is None else page_overall.places(audit.regions),
        "concepts": [page_overall.concepts(made, called) for called, made in audit.concepts.items()],
        "groups": page_overall.groups(audit),
        "typical": audit.typical,
        "suspects": audit.suspects,
        "glance": [] if compared is None else page_methods.glance(compared),
        "located": compared is not None and page_methods.located(compared),
        "agreement": figures.agreement(compared) if compared and len(compared.names) > 1 else None,
        "slopes": [] if compared is None else [name for name in compared.names if name in SLOPES],
        "curves": [] if compared is None else page_methods.curves(compared),
        "disputes": [] if compared is None else page_methods.disputes(compared),
        "rows": [] if compared is None else page_rows.rows(audit, compared),
        "rules_receipt": None if audit.rules is None else page_rows.receipt_text(audit.rules.receipt),
        "changes_receipt": None if audit.changes is None else page_rows.receipt_text(audit.changes.receipt),
        "left_out": audit.left_out,
        "resumed": audit.resumed,
        "receipt": audit.receipt,
        "records": audit.records,
    }


def _shown(audit: Audit, warning: Warn) -> list[dict[str, str]]:
    """Beside a suspicious place: a picture of the class, and the explanation that shows the place best."""
    numbers, compared = warning["numbers"], audit.comparison
    rows = [i for i, row in enumerate(audit.rows) if row["predicted"] == numbers.get("class")]
    if warning["code"] != "shortcut" or compared is None or not rows or not page_rows.is_picture(compared):
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
