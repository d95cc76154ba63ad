"""One question to a tree model: the forest, the rows in its columns, and the number that the target picks.

A forest is read once per model and kept while the model lives. Before it is used again it has to answer the first rows as
the model does; a model that was fitted again is read again.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, MethodError, ModelError, PellucidError, TargetError
from pellucid.core.target import Pick
from pellucid.models.adapter import BlackBox
from pellucid.models.tabular import EstimatorAdapter
from pellucid.models.tree.encoding import sources
from pellucid.models.tree.engine import Trees
from pellucid.models.tree.forest import Forest
from pellucid.models.tree.link import Link, Number, linear
from pellucid.models.tree.reading import Reading, read

_PROBE = 8  # rows that a kept forest has to answer as the model does
_QUESTIONS = 8  # linear questions that a forest is kept under
_FLOAT32 = 2.0**-18  # a few roundings of a sum in float32, relative to its size


@dataclass(frozen=True, eq=False)
class Known:
    """A model that was read: its steps before the trees, the reading, and its forest as the players see it."""

    steps: tuple[Any, ...]
    reading: Reading
    forest: Forest
    asked: dict[bytes, Trees] = field(default_factory=dict)

    def trees(self, weights: np.ndarray) -> Trees:
        """The forest under a linear question, weights (outputs,): from the last time, where it is the same one."""
        key = weights.tobytes()
        if key not in self.asked:
            while len(self.asked) >= _QUESTIONS:
                self.asked.pop(next(iter(self.asked)))
            self.asked[key] = Trees(self.forest, *self.forest.read(weights))
        return self.asked[key]


_KNOWN: weakref.WeakKeyDictionary[Any, dict[tuple[int, ...], Known]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Question:
    """What a tree method sees: rows x (n, p) as `f` takes them, the model's scores (n,) of them, and trees per target."""

    f: BlackBox
    known: Known
    scores: np.ndarray

    @cached_property
    def x(self) -> np.ndarray:
        """(n, columns) the rows as the trees compare them."""
        return self.encode(self.f.inputs.x)

    @cached_property
    def background(self) -> np.ndarray | None:
        """(b, columns) the background rows likewise."""
        rows = self.f.inputs.background
        if rows is None:
            return None
        if not np.isfinite(rows).all():
            self.f.adapter.run(rows, self.f.scale, {})  # the model says whether it takes missing values
            self.f.meter.add(forward=len(rows))
        return self.encode(rows)

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """rows (n, p) as the record keeps them -> (n, columns)."""
        adapter = _estimator(self.f)
        given = rows if adapter.codec is None else adapter.codec.decode(rows, adapter.order)
        reading = self.known.reading
        try:
            for step in self.known.steps:
                given = step.transform(given)
            made = reading.forest.cast(reading.encode(given))
        except PellucidError:
            raise
        except Exception as error:
            raise InputError(
                f"the model's encoders refused rows ({type(error).__name__}: {error}): give values that they were fitted with."
            ) from error
        if made.shape[1] != reading.forest.columns:
            raise ModelError(
                f"the pipeline gives {made.shape[1]} columns and the trees know {reading.forest.columns}: "
                "it is not the one that they were fitted with."
            )
        return np.require(made, float, ["C", "W", "A"])

    def parts(self) -> Iterator[tuple[np.ndarray, Trees]]:
        """The rows (k,) that share a target, and the trees that answer it."""
        pick = self.f.pick
        assert isinstance(pick, Pick)
        readout = self.readout
        assert readout is not None
        for rows, plus, less in _alike(pick):
            weights = readout[plus] - (readout[less] if less >= 0 else 0.0)
            yield rows, self.known.trees(weights)

    @property
    def readout(self) -> np.ndarray | None:
        """(outputs, sums) where the target is a sum of leaves, None where it stands behind a link."""
        squared = isinstance(self.f.pick, Pick) and self.f.pick.truth is not None
        return None if squared else self.known.reading.readout.get(self.f.scale)

    @property
    def link(self) -> Link:
        """What stands between the sums of leaves and the outputs."""
        reading = self.known.reading
        if self.f.scale in reading.readout:
            return linear(reading.readout[self.f.scale])
        if self.f.scale not in reading.links:
            raise _no_scale(reading, self.f.scale)
        return reading.links[self.f.scale]

    @property
    def why(self) -> str:
        """In words, what keeps the target from being a sum of leaves; and which sum there is instead."""
        squared = isinstance(self.f.pick, Pick) and self.f.pick.truth is not None
        sums = " or ".join(map(repr, self.known.reading.readout))
        there = f" (the sum itself has scale {sums})" if sums and not squared else ""
        return ("a squared error is no sum of leaves" if squared else self.link.why) + there

    def number(self, rows: np.ndarray | slice) -> Number:
        """What the target makes of the sums of some rows."""
        assert isinstance(self.f.pick, Pick)
        return Number(self.link, self.f.pick.take(rows))

    def sums(self) -> Iterator[Trees]:
        """The forest once for each of its outputs."""
        for weights in np.eye(self.known.forest.outputs):
            yield self.known.trees(weights)

    def own(self, rows: np.ndarray) -> np.ndarray:
        """The forest's own answer, in float64, for some of the rows (k,)."""
        return self.number(rows)(self.known.forest.predict(self.x[rows]))

    def warnings(self, sums: np.ndarray) -> tuple[str, ...]:
        """Why base values plus values, sums (n,), do not add up to the scores, if they do not."""
        size = np.maximum(1.0, np.abs(self.scores))
        off = np.abs(self.scores - sums) / size
        if not (off > 1e-9).any():
            return ()
        answer = self.own(np.arange(len(sums)))
        inner, outer = np.abs(answer - sums).max(), np.abs(self.scores - answer).max()
        if (np.abs(answer - sums) / size > 1e-9).any():
            return (f"values miss the trees' own sum by up to {inner:.3g}: leaves of very different size cancel",)
        if (np.abs(self.scores - answer) / size <= _FLOAT32).all():
            return (
                f"float tolerance: values add up to the trees' own float64 sum; the model rounds it, by up to {outer:.3g}",
            )
        return (
            f"unsupported feature: values add up to the trees' own sum, which misses the model's score by up to {outer:.3g}: "
            "more than rounding, so the model does something that its trees do not show",
        )


