"""The engine of `counterfactual`: coerce, bind, search all rows in step, ask the model once more, account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Budget, Meter, receipt
from pellucid.core.constraints import Limits, Rule, as_constraints
from pellucid.core.counterfactuals import Counterfactuals, spelled_rules
from pellucid.core.errors import MethodError
from pellucid.core.masking import Masker
from pellucid.core.schema import Column
from pellucid.methods.counterfactual.additive import Additive
from pellucid.methods.counterfactual.base import ColumnMethod, CounterfactualMethod, Outcome
from pellucid.methods.counterfactual.causal import CausalCounterfactual
from pellucid.methods.counterfactual.density import Neighbours, penalty
from pellucid.methods.counterfactual.feasible import contradiction, nearest
from pellucid.methods.counterfactual.goal import Goal, goal, scores
from pellucid.methods.counterfactual.problem import Problem
from pellucid.methods.counterfactual.result import Result
from pellucid.methods.counterfactual.sedc import SEDC
from pellucid.methods.counterfactual.space import Space
from pellucid.methods.counterfactual.structure import Structure
from pellucid.methods.counterfactual.substitution import Substitution
from pellucid.methods.counterfactual.wachter import Wachter
from pellucid.methods.counterfactual.without import without
from pellucid.methods.run import as_masker
from pellucid.models.adapter import BlackBox
from pellucid.models.prepare import Prepared, prepare


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
    budget: Budget | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Counterfactuals:
    """See `pellucid.api.counterfactual`."""
    chosen, meter = as_method(method), Meter(budget or Budget(), progress)
    texts, background = (background, None) if isinstance(chosen, Substitution) else (None, background)
    ready = prepare(model, x, background=background, names=names, extra=extra, batch_size=batch_size)
    if isinstance(chosen, SEDC | Substitution):
        _only_hides(type(chosen).__name__, constraints=constraints, scm=scm, density=density)
        with ready.adapter.session():
            return without(ready, chosen, as_masker(masker), target, meter, texts)
    assert isinstance(chosen, ColumnMethod)
    if masker is not None:
        raise MethodError(f"{type(chosen).__name__} changes columns and hides none: give SEDC(), or no masker.")
    question = _Question(model, ready, chosen, as_constraints(constraints), meter, density, scm)
    with ready.adapter.session():
        return question.answer(target)


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


@dataclass(eq=False)
class _Question:
    """A model, rows, and what may change about them."""

    model: Any
    ready: Prepared
    method: ColumnMethod
    rules: tuple[Rule, ...]
    meter: Meter
    density: Any
    scm: Any = None

    def __post_init__(self) -> None:
        inputs, adapter = self.ready.inputs, self.ready.adapter
        if inputs.x.ndim != 2 or inputs.form.text is not None or inputs.form.own is not None:
            raise MethodError(
                f"{type(self.method).__name__} changes the columns of a table, and x has shape {inputs.x.shape}: give rows "
                "(n, p) or a frame."
            )
        if getattr(adapter, "reads_ids", False):
            raise MethodError(
                f"{type(self.method).__name__} changes numbers, and token ids are none: give their embeddings."
            )
        self.columns = columns_of(self.ready)
        self.coded = np.array([column.kind == "level" for column in self.columns])
        self.x = inputs.x.astype(float)
        self.background = None if inputs.background is None else inputs.background.astype(float)
        self.distance = self.method.measured(self.background, self.columns)
        self.limits = Limits.of(self.rules, self.x, self.columns)
        self.structure = self._structure()

    def _structure(self) -> Structure | None:
        method = self.method
        if isinstance(method, CausalCounterfactual) and self.scm is None:
            raise MethodError(
                "CausalCounterfactual needs to know how columns follow from each other: pass scm={'income': '0.4 * education'} or "
                "scm={'income': ('education', 'age')} to fit it."
            )
        if self.scm is None:
            return None
        if not isinstance(method, CausalCounterfactual):
            raise MethodError(
                f"{type(method).__name__} reads no structural model: give CausalCounterfactual(), or no scm."
            )
        return Structure.of(self.scm, self.columns, self.background, method.fit)

    def answer(self, target: Any) -> Counterfactuals:
        f, made, outputs = goal(self.ready, target, self.meter)
        own = np.asarray(made(outputs, np.arange(len(outputs))), dtype=float)
        n = len(own)
        here = np.arange(n)
        fine = made.met(own) & self.limits.holds(here, self.x)
        result = Result(self.x, self.method.answers)
        for row in np.flatnonzero(fine).tolist():
            result.put(row, self.x[[row]], np.zeros(1))
            result.reasons[row] = f"it is {made.words(row, self.ready.adapter.classes)} already: nothing has to change"
        lost = {row: said for row in np.flatnonzero(~fine).tolist() if (said := contradiction(self.limits, row))}
        todo = np.array([row for row in np.flatnonzero(~fine).tolist() if row not in lost], dtype=np.int64)
        for row, said in lost.items():
            result.reasons[row], result.proof[row] = said, True
        if len(todo):
            problem = self._problem(f, made, own, todo)
            self._closed(problem, todo, result)
            outcome = self.method.search(problem)
            self._gather(problem, outcome, todo, result)
        else:
            outcome = Outcome(result.none())
        return self._record(f, made, outputs, result, outcome)

    # -- before ----------------------------------------------------------------------------------------------------------

    def _problem(self, f: BlackBox, made: Goal, own: np.ndarray, todo: np.ndarray) -> Problem:
        limits = self.limits.take(todo)
        dtype = self.ready.inputs.x.dtype
        kept = np.dtype(float) if dtype.kind == "b" else dtype
        space = Space(
            limits,
            _model_dtype(self.ready, kept),
            _moves(self.x, self.background, self.coded),
            self._switches() | self.method.values(self.background, self.columns),
            self.structure,
        )
        weight = self.method.plausible
        look = None
        if self.density is not None and weight:
            look = penalty(self.density, self.background, self.distance, self._shown)
        return Problem(
            f=f.take(todo),
            goal=made.take(todo),
            space=space,
            distance=self.distance,
            background=self.background,
            own=own[todo],
            most=self.method.queries,
            wanted=self._wanted(f, made, todo),
            additive=None
            if self.structure is not None
            else Additive.of(self.model, self.ready.adapter, f.take(todo), made.take(todo)),
            sparsity=self.method.sparsity,
            plausible=weight,
            penalty=look,
        )

    def _switches(self) -> dict[int, np.ndarray]:
        """Columns of floats that are 0 or 1 in all of the data: they stay so."""
        if self.background is None or len(self.background) < 3:
            return {}
        both = np.concatenate([self.x, self.background])
        found = np.flatnonzero(np.isin(both, (0.0, 1.0)).all(axis=0) & ~self.coded)
        return {int(j): np.array([0.0, 1.0]) for j in found}

    def _shown(self, z: np.ndarray) -> Any:
        """z (m, p) as the model is given it"""
        codec = self.ready.inputs.codec
        return z.astype(self.ready.inputs.x.dtype) if codec is None else codec.decode(z)

    def _wanted(self, f: BlackBox, made: Goal, todo: np.ndarray) -> np.ndarray | None:
        """(n, b) which background rows have each row's wanted answer; None where that depends on the row's extra inputs"""
        if self.background is None or self.ready.inputs.extra:
            return None
        inputs = self.ready.inputs
        rows = self.background.astype(inputs.x.dtype)
        outputs = self.ready.adapter.outputs(rows, f.scale, {}, self.meter, inputs.batch_size)
        kinds, which = np.unique(np.stack([made.columns[todo], made.sign[todo]], axis=1), axis=0, return_inverse=True)
        first = [todo[np.flatnonzero(which.ravel() == kind)[0]] for kind in range(len(kinds))]
        margins = [np.asarray(made(outputs, np.full(len(outputs), row))) for row in first]
        return np.stack([made.met(margin) for margin in margins])[which.ravel()]

    def _closed(self, problem: Problem, todo: np.ndarray, result: Result) -> None:
        """Rows that break a relation between columns: whether there is any place that keeps to all, and the nearest one as a
        start."""
        if (not len(self.limits.b) and not self.limits.groups) or self.structure is not None:
            return
        here = np.arange(len(todo))
        _, good = problem.fit(here, problem.x.copy())
        for i in np.flatnonzero(~good).tolist():
            place = nearest(problem.space.limits, i, problem.space.unit)
            if place is None:
                said = " and ".join(spelled_rules(self.rules))
                result.reasons[todo[i]] = f"the constraints contradict each other for this row: {said}"
                result.proof[todo[i]] = True
            else:
                problem.anchors[i] = place

    # -- after -----------------------------------------------------------------------------------------------------------

    def _gather(self, problem: Problem, outcome: Outcome, todo: np.ndarray, result: Result) -> None:
        answers = outcome.answers
        for i, row in enumerate(todo.tolist()):
            mine = answers.take(np.flatnonzero(answers.own == i))
            if len(mine):
                settled = problem.settle(mine.own, mine.z)
                result.put(row, settled, problem.cost(mine.own, mine.z), problem.moved(mine.own, mine.z))
            elif not result.reasons[row]:
                result.reasons[row] = outcome.reasons.get(i) or _why_not(problem, i, self.meter)
                result.proof[row] = i in outcome.proven
                result.done[row] = not self.meter.spent or i in outcome.proven

    def _record(
        self, f: BlackBox, made: Goal, outputs: np.ndarray, result: Result, outcome: Outcome
    ) -> Counterfactuals:
        inputs, adapter, n = self.ready.inputs, self.ready.adapter, len(self.x)
        new = self._checked(f, made, result)
        found = result.found
        values = np.where(found[:, None], result.values[:, 0], np.nan)
        plausibility = None
        if self.background is not None and found.any():
            plausibility = np.full(n, np.nan)
            plausibility[found] = Neighbours.of(self.background, self.distance).plausibility(values[found])
        warnings = (*outcome.warnings, *_warnings(result, self.meter))
        return Counterfactuals(
            values=self._readable(values),
            original=self._readable(self.x),
            valid=found,
            changed=found[:, None] & ~_same(values, self.x),
            cost=np.where(found, result.costs[:, 0], np.nan),
            reason=tuple(result.reasons[row] for row in range(n)),
            proof=result.proof,
            scores=scores(made, outputs),
            new_scores=new,
            answers=tuple(made.words(row, adapter.classes) for row in range(n)),
            plausibility=plausibility,
            alternatives=self._readable(result.values),
            costs=result.costs,
            acted=None if self.structure is None else result.acted[:, 0],
            done=result.done,
            constraints=spelled_rules(self.rules),
            feature_names=tuple(column.name for column in self.columns),
            schema=inputs.form.schema,
            target=made.target,
            method=self.method,
            receipt=receipt(
                self.method,
                self.meter,
                packages=adapter.packages,
                target=repr(made.target),
                scale=f.scale,
                converged=bool(result.done.all()),
                warnings=warnings,
                notes=(*(() if self.structure is None else self.structure.notes), *outcome.notes),
            ),
        )

    def _checked(self, f: BlackBox, made: Goal, result: Result) -> np.ndarray:
        """Ask the model about every answer once more; what does not stand is dropped. -> the new scores (n,)"""
        rows, places = np.nonzero(~np.isnan(result.costs))
        new = np.full(len(self.x), np.nan)
        if not len(rows):
            return new
        inputs = self.ready.inputs
        z = result.values[rows, places]
        extra = {name: value[rows] for name, value in inputs.extra.items()}
        outputs = self.ready.adapter.outputs(z.astype(inputs.x.dtype), f.scale, extra, self.meter, inputs.batch_size)
        goal_of = made.take(rows)
        margins = np.asarray(goal_of(outputs, np.arange(len(rows))))
        strict = replace(goal_of, slack=0.0)
        follows = None if self.structure is None else ~result.acted[rows, places]
        stands = strict.met(margins) & self.limits.holds(rows, z, follows)
        result.drop(rows[~stands], places[~stands])
        first = stands & (places == result.first[rows])
        new[rows[first]] = scores(goal_of, outputs)[first]
        result.pack()
        return new

    def _readable(self, z: np.ndarray) -> np.ndarray:
        """Codes as values that a person knows, whatever the leading axes."""
        inputs = self.ready.inputs
        if inputs.codec is None:
            return z if inputs.x.dtype.kind != "f" else z.astype(inputs.x.dtype).astype(float)
        return inputs.codec.schema.readable(z.reshape(-1, z.shape[-1])).reshape(z.shape)


def columns_of(ready: Prepared) -> tuple[Column, ...]:
    """What the columns of the table are; of an array, numbers, whole where its dtype says so."""
    inputs = ready.inputs
    if inputs.form.schema is not None:
        return inputs.form.schema.columns
    p = inputs.x.shape[1]
    names = inputs.form.names or tuple(f"x{j}" for j in range(p))
    kind: Any = "integer" if inputs.x.dtype.kind in "iub" else "number"
    return tuple(Column(name, kind, str(inputs.x.dtype)) for name in names)


def _model_dtype(ready: Prepared, own: np.dtype) -> np.dtype:
    """The precision in which changed rows are told apart: that of the data, or of a network where that is coarser."""
    coarse = {"torch.float32": np.float32, "torch.float16": np.float16, "torch.bfloat16": np.float16}
    kind = coarse.get(str(getattr(ready.adapter, "dtype", None)))
    if own.kind != "f" or kind is None:
        return own
    return np.dtype(kind) if np.dtype(kind).itemsize < own.itemsize else own


def _moves(x: np.ndarray, background: np.ndarray | None, coded: np.ndarray) -> np.ndarray:
    """(p,) how far a column typically moves: its spread in the background"""
    if background is None:
        return np.ones(x.shape[1])
    known = [column[~np.isnan(column)] for column in background.T]
    spread = np.array([column.std() if len(column) else 0.0 for column in known])
    return np.where(coded | ~(spread > 0), 1.0, spread)


def _same(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Equal but for the arithmetic's rounding, which nobody would call a change."""
    return np.isclose(a, b, rtol=1e-12, atol=1e-300, equal_nan=True)


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
