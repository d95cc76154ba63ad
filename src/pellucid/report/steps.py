"""The parts of an audit at work: each asks one question, keeps its record, and hands back the receipt."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.budget import Budget, Receipt
from pellucid.core.errors import ModelError, PellucidError
from pellucid.core.method import Method
from pellucid.core.model_card import RuleCard
from pellucid.core.rivals import Rivals
from pellucid.methods import run as engine
from pellucid.methods.effect import run as effects
from pellucid.methods.glassbox.distill import distill
from pellucid.methods.glassbox.reading import model_card
from pellucid.methods.glassbox.rivals import rivals
from pellucid.methods.label.base import LabelMethod
from pellucid.metrics import run as judges
from pellucid.report import columns, concepts, enough, otherwise, plan, reasons, regions, suspects, typical
from pellucid.report import places as places_of
from pellucid.report.facts import metric
from pellucid.report.subject import Subject
from pellucid.report.together import merged

if TYPE_CHECKING:
    from pellucid.report.check import Check

_SEARCH = 0.4  # of what is left of the budget may go into one search
_FOLDS = 5
_FITS = 3 * _FOLDS  # of the model and of two simple ones, at most as long as the model's


def cannot_be_fitted(subject: Subject) -> str | None:
    """Why no simple model can be set beside this one; None where it can."""
    if subject.truth is None:
        return "it needs the true answers: pass y"
    if subject.kind != "estimator" or not hasattr(subject.model, "get_params"):
        return "the model is no estimator that could be fitted anew on the same rows as a simple one"
    fewest = int(np.bincount(subject.truth).min()) if subject.task == "classification" else len(subject) // 2
    if fewest < _FOLDS:
        return f"cross-validation needs {_FOLDS} rows of every class, and one has {fewest}"
    return None


def simple(check: Check, budget: Budget) -> Receipt | None:
    """Simple models beside the model, all fitted on the same folds of these rows."""
    s = check.subject
    names = s.ready.inputs.form.names
    X = s.X[list(names)] if hasattr(s.X, "columns") and names else s.X
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits on a part of the rows, which nobody asked for
            if (why := _too_slow(check, X, budget, _FITS)) is not None:
                check.ledger.leave("a simple model in its place", why, "budget")
                return None
            found = rivals(s.model, X, s.labels, margin=check.wanted.margin, folds=_FOLDS)
    except PellucidError:
        raise
    except Exception as error:  # whatever a fit of the user's model raises
        raise ModelError(
            f"the model could not be fitted anew on these rows ({type(error).__name__}: {error})."
        ) from error
    return check.keep("rivals", _with_stand_in(check, X, found, budget))


def _with_stand_in(check: Check, X: Any, found: Rivals, budget: Budget) -> Rivals:
    """The same with a small tree that says what the model itself says, where there is one."""
    try:
        tree = distill(check.subject.model, X, "tree", budget=budget)
    except PellucidError as error:
        check.ledger.leave("a tree of the model's own answers", str(error))
        return found
    card = model_card(tree)
    assert isinstance(card, RuleCard)
    rows = found.receipt.rows_forward + tree.fidelity_.receipt.rows_forward
    return replace(found, stand_in=card, fidelity=tree.fidelity_, receipt=replace(found.receipt, rows_forward=rows))


def _too_slow(check: Check, X: Any, budget: Budget, fits: int) -> str | None:
    """Whether fitting would take more than its share of the time that is left, judged by one fit."""
    if budget.seconds is None:
        return None
    from sklearn.base import clone

    before = check.ledger.seconds
    clone(check.subject.model).fit(X, check.subject.labels)
    took = check.ledger.seconds - before
    if fits * took <= _SEARCH * budget.seconds:
        return None
    return f"one fit of the model took {took:.2g} s and {fits} are needed, too long for the budget"


def typical_rows(check: Check, budget: Budget) -> Receipt:
    """Rows that stand for the others."""
    return check.keep("typical", typical.search(check.subject))


def suspect_labels(check: Check, budget: Budget) -> Receipt:
    """Labels that are likely to be wrong: by models fitted without the row where that can be had, else by the model's loss."""
    s = check.subject
    method: LabelMethod = suspects.AS_IT_IS
    if cannot_be_fitted(s) is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            why = _too_slow(check, s.X, budget, suspects.ANEW.folds)
        if why is None:
            method = suspects.ANEW
        else:
            check.ledger.leave("labels that are likely to be wrong", f"{why}; the model's own loss was taken", "budget")
    return check.keep("suspects", suspects.search(s, method))


