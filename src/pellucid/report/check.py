"""One audit while it runs: the model and the rows, what was asked for, what was found, and the record of it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Receipt, receipt
from pellucid.core.method import Method
from pellucid.report import (
    columns,
    concepts,
    enough,
    findings,
    groups,
    otherwise,
    places,
    plan,
    reasons,
    regions,
    suspects,
    typical,
)
from pellucid.report.choose import Choice, choose
from pellucid.report.diary import Diary
from pellucid.report.facts import answer, facts, performance
from pellucid.report.fingerprint import fingerprints
from pellucid.report.folder import Folder
from pellucid.report.found import Found
from pellucid.report.ledger import Ledger, Part, Progress
from pellucid.report.parts import parts
from pellucid.report.record import Audit
from pellucid.report.subject import subject
from pellucid.report.together import comparison, merged

_BACKGROUND = 30  # reference rows taken from X for tables


@dataclass(frozen=True, eq=False)
class Wanted:
    """What a user asks of an audit beyond model and data."""

    by: Any = None
    methods: Any = None
    rows: int = 8
    background: Any = None
    classes: Sequence[Any] | None = None
    names: Sequence[str] | None = None
    held_out: bool | None = None
    margin: float = 0.01
    name: str = "model"
    concepts: Mapping[str, Any] | None = None
    where: Any = None


@dataclass(eq=False)
class Check:
    """One audit while it runs."""

    model: Any
    X: Any
    y: Any
    wanted: Wanted
    budget: Budget
    folder: Folder
    progress: Progress | None = None
    resume: bool = False
    found: Found = field(default_factory=Found)

    def __post_init__(self) -> None:
        w = self.wanted
        self.ledger = Ledger(
            self.budget, self.progress or (lambda text, fraction: None), self._recalled, self._finished
        )
        self.subject = subject(self.model, self.X, self.y, w.classes, w.names)
        self.ledger.count(self.subject.meter)
        concepts.checked(self.subject, w.concepts)
        self.methods = _labelled(plan.methods(self.subject, w.methods))
        self.group_of = groups.of_rows(self.subject, self.X, w.by)
        self.where = places.of_rows(self.subject, w.where)
        self.groups = groups.compare(self.subject, self.group_of)
        self.diary = Diary.begin(self.folder, self._made_of(), self.resume)

    def run(self) -> None:
        """Do all parts that the budget pays for, the most telling first."""
        self.ledger.run(parts(self))

    def keep(self, name: str, record: Any) -> Receipt:
        """A record was made: it is written at once."""
        self.found.put(name, record, self.folder.keep(record, name))
        return record.receipt

    # -- an earlier run --------------------------------------------------------------------------------------------

    def _made_of(self) -> dict[str, str]:
        own = (
            *(regions.RegionSearch(), columns.ColumnSearch(), reasons.GroupReasons(), enough.METHOD, otherwise.METHOD),
            *(typical.METHOD, suspects.ANEW, *([concepts.METHOD] if self.wanted.concepts else [])),
        )
        w = self.wanted
        settings = {name: getattr(w, name) for name in ("rows", "classes", "names", "margin")}
        grouped = self.group_of if self.where is None else (self.group_of, self.where)
        return fingerprints(
            self.subject,
            grouped,
            (w.background, *concepts.spread(w.concepts)),
            (*self.methods.values(), *own),
            settings,
        )

    def _recalled(self, part: Part) -> bool:
        """Whether an earlier run did a part; what it found is taken over."""
        if not self.diary.earlier:
            return False
        kept = self.diary.recall(part, self._rows_of(part))
        if kept is None:
            return False
        record, entry = kept
        other = self.found.cards.get(part.record.removesuffix(" scorecard"))
        if other is None:
            self.found.put(part.record, record, entry["file"])
        else:  # this run has judged the same explanation by other metrics
            self.keep(part.record, merged(record, other))
        self.ledger.left_out.extend(entry["left_out"])
        return True

    def _finished(self, part: Part, made: Receipt, left: list[dict[str, str]]) -> None:
        """Note a part that was not cut short."""
        if all(one["because"] != "budget" for one in left):
            self.diary.note(part, made, self.found.files[part.record], self._rows_of(part), left)

    def _rows_of(self, part: Part) -> list[int]:
        return [row for row, _ in self.chosen] if part.local else []

    # -- what is explained -------------------------------------------------------------------------------------------

    @cached_property
    def chosen(self) -> list[Choice]:
        """The explained rows, first those that a suspicion is about."""
        return choose(self.subject, self.wanted.rows, findings.examples(self.subject, self.found.regions))

    @cached_property
    def explained(self) -> Any:
        return self.subject.take([row for row, _ in self.chosen])

    @cached_property
    def background(self) -> Any:
        """The user's reference rows, else evenly spread other rows of X for tables."""
        if self.wanted.background is not None or not plan.needs_background(self.subject, tuple(self.methods.values())):
            return self.wanted.background
        free = np.setdiff1d(np.arange(len(self.subject)), [row for row, _ in self.chosen])
        if not len(free):
            return None
        return self.subject.take(free[np.linspace(0, len(free) - 1, min(_BACKGROUND, len(free))).astype(int)])

    # -- the record ----------------------------------------------------------------------------------------------------

    def audit(self) -> Audit:
        """What was found so far, as a record."""
        s, found, left_out = self.subject, self.found, self.ledger.left_out
        asked = {label: found.attributions[label] for label in self.methods if label in found.attributions}
        compared = comparison(asked, found.cards)
        warnings = findings.collect(s, found, compared, self.groups, left_out)
        return Audit(
            name=self.wanted.name,
            summary=findings.summary(warnings, self._searched()),
            facts=facts(s, self.wanted.held_out),
            performance=performance(s),
            warnings=warnings,
            rows=tuple(self._row(row, why) for row, why in self.chosen)
            if asked or found.rules or found.changes
            else (),
            comparison=compared,
            rivals=found.rivals,
            importance=found.importance,
            rules=found.rules,
            changes=found.changes,
            regions=found.regions,
            columns=found.columns,
            concepts=found.concepts,
            groups=self.groups,
            reasons=found.reasons,
            typical={} if found.typical is None else typical.told(s, found.typical),
            suspects={} if found.suspects is None else suspects.told(s, found.suspects, self._page_of_labels()),
            left_out=tuple(left_out),
            records=dict(found.files),
            resumed=self.diary.told() if self.resume else {},
            receipt=self._receipt(),
        )

    def _page_of_labels(self) -> str | None:
        assert self.found.suspects is not None
        return suspects.page_of(self.subject, self.found.suspects, self.folder.root, self.folder.part)

    def _receipt(self) -> Receipt:
        """What this run cost, and what was taken over had cost."""
        made = receipt(
            tuple(self.methods.values()),
            self.ledger.meter,
            packages=self.subject.ready.adapter.packages,
            scale=self.subject.scale,
        )
        before = self.diary.told()
        return replace(
            made,
            rows_forward=made.rows_forward + before["rows_forward"],
            rows_backward=made.rows_backward + before["rows_backward"],
            seconds=made.seconds + before["seconds"],
        )

    def _searched(self) -> str | None:
        """What was looked for."""
        test = self.found.regions
        if test is not None and test.names:
            tested, all_of = len(test.names), len(np.unique(self.subject.predicted))
            where = "" if tested == all_of else f" in the {tested} of {all_of} classes that were searched"
            return f"no small place decides alone{where}"
        return "no column decides alone" if self.found.columns is not None else None

    def _row(self, row: int, why: str) -> dict[str, Any]:
        s = self.subject
        return {"row": int(s.numbers[row]), "why": why, **answer(s, row)}


def _labelled(methods: tuple[Method, ...]) -> dict[str, Method]:
    names = [type(method).__name__ for method in methods]
    return {n if names.count(n) == 1 else repr(m): m for n, m in zip(names, methods, strict=True)}
