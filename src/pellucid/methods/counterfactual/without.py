"""The engine of removal: each input by itself, its parts hidden until the answer is another, the result asked once more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.errors import InputError, MethodError
from pellucid.core.maskers import Grid, default_masker
from pellucid.core.masking import Bound, Game, Masker
from pellucid.core.text_maskers import Spans, Words
from pellucid.methods.counterfactual.goal import Goal, goal, scores
from pellucid.methods.counterfactual.removal import Removal, Removed
from pellucid.methods.counterfactual.replacing import replaced
from pellucid.methods.counterfactual.sedc import SEDC
from pellucid.methods.counterfactual.substitution import Substitution
from pellucid.methods.counterfactual.vocabulary import Vocabulary
from pellucid.methods.recording import layout_of
from pellucid.models.adapter import BlackBox, Inputs
from pellucid.models.prepare import Prepared


def without(
    ready: Prepared, method: SEDC | Substitution, masker: Masker | None, target: Any, meter: Meter, texts: Any = None
) -> Counterfactuals:
    """Inputs (n, *features) -> what has to be hidden in each, or replaced by words of `texts`; call inside a session."""
    inputs = ready.inputs
    words = None
    if isinstance(method, Substitution):
        words = _vocabulary(ready, masker, texts)
    if inputs.form.own is not None or getattr(ready.adapter, "reads_ids", False):
        raise MethodError(
            "SEDC hides parts of texts, pictures, signals and dense rows: for token ids give the texts to TextModel(model, "
            "tokenizer), for a sparse table its rows as arrays."
        )
    hiding = masker or _usual(inputs)
    f, made, outputs = goal(ready, target, meter)
    fine = made.met(np.asarray(made(outputs, np.arange(len(outputs))), dtype=float))
    rows = [_Row(ready, method, hiding, f, made, row, words) for row in range(len(outputs))]
    found = [row.already() if fine[row.number] else row.search() for row in rows]
    return _Told(ready, method, hiding, f, made, rows, found).record(outputs)


def _vocabulary(ready: Prepared, masker: Masker | None, texts: Any) -> Vocabulary:
    if ready.inputs.form.text is None:
        raise MethodError(f"Substitution replaces words of texts, and x has shape {ready.inputs.x.shape}: give SEDC().")
    if masker is not None and not isinstance(masker, Words):
        raise MethodError(f"Substitution replaces words, and {masker!r} names other parts: leave the masker out.")
    if texts is None or not len(texts):
        raise InputError(
            "Substitution takes its words from texts like these: pass background= texts, training ones for example."
        )
    return Vocabulary.of(texts)


def _usual(inputs: Inputs) -> Masker:
    """What hides parts where nobody says: a picture's windows are blurred, since reference rows would be many pictures."""
    usual = default_masker(inputs.x, inputs.form)
    return replace(usual, fill="blur") if isinstance(usual, Grid) else usual


@dataclass(eq=False)
class _Row:
    """One input, and what it looks like without some of its parts."""

    ready: Prepared
    method: SEDC | Substitution
    masker: Masker
    f: BlackBox
    made: Goal
    number: int
    words: Vocabulary | None = None

    def __post_init__(self) -> None:
        here = slice(self.number, self.number + 1)
        inputs = self.ready.inputs.take(here)
        self.bound: Bound = self.masker.of(here).bind(inputs.x, inputs.background, inputs.form)
        if self.bound.draws > 1:
            raise MethodError(
                f"{self.masker!r} hides a part in {self.bound.draws} ways at once, and a counterfactual is one input: give one "
                "with one reference, such as Baseline('mean') or Grid(fill='blur')."
            )

    def already(self) -> Removed:
        return Removed(np.zeros(len(self.bound.names), bool), 0, minimal=True)

    def search(self) -> Removed:
        one = np.array([self.number])
        game, met = Game(self.f.take(one), self.bound, 1), self.made.take(one).met
        if isinstance(self.method, SEDC):
            return Removal(game, met, self.method).search()
        assert self.words is not None
        return replaced(game, met, self.method, self.words)

    def shown(self, one: Removed) -> Any:
        """What is left of the input, (*features)"""
        assert one.hidden is not None
        if one.put is not None and isinstance(self.bound, Spans):
            return self.bound.said(np.where(one.hidden, one.put, self.bound.names).tolist())
        return self.bound.fill(~one.hidden[None])[0, 0, 0]