def places(check: Check, budget: Budget) -> Receipt:
    """A small place of a picture that decides alone."""
    usual = regions.RegionSearch().classes
    most = int(max(1, min(usual, _SEARCH * check.ledger.affordable(regions.ROWS))))
    made = regions.search(check.subject, regions.RegionSearch(classes=most))
    if made.skipped:
        why = f"not in pictures called {', '.join(made.skipped)}"
        because: Any = "budget" if most < usual else "model"
        check.ledger.leave("search for a small place that decides alone", why, because)
    return check.keep("regions", made)


def alone(check: Check, budget: Budget) -> Receipt | None:
    """A column of a table that decides alone."""
    why = columns.applies(check.subject)
    if why is not None:
        check.ledger.leave("search for a column that decides alone", why)
        return None
    return check.keep("columns", columns.search(check.subject))


def concept_scores(check: Check, column: int, budget: Budget) -> Receipt:
    """Which concepts raise the score of a class."""
    made = concepts.search(check.subject, check.wanted.concepts or {}, column)
    return check.keep(f"{check.subject.called(column)} concepts", made)


def importance(check: Check, budget: Budget) -> Receipt:
    """What matters overall."""
    s = check.subject
    known = s.labels if s.kind == "estimator" else s.truth
    made = effects.importance(check.model, s.X, known, metric=metric(s))
    return check.keep("importance", replace(made, names=s.ready.inputs.form.names or made.names))


def by_group(check: Check, budget: Budget) -> Receipt:
    """What matters in each group."""
    assert check.group_of is not None
    return check.keep("reasons", reasons.search(check.subject, check.group_of))


def rules(check: Check, budget: Budget) -> Receipt:
    """What is enough for the answers that are shown."""
    part = replace(budget, rows=int(min(enough.MOST, max(1, _SEARCH * check.ledger.affordable(1)))))
    rows = [row for row, _ in check.chosen]
    made = enough.search(check.subject, rows, check.wanted.names, part)
    if not made.receipt.converged:
        check.ledger.leave("rules that are enough for an answer", made.receipt.warnings[0], "budget")
    return check.keep("rules", made)


def changes(check: Check, budget: Budget) -> Receipt:
    """What would change the answers that are shown."""
    part = replace(budget, rows=int(min(otherwise.MOST, max(1, _SEARCH * check.ledger.affordable(1)))))
    made = otherwise.search(check.subject, [row for row, _ in check.chosen], check.wanted.names, part)
    if not made.done.all():
        check.ledger.leave("smallest changes that flip an answer", made.receipt.warnings[0], "budget")
    return check.keep("changes", made)


def explain(check: Check, label: str, method: Method, budget: Budget) -> Receipt:
    """The chosen rows by one method."""
    made = engine.explain(
        check.model,
        check.explained,
        method,
        target=plan.target(check.subject),
        background=check.background,
        names=check.wanted.names,
        budget=budget,
    )
    if not made.done.all():
        why = f"{int((~made.done).sum())} of {len(made)} rows: the budget was spent"
        check.ledger.leave(f"explanations by {label}", why, "budget")
    return check.keep(f"{label} values", made)


def locate(check: Check, label: str, budget: Budget) -> Receipt | None:
    """How much of one method's maps lies where the answer is known to be."""
    assert check.where is not None
    masks = places_of.held_to(check.subject, check.where, [row for row, _ in check.chosen])
    if not masks.any():
        why = "the rows that are shown have no place where the answer is known to lie, or their answers are wrong"
        check.ledger.leave(f"localisation of {label}", why)
        return None
    return judge(check, label, plan.localisation(check.methods[label]), budget, masks)


def judge(check: Check, label: str, metrics: list[Any], budget: Budget, truth: Any = None) -> Receipt | None:
    """What some metrics say of one method."""
    record = check.found.attributions.get(label)
    if record is None or not record.done.any():
        return None  # why there is none has been noted
    if label not in check.found.cards and np.isfinite(record.base_values[record.done]).all():
        metrics = [judges.Completeness(), *metrics]
    card = judges.evaluate(check.model, record, metrics, truth=truth, background=check.background)
    check.keep(f"{label} scorecard", merged(check.found.cards.get(label), card))
    return card.receipt
