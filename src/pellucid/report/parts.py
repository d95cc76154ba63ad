"""Everything that an audit has to do, in order of value, and what each part may cost in model rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from pellucid.core.method import Method
from pellucid.report import columns, concepts, enough, otherwise, plan, reasons, regions, steps, suspects, typical
from pellucid.report.ledger import Part

if TYPE_CHECKING:
    from pellucid.report.check import Check

_SWEEPS = 2.0 * 7 * 33  # model rows that deletion and insertion ask of a row
SIMPLE = "a simple model in its place"
PLACE, COLUMN = "search for a small place that decides alone", "search for a column that decides alone"
OVERALL, GROUPS = "importance of the columns", "importance in each group"
CONCEPTS = "concepts that raise"
RULES = "rules that are enough for an answer"
CHANGES = "smallest changes that flip an answer"
TYPICAL = "rows that stand for the data"
LABELS = "labels that are likely to be wrong"


def parts(check: Check) -> list[Part]:
    """All parts; what does not apply is left out with its reason."""
    return [
        *_simple(check),
        *_searches(check),
        *_explanations(check),
        *_concepts(check),
        *_places(check),
        *_typical(check),
        *_labels(check),
        *_judgements(check, "faithfulness"),
        *_overall(check),
        *_groups(check),
        *_rules(check),
        *_changes(check),
        *(_judgements(check, "sanity check") if check.subject.kind == "torch" else ()),
        *_judgements(check, "stability"),
    ]


def _simple(check: Check) -> Iterator[Part]:
    """Would a model that needs no explaining do?"""
    s = check.subject
    if s.shape != "table":
        return
    why = steps.cannot_be_fitted(s)
    if why is not None:
        check.ledger.leave(SIMPLE, why)
        return
    yield Part(SIMPLE, partial(steps.simple, check), weight=2, record="rivals")


def _searches(check: Check) -> Iterator[Part]:
    """The search for a part of the input that decides alone."""
    s = check.subject
    if s.shape == "picture" and s.task == "classification":
        yield Part(PLACE, partial(steps.places, check), lambda: regions.ROWS, 4, "regions")
    elif s.shape == "table":
        price = columns.ColumnSearch().repeats * s.x.size
        yield Part(COLUMN, partial(steps.alone, check), lambda: price, 4, "columns")
    else:
        why = f"it is made for tables and for pictures with classes; this is {s.task} on a {s.shape}"
        check.ledger.leave("search for a place that decides alone", why)


def _explanations(check: Check) -> Iterator[Part]:
    """Before one was made nothing is known of its price, so only what is cheap is promised."""
    for label, method in check.methods.items():
        run = partial(steps.explain, check, label, method)
        yield Part(_explained(label), run, lambda: float(check.wanted.rows), 2, f"{label} values", local=True)


def _judgements(check: Check, kind: str) -> Iterator[Part]:
    """What the metrics of one kind say of each method."""
    metrics: dict[str, Callable[[Method], list[Any]]] = {
        "faithfulness": partial(plan.faithfulness, check.subject),
        "sanity check": plan.sanity,
    }
    times = {"sanity check": 7, "stability": 6}.get(kind)
    for label, method in check.methods.items():
        run = partial(steps.judge, check, label, metrics.get(kind, plan.stability)(method))
        price = partial(_sweep, check) if times is None else partial(_again, check, label, times)
        record, after = f"{label} scorecard", _explained(label)
        yield Part(f"{kind} of {label}", run, price, 2, record, local=True, after=after)


def _places(check: Check) -> Iterator[Part]:
    """How far maps lie where the answer is known to be; no model is asked."""
    if check.where is None:
        return
    for label in check.methods:
        run, record = partial(steps.locate, check, label), f"{label} scorecard"
        yield Part(f"localisation of {label}", run, weight=0.2, record=record, local=True, after=_explained(label))


def _explained(label: str) -> str:
    return f"explanations by {label}"


def _sweep(check: Check) -> float:
    return _SWEEPS * check.wanted.rows


def _again(check: Check, label: str, times: int) -> float:
    record = check.found.attributions.get(label)
    return 0.0 if record is None else float(times * (record.receipt.rows_forward + record.receipt.rows_backward))


def _overall(check: Check) -> Iterator[Part]:
    s = check.subject
    if s.shape != "table":
        return
    if s.truth is None:
        check.ledger.leave(OVERALL, "it needs the true answers: pass y")
        return
    yield Part(OVERALL, partial(steps.importance, check), lambda: 6 * s.x.size, 3, "importance")


def _groups(check: Check) -> Iterator[Part]:
    """Whether the model goes by other columns in one group than in the rest."""
    s = check.subject
    if check.group_of is None or s.shape != "table":
        return
    why = reasons.applies(check.group_of)
    if why is not None:
        check.ledger.leave(GROUPS, why)
        return
    price = reasons.GroupReasons().repeats * s.x.size
    yield Part(GROUPS, partial(steps.by_group, check), lambda: price, 3, "reasons")


def _concepts(check: Check) -> Iterator[Part]:
    """Which concepts raise the score of the commonest classes, where their examples were given."""
    s, given = check.subject, check.wanted.concepts
    if given is None:
        return
    why = concepts.applies(s)
    if why is not None:
        check.ledger.leave(CONCEPTS, why)
        return
    for column in concepts.classes(s):
        run, price = partial(steps.concept_scores, check, column), partial(concepts.price, s, given, column)
        yield Part(f"{CONCEPTS} “{s.called(column)}”", run, price, 3, f"{s.called(column)} concepts")


def _typical(check: Check) -> Iterator[Part]:
    """Rows that stand for the others; no model is asked."""
    why = typical.applies(check.subject)
    if why is not None:
        check.ledger.leave(TYPICAL, why)
        return
    yield Part(TYPICAL, partial(steps.typical_rows, check), record="typical")


def _labels(check: Check) -> Iterator[Part]:
    """Labels that are likely to be wrong."""
    s = check.subject
    why = suspects.applies(s)
    if why is not None:
        check.ledger.leave(LABELS, why)
        return
    yield Part(LABELS, partial(steps.suspect_labels, check), lambda: float(len(s)), 2, "suspects")


def _rules(check: Check) -> Iterator[Part]:
    """Rules for the rows that are shown, of a table."""
    s = check.subject
    if s.shape != "table":
        return
    shown = min(check.wanted.rows, len(s))
    why = enough.applies(s, shown)
    if why is not None:
        check.ledger.leave(RULES, why)
        return
    yield Part(RULES, partial(steps.rules, check), lambda: enough.price(s, shown), 4, "rules", local=True)


def _changes(check: Check) -> Iterator[Part]:
    """Smallest changes for the rows that are shown, of a table."""
    s = check.subject
    if s.shape != "table":
        return
    shown = min(check.wanted.rows, len(s))
    why = otherwise.applies(s, shown)
    if why is not None:
        check.ledger.leave(CHANGES, why)
        return
    yield Part(CHANGES, partial(steps.changes, check), lambda: otherwise.price(s, shown), 4, "changes", local=True)