def _alike(pick: Pick) -> Iterator[tuple[np.ndarray, int, int]]:
    """Rows (k,) that share a column and the one that it is compared with, -1 for none."""
    minus = np.full_like(pick.columns, -1) if pick.minus is None else pick.minus
    plus, less = pick.columns[0], minus[0]
    if (pick.columns == plus).all() and (minus == less).all():
        yield np.arange(len(pick.columns)), plus, less
        return
    pairs, which = np.unique(np.stack([pick.columns, minus], axis=1), axis=0, return_inverse=True)
    for k, (plus, less) in enumerate(pairs):
        yield np.flatnonzero(which.ravel() == k), plus, less


def ask(f: BlackBox, scores: np.ndarray) -> Question:
    """The question that a bound model stands for; scores (n,) are its own answers."""
    if not isinstance(f.pick, Pick):
        raise TargetError(
            "TreeShap explains columns of the model's output, which are linear in the leaves; a function of them need not "
            "be: give a class, Margin(a, b), Output(i) or Loss(y), or use KernelShap()."
        )
    model = _estimator(f).model
    order = _order(f)
    kept = _kept(model)
    if order in kept:
        asked = Question(f, kept[order], scores)
        if _still_true(asked):
            return asked
    kept[order] = _read(model, np.array(order), len(f.inputs.x[0]))
    return Question(f, kept[order], scores)


def _kept(model: Any) -> dict[tuple[int, ...], Known]:
    try:
        return _KNOWN.setdefault(model, {})
    except TypeError:  # a model that cannot be a key is read each time
        return {}


def _still_true(asked: Question) -> bool:
    """Whether a kept forest answers the first rows as the model does."""
    first = asked
    if len(asked.scores) > _PROBE:
        first = replace(asked, f=asked.f.take(slice(0, _PROBE)), scores=asked.scores[:_PROBE])
    try:
        own = first.own(np.arange(len(first.scores)))
    except (PellucidError, IndexError):
        return False
    close = 1e-6 * asked.known.forest.largest + 1e-5 * np.abs(first.scores)
    return bool((np.abs(own - first.scores) <= close).all())


def _read(model: Any, order: np.ndarray, players: int) -> Known:
    steps, last = _unfolded(model)
    reading = read(last)
    columns = order
    for step in steps:
        columns = sources(step, columns)
    if reading.source is not None:
        columns = columns[reading.source]
    if len(columns) != reading.forest.columns:
        raise ModelError(
            f"the pipeline's steps give {len(columns)} columns and the trees know {reading.forest.columns}: use KernelShap()."
        )
    return Known(steps, reading, reading.forest.played_by(columns, players))


def _unfolded(model: Any) -> tuple[tuple[Any, ...], Any]:
    """The steps before the last one, searches and nested pipelines opened up."""
    steps: list[Any] = []
    while True:
        if hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        elif hasattr(model, "steps"):
            steps += [step for _, step in model.steps[:-1] if step not in (None, "passthrough")]
            model = model.steps[-1][1]
        else:
            return tuple(steps), model


def _order(f: BlackBox) -> tuple[int, ...]:
    """The place in x of each column that the model takes."""
    adapter, names = _estimator(f), f.inputs.form.names
    if adapter.codec is None or adapter.order is None or names is None:
        return tuple(range(f.inputs.x.shape[1]))
    return tuple(names.index(name) for name in adapter.order)


def _estimator(f: BlackBox) -> EstimatorAdapter:
    if not isinstance(f.adapter, EstimatorAdapter):
        raise MethodError(
            f"TreeShap reads the trees of an estimator; this model (kind: {f.adapter.kind}) shows none: "
            "give the fitted estimator itself, or use KernelShap()."
        )
    return f.adapter


def _no_scale(reading: Reading, scale: str) -> MethodError:
    why = reading.reasons.get(scale, "it is not linear in the leaves")
    there = ", ".join(f"target=Class(1, scale={known!r})" for known in reading.readout)
    return MethodError(
        f"TreeShap explains sums of leaves, and on the scale {scale!r} that is not one: {why}. "
        + (f"Explain the sum, {there}, or use KernelShap()." if there else "Use KernelShap().")
    )