@dataclass(eq=False)
class _Told:
    """What was found, as a record."""

    ready: Prepared
    method: SEDC | Substitution
    masker: Masker
    f: BlackBox
    made: Goal
    rows: list[_Row]
    found: list[Removed]

    def record(self, outputs: np.ndarray) -> Counterfactuals:
        inputs, adapter, n = self.ready.inputs, self.ready.adapter, len(self.rows)
        values, valid, new = self._checked()
        size = np.array([0 if one.hidden is None else one.hidden.sum() for one in self.found], dtype=float)
        cost = np.where(valid, size, np.nan)
        done = np.array([valid[i] or one.short != "budget" for i, one in enumerate(self.found)])
        changed = np.zeros(inputs.x.shape, bool)
        changed[valid] = values[valid] != inputs.x[valid]
        shown = self._readable(values, valid)
        return Counterfactuals(
            values=shown,
            original=inputs.readable,
            valid=valid,
            changed=changed,
            cost=cost,
            reason=tuple(self._reason(i, bool(valid[i])) for i in range(n)),
            proof=np.array([one.proven for one in self.found]),
            scores=scores(self.made, outputs),
            new_scores=new,
            answers=tuple(self.made.words(row, adapter.classes) for row in range(n)),
            alternatives=shown[:, None],
            costs=cost[:, None],
            removed=tuple(self._names(i) if valid[i] else () for i in range(n)),
            instead=tuple(self._instead(i) if valid[i] else () for i in range(n))
            if isinstance(self.method, Substitution)
            else None,
            done=done,
            feature_names=inputs.form.names,
            schema=inputs.form.schema,
            layout=layout_of(inputs, ids=False),
            target=self.made.target,
            method=self.method,
            receipt=receipt(
                self.method,
                self.f.meter,
                packages=adapter.packages,
                target=repr(self.made.target),
                scale=self.f.scale,
                masker=repr(self.masker),
                converged=bool(done.all()),
                warnings=(*inputs.warnings, *self._warnings(valid)),
                notes=self._notes(valid),
            ),
        )

    def _checked(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What is left of each input (n, *features), whether the model gives it the wanted answer, and its score."""
        inputs, n = self.ready.inputs, len(self.rows)
        values, valid, new = inputs.x.copy(), np.zeros(n, bool), np.full(n, np.nan)
        some = np.flatnonzero([one.hidden is not None for one in self.found])
        if not len(some):
            return values, valid, new
        for i in some.tolist():
            values[i] = self.rows[i].shown(self.found[i])
        extra = {name: value[some] for name, value in inputs.extra.items()}
        outputs = self.ready.adapter.outputs(values[some], self.f.scale, extra, self.f.meter, inputs.batch_size)
        mine = replace(self.made.take(some), slack=0.0)
        valid[some] = mine.met(np.asarray(mine(outputs, np.arange(len(some)))))
        new[some] = np.where(valid[some], scores(mine, outputs), np.nan)
        return values, valid, new

    def _readable(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Values as a person knows them; nothing where there is no answer."""
        codec = self.ready.inputs.codec
        shown = values if codec is None else codec.schema.readable(values)
        shown = shown.astype(object if shown.dtype.kind in "OU" else np.result_type(shown.dtype, np.float32))
        shown[~valid] = None if shown.dtype == object else np.nan
        return shown

    def _names(self, row: int) -> tuple[str, ...]:
        hidden = self.found[row].hidden
        assert hidden is not None
        return tuple(self.rows[row].bound.names[part] for part in np.flatnonzero(hidden))

    def _instead(self, row: int) -> tuple[str, ...]:
        """What stands in the place of each hidden part."""
        one = self.found[row]
        return () if one.put is None or one.hidden is None else tuple(np.array(one.put, object)[one.hidden].tolist())

    def _reason(self, row: int, valid: bool) -> str:
        """Why an input has no answer, or needs none."""
        one, words = self.found[row], self.made.words(row, self.ready.adapter.classes)
        parts = len(self.rows[row].bound.names)
        if one.hidden is not None and valid:
            return "" if one.hidden.any() else f"it is {words} already: nothing has to change"
        if one.hidden is not None:
            return "an answer was found, but the model did not repeat it when it was asked once more"
        if not parts:
            return "it has no parts that could be hidden"
        if one.proven:
            size = getattr(self.method, "max_size", None)
            most = "" if size is None else f", at most {size} at once"
            return f"whichever of its {parts} parts are hidden{most}, it is not {words}"
        if one.short == "budget":
            return (
                f"none was found before the budget of {self._limit} was spent ({one.asked:,} rows asked for this one)"
            )
        return f"none was found within {one.asked:,} model rows"

    @property
    def _limit(self) -> str | None:
        """The limit in words, where one was reached, or the next question would have gone beyond it."""
        meter = self.f.meter
        if any(one.short == "budget" for one in self.found) and not meter.spent:
            return f"{meter.budget.rows:,} model rows"
        return meter.limit()

    def _warnings(self, valid: np.ndarray) -> tuple[str, ...]:
        said = []
        if self._limit is not None:
            said.append(f"the search stopped at the budget of {self._limit}: sets found by then may not be minimal")
        if not valid.all():
            proven = sum(one.proven for one in self.found)
            said.append(
                f"{int((~valid).sum())} of {len(valid)} rows have no answer, {proven} of them provably so; `reason` says why"
            )
        return tuple(said)

    def _notes(self, valid: np.ndarray) -> tuple[str, ...]:
        large = sum(bool(ok) and not one.minimal for ok, one in zip(valid, self.found, strict=True))
        if not large:
            return ()
        return (
            f"the sets of {large} of {len(valid)} rows are minimal part by part at most: not all of their subsets were asked",
        )
