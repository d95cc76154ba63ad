"""The engine of `counterfactual`: coerce, bind, search all rows in step, ask the model once more, account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Budget, Meter, as_budget
from pellucid.core.constraints import as_constraints
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.errors import MethodError
from pellucid.core.masking import Masker
from pellucid.methods.counterfactual.base import ColumnMethod, CounterfactualMethod, Outcome
from pellucid.methods.counterfactual.feasible import contradiction
from pellucid.methods.counterfactual.goal import goal
from pellucid.methods.counterfactual.problem import Problem
from pellucid.methods.counterfactual.question import Question
from pellucid.methods.counterfactual.result import Result
from pellucid.methods.counterfactual.sedc import SEDC
from pellucid.methods.counterfactual.substitution import Substitution
from pellucid.methods.counterfactual.telling import record
from pellucid.methods.counterfactual.wachter import Wachter
from pellucid.methods.counterfactual.without import without
from pellucid.methods.run import as_masker
from pellucid.models.prepare import prepare


def counterfactual(
    model: Any,
    x: Any,
    method: CounterfactualMethod | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    constraints: Any = None,
    scm: Any = None,
    density: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Counterfactuals:
    """See `pellucid.api.counterfactual`."""
    chosen, meter = as_method(method), Meter(as_budget(budget), progress)
    texts, background = (background, None) if chosen.reads else (None, background)
    ready = prepare(model, x, background=background, names=names, extra=extra, batch_size=batch_size)
    if isinstance(chosen, SEDC | Substitution):
        _only_hides(type(chosen).__name__, constraints=constraints, scm=scm, density=density)
        with ready.adapter.session():
            return without(ready, chosen, as_masker(masker), target, meter, texts)
    assert isinstance(chosen, ColumnMethod)
    if masker is not None:
        raise MethodError(f"{type(chosen).__name__} changes columns and hides none: give SEDC(), or no masker.")
    asked = Question(model, ready, chosen, as_constraints(constraints), meter, density, scm)
    with ready.adapter.session():
        return _answer(asked, target)


def _only_hides(who: str, **given: Any) -> None:
    """Refuse what says how values may change, where none does."""
    for name, value in given.items():
        if value is not None:
            raise MethodError(
                f"{who} hides or replaces parts and changes no columns, so {name}= says nothing to it: leave it out."
            )


def as_method(method: Any) -> CounterfactualMethod:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = Wachter if method is None else method
    made: CounterfactualMethod = spelling.as_value(
        given, (CounterfactualMethod,), "finds no counterfactuals: give Wachter()."
    )
    return made


def _answer(asked: Question, target: Any) -> Counterfactuals:
    """The record of rows that are fine already, rows that cannot be helped, and those that a search is made for."""
    f, made, outputs = goal(asked.ready, target, asked.meter)
    own = np.asarray(made(outputs, np.arange(len(outputs))), dtype=float)
    n = len(own)
    here = np.arange(n)
    fine = made.met(own) & asked.limits.holds(here, asked.x)
    result = Result(asked.x, asked.method.answers)
    for row in np.flatnonzero(fine).tolist():
        result.put(row, asked.x[[row]], np.zeros(1))
        result.reasons[row] = f"it is {made.words(row, asked.ready.adapter.classes)} already: nothing has to change"
    lost = {row: said for row in np.flatnonzero(~fine).tolist() if (said := contradiction(asked.limits, row))}
    todo = np.array([row for row in np.flatnonzero(~fine).tolist() if row not in lost], dtype=np.int64)
    for row, said in lost.items():
        result.reasons[row], result.proof[row] = said, True
    if len(todo):
        problem = asked.problem(f, made, own, todo)
        asked.closed(problem, todo, result)
        outcome = asked.method.search(problem)
        _gather(asked, problem, outcome, todo, result)
    else:
        outcome = Outcome(result.none())
    return record(asked, f, made, outputs, result, outcome)


def _gather(asked: Question, problem: Problem, outcome: Outcome, todo: np.ndarray, result: Result) -> None:
    """Put what the search found, or why it found nothing, in its rows (t,) of the result."""
    answers = outcome.answers
    for i, row in enumerate(todo.tolist()):
        mine = answers.take(np.flatnonzero(answers.own == i))
        if len(mine):
            settled = problem.settle(mine.own, mine.z)
            result.put(row, settled, problem.cost(mine.own, mine.z), problem.moved(mine.own, mine.z))
        elif not result.reasons[row]:
            result.reasons[row] = outcome.reasons.get(i) or _why_not(problem, i, asked.meter)
            result.proof[row] = i in outcome.proven
            result.done[row] = not asked.meter.spent or i in outcome.proven


def _why_not(problem: Problem, row: int, meter: Meter) -> str:
    """Words on a row for which nothing was found."""
    asked = int(problem.asked[row])
    if meter.spent:
        return f"none was found before the budget of {meter.limit()} was spent ({asked:,} rows asked for this one)"
    if not asked:
        return "nothing may change: the constraints leave no other row to ask about"
    if problem.best[row] - problem.worst[row] <= problem.goal.slack and asked > 1:
        return f"the model gave the same output to all {asked:,} rows that were asked"
    none = problem.wanted is not None and not problem.wanted[row].any()
    also = "; no background row has the wanted answer either" if none else ""
    return f"none was found within {asked:,} model rows{also}"
