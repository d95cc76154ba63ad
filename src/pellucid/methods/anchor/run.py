"""The engine of `anchor`: coerce, bind, search all rows in step, account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Budget, Meter, as_budget, receipt
from pellucid.core.errors import InputError, MethodError
from pellucid.core.maskers import default_masker
from pellucid.core.masking import Masker
from pellucid.core.rules import Rules
from pellucid.methods.anchor.anchors import Anchors
from pellucid.methods.anchor.decision import Decision
from pellucid.methods.anchor.masks import Masks
from pellucid.methods.anchor.search import Anchor, Pull, Search, Turns
from pellucid.methods.anchor.table import Table
from pellucid.methods.recording import layout_of
from pellucid.methods.run import as_masker
from pellucid.models.prepare import Prepared, prepare

_CELLS = 2**22  # numbers of perturbed inputs held at once


def anchor(
    model: Any,
    x: Any,
    method: Anchors | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Rules:
    """See `pellucid.api.anchor`."""
    ready = prepare(model, x, background=background, names=names, extra=extra, batch_size=batch_size)
    chosen, meter = as_method(method), Meter(as_budget(budget), progress)
    hidden = _hiding(ready, as_masker(masker))
    with ready.adapter.session():
        f, _ = ready.bind(target, meter)
        space = _space(chosen, ready, hidden)
        decision = Decision.of(f, _outputs(ready, f.scale, meter), chosen.within)
        asker = _Asker(decision, space, _known(decision, space))
        decision.check(np.concatenate([decision.own, *([] if asker.known is None else [asker.known])]))
        searches = [Search(chosen, space, row) for row in range(len(decision.own))]
        finished = _in_step(searches, asker)
    return _record(ready, chosen, decision, searches, finished, meter, hidden)


def as_method(method: Any) -> Anchors:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    made: Anchors = spelling.as_value(
        Anchors if method is None else method, (Anchors,), "finds no rules: give Anchors()."
    )
    return made


def _hiding(ready: Prepared, masker: Masker | None) -> Masker | None:
    """What hides parts; None for a table, whose rules speak of values."""
    inputs = ready.inputs
    if masker is not None or inputs.x.ndim != 2 or inputs.form.masker is not None:
        return masker or default_masker(inputs.x, inputs.form)
    if getattr(ready.adapter, "reads_ids", False):
        raise MethodError("token ids are no numbers to compare: say what hides a token, masker=Baseline(value).")
    return None


def _space(method: Anchors, ready: Prepared, masker: Masker | None) -> Table | Masks:
    inputs = ready.inputs
    if masker is not None:
        layout = layout_of(inputs, ids=getattr(ready.adapter, "reads_ids", False))
        return Masks.of(method, masker, inputs, layout)
    if inputs.background is None:
        raise InputError(
            "Anchors needs background rows: pass background=, for example 1,000 rows of the training data."
        )
    return Table.of(method, inputs.x, inputs.background, inputs.form.schema, inputs.form.names)


def _outputs(ready: Prepared, scale: str, meter: Meter) -> int:
    """How many columns the model's output has."""
    one = ready.inputs.take(slice(0, 1))
    made = ready.adapter.outputs(one.x, scale, one.extra, meter, one.batch_size)
    return int(made.shape[1]) if made.ndim == 2 else 1


def _known(decision: Decision, space: Table | Masks) -> np.ndarray | None:
    """(b,) the answers to the background, where an answer does not depend on the row that is explained."""
    if not isinstance(space, Table) or not decision.shared:
        return None
    rows = np.zeros(len(space.background), dtype=int)
    return np.asarray(decision.f.take(rows)(space.background.astype(space.dtype)))


