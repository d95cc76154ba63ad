"""A counterfactual question: a model, rows of a table, and what may change about them; the problem that a search is handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.constraints import Rule
from pellucid.core.counterfactuals import spelled_rules
from pellucid.core.errors import MethodError
from pellucid.core.limits import Limits
from pellucid.core.schema import Column, of_kind
from pellucid.methods.counterfactual.additive import Additive
from pellucid.methods.counterfactual.base import ColumnMethod
from pellucid.methods.counterfactual.causal import CausalCounterfactual
from pellucid.methods.counterfactual.density import penalty
from pellucid.methods.counterfactual.feasible import nearest
from pellucid.methods.counterfactual.goal import Goal
from pellucid.methods.counterfactual.problem import Problem
from pellucid.methods.counterfactual.result import Result
from pellucid.methods.counterfactual.space import Space
from pellucid.methods.counterfactual.structure import Structure
from pellucid.models.adapter import BlackBox
from pellucid.models.prepare import Prepared


@dataclass(eq=False)
class Question:
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
        self.coded = of_kind(self.columns, "level")
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

    def problem(self, f: BlackBox, made: Goal, own: np.ndarray, todo: np.ndarray) -> Problem:
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

    def closed(self, problem: Problem, todo: np.ndarray, result: Result) -> None:
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

    def readable(self, z: np.ndarray) -> np.ndarray:
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
