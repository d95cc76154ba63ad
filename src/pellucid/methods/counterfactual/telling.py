"""What a search came to, as a record: every answer is asked of the model once more, and what does not stand is dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.counterfactuals import Counterfactuals, spelled_rules
from pellucid.methods.counterfactual.base import Outcome
from pellucid.methods.counterfactual.density import Neighbours
from pellucid.methods.counterfactual.goal import Goal, scores
from pellucid.methods.counterfactual.question import Question
from pellucid.methods.counterfactual.result import Result
from pellucid.models.adapter import BlackBox


def record(
    asked: Question, f: BlackBox, made: Goal, outputs: np.ndarray, result: Result, outcome: Outcome
) -> Counterfactuals:
    inputs, adapter, n = asked.ready.inputs, asked.ready.adapter, len(asked.x)
    new = _checked(asked, f, made, result)
    found = result.found
    values = np.where(found[:, None], result.values[:, 0], np.nan)
    plausibility = None
    if asked.background is not None and found.any():
        plausibility = np.full(n, np.nan)
        plausibility[found] = Neighbours.of(asked.background, asked.distance).plausibility(values[found])
    warnings = (*outcome.warnings, *_warnings(result, asked.meter))
    return Counterfactuals(
        values=asked.readable(values),
        original=asked.readable(asked.x),
        valid=found,
        changed=found[:, None] & ~_same(values, asked.x),
        cost=np.where(found, result.costs[:, 0], np.nan),
        reason=tuple(result.reasons[row] for row in range(n)),
        proof=result.proof,
        scores=scores(made, outputs),
        new_scores=new,
        answers=tuple(made.words(row, adapter.classes) for row in range(n)),
        plausibility=plausibility,
        alternatives=asked.readable(result.values),
        costs=result.costs,
        acted=None if asked.structure is None else result.acted[:, 0],
        done=result.done,
        constraints=spelled_rules(asked.rules),
        feature_names=tuple(column.name for column in asked.columns),
        schema=inputs.form.schema,
        target=made.target,
        method=asked.method,
        receipt=receipt(
            asked.method,
            asked.meter,
            packages=adapter.packages,
            target=repr(made.target),
            scale=f.scale,
            converged=bool(result.done.all()),
            warnings=warnings,
            notes=(*(() if asked.structure is None else asked.structure.notes), *outcome.notes),
        ),
    )


def _checked(asked: Question, f: BlackBox, made: Goal, result: Result) -> np.ndarray:
    """Ask the model about every answer once more; what does not stand is dropped. -> the new scores (n,)"""
    rows, places = np.nonzero(~np.isnan(result.costs))
    new = np.full(len(asked.x), np.nan)
    if not len(rows):
        return new
    inputs = asked.ready.inputs
    z = result.values[rows, places]
    extra = {name: value[rows] for name, value in inputs.extra.items()}
    outputs = asked.ready.adapter.outputs(z.astype(inputs.x.dtype), f.scale, extra, asked.meter, inputs.batch_size)
    goal_of = made.take(rows)
    margins = np.asarray(goal_of(outputs, np.arange(len(rows))))
    strict = replace(goal_of, slack=0.0)
    follows = None if asked.structure is None else ~result.acted[rows, places]
    stands = strict.met(margins) & asked.limits.holds(rows, z, follows)
    result.drop(rows[~stands], places[~stands])
    first = stands & (places == result.first[rows])
    new[rows[first]] = scores(goal_of, outputs)[first]
    result.pack()
    return new


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equal but for the arithmetic's rounding, which nobody would call a change."""
    return np.isclose(a, b, rtol=1e-12, atol=1e-300, equal_nan=True)


def _warnings(result: Result, meter: Meter) -> tuple[str, ...]:
    said, n = [], len(result.done)
    if meter.limit():
        said.append(
            f"the search stopped at the budget of {meter.limit()}: answers found by then may not be the nearest"
        )
    empty = ~result.found
    if empty.any():
        proven = int((empty & result.proof).sum())
        said.append(f"{int(empty.sum())} of {n} rows have no answer, {proven} of them provably so; `reason` says why")
    return tuple(said)