@dataclass(eq=False)
class _Asker:
    """Pulls -> how many of their samples keep the answer."""

    decision: Decision
    space: Table | Masks
    known: np.ndarray | None

    def __call__(self, pulls: list[Pull], at_once: bool = False) -> np.ndarray | None:
        """(pulls,) hits; None if the budget was spent on the way, unless all have to be asked."""
        room = max(1, _CELLS // self.space.cells)
        hits, waiting, size = np.zeros(len(pulls), dtype=np.int64), [], 0
        for i, pull in enumerate(pulls):
            for start in range(pull.start, pull.stop, room):
                part = pull._replace(start=start, stop=min(start + room, pull.stop))
                z, standing = self.space.draw(part, self.known is not None)
                if len(standing):
                    assert self.known is not None
                    hits[i] += self.decision.same(self.known[standing], pull.row).sum()
                waiting.append((i, z))
                size += len(z)
                if size >= room:
                    self._ask(pulls, waiting, hits)
                    waiting, size = [], 0
                    if self.decision.f.meter.spent and not at_once:
                        return None
        self._ask(pulls, waiting, hits)
        return hits

    def _ask(self, pulls: list[Pull], waiting: list[tuple[int, np.ndarray]], hits: np.ndarray) -> None:
        """One call of the model for all that is waiting."""
        owner = np.repeat([i for i, _ in waiting], [len(z) for _, z in waiting])
        if not len(owner):
            return
        rows = np.array([pull.row for pull in pulls])[owner]
        answers = self.decision.f.take(rows)(np.concatenate([z for _, z in waiting]))
        np.add.at(hits, owner[self.decision.same(answers, rows)], 1)


def _in_step(searches: list[Search], ask: _Asker) -> np.ndarray:
    """Run all searches, one round of all of them at a time; (n,) which came to their end within the budget."""
    talks: dict[int, Turns] = {search.row: search.steps() for search in searches}
    wants = {row: next(talk) for row, talk in talks.items()}
    finished, first = np.zeros(len(searches), dtype=bool), True
    while wants and (first or _affordable(wants, ask.decision.f.meter)):
        hits = ask([pull for pulls in wants.values() for pull in pulls], at_once=first)
        if hits is None:
            break
        first, told = False, iter(np.split(hits, np.cumsum([len(pulls) for pulls in wants.values()])[:-1]))
        for row in list(wants):
            try:
                wants[row] = talks[row].send(next(told))
            except StopIteration:
                finished[row] = True
                del wants[row]
    return finished


def _affordable(wants: dict[int, list[Pull]], meter: Meter) -> bool:
    """Whether the budget pays for another round."""
    return not meter.spent and meter.rows_left() >= sum(p.stop - p.start for pulls in wants.values() for p in pulls)


def _record(
    ready: Prepared,
    method: Anchors,
    decision: Decision,
    searches: list[Search],
    finished: np.ndarray,
    meter: Meter,
    masker: Masker | None,
) -> Rules:
    space, inputs = searches[0].space, ready.inputs
    assert isinstance(space, Table | Masks)
    found = [search.best or search.nearest for search in searches]
    anchors = [one for one in found if one is not None]
    assert len(anchors) == len(searches)  # the first round is always asked
    reached = np.array([search.best is not None for search in searches])
    table = isinstance(space, Table)
    facts = {
        "target": repr(decision.f.pick.target),
        "scale": decision.f.scale,
        "masker": None if masker is None else repr(masker),
        "converged": bool(finished.all()),
        "warnings": (*inputs.warnings, *_warnings(method, anchors, reached, finished, meter)),
    }
    return Rules(
        rules=tuple(space.conditions(row, one.rule) for row, one in enumerate(anchors)),
        answers=tuple(decision.words(row, ready.adapter.classes) for row in range(len(anchors))),
        precision=np.array([one.precision for one in anchors]),
        low=np.array([one.low for one in anchors]),
        high=np.array([one.high for one in anchors]),
        coverage=np.array([one.coverage for one in anchors]),
        covered=np.array([space.mask(one.rule).sum() for one in anchors]) if isinstance(space, Table) else None,
        samples=np.array([one.samples for one in anchors]),
        reached=reached,
        data=inputs.readable,
        done=np.ones(len(anchors), dtype=bool),
        labels=None if isinstance(space, Table) else space.labels,
        background_rows=len(space.background) if isinstance(space, Table) else None,
        feature_names=tuple(c.name for c in space.columns) if isinstance(space, Table) else inputs.form.names,
        schema=inputs.form.schema,
        layout="table" if table else space.layout,  # type: ignore[union-attr]
        target=decision.f.pick.target,
        method=method,
        receipt=receipt(method, meter, packages=ready.adapter.packages, **facts),
    )


def _warnings(
    method: Anchors, anchors: list[Anchor], reached: np.ndarray, finished: np.ndarray, meter: Meter
) -> tuple[str, ...]:
    """Plain sentences about how far to trust these rules."""
    said, n = [], len(anchors)
    if not finished.all():
        undone = f"{int((~finished).sum())} of {n} searches were not finished"
        said.append(f"sampling stopped at the budget of {meter.limit() or 'model rows'}: {undone}")
    short = finished & ~reached
    if short.any():
        most = "" if method.max_size is None else f" of at most {method.max_size} conditions"
        said.append(
            f"no rule{most} reached a precision of {method.threshold:g} for {int(short.sum())} of {n} rows: theirs are the most "
            "precise that were found"
        )
    empty = sum(not one.rule for one, ok in zip(anchors, reached, strict=True) if ok)
    if empty:
        said.append(
            f"for {empty} of {n} rows the model gives this answer to nearly every background row: no condition is needed"
        )
    bare = sum(one.coverage == 0 for one in anchors)
    if bare:
        said.append(f"the rules of {bare} of {n} rows apply to no row of the background: give more of it")
    return tuple(said)
