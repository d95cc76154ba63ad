"""The whole check: what fits the model and the budget is run in order of value, judged, and written down as it finishes.

    audit = pc.audit(model, X, y, budget="60s", out="audit")

writes `audit/audit.html` (one page that needs nothing else), `audit/audit.json` and every record in `audit/records/`. A record
is on disk as soon as it is finished; page and JSON follow at the end, or when the run is interrupted. No file is ever half
written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Receipt, receipt
from pellucid.core.method import Method
from pellucid.core.records import Attribution, Importance, Scorecard
from pellucid.core.rules import Rules
from pellucid.methods import run as engine
from pellucid.methods.effect import run as effects
from pellucid.metrics import run as judges
from pellucid.report import columns, enough, findings, groups, plan, regions
from pellucid.report.choose import Choice, choose
from pellucid.report.facts import answer, facts, metric, performance
from pellucid.report.ledger import Ledger, Part, Progress, as_budget
from pellucid.report.publish import publish
from pellucid.report.record import Audit, ColumnTest, RegionTest
from pellucid.report.subject import subject
from pellucid.report.together import comparison, merged

_SEARCH = 0.4  # of what is left of the budget may go into the search for a place, or for rules
_BACKGROUND = 30  # reference rows taken from X for tables


def audit(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    budget: Budget | float | str | None = None,
    out: str | Path | None = None,
    by: Any = None,
    methods: Any = None,
    rows: int = 8,
    background: Any = None,
    classes: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
    held_out: bool | None = None,
    name: str = "model",
    progress: Progress | None = None,
) -> Audit:
    """Explain chosen rows by several methods, judge every explanation, and look for what a model should not rest on.

    Parameters
    ----------
    model : a torch module, an estimator or pipeline of the scikit-learn kind, or any function of a batch.
    X : (n, *features) rows as the model will meet them; a shortcut that they do not show cannot be found.
    y : (n,) the true answers; without them, nothing is said of performance.
    budget : seconds, a text such as "60s", or a Budget; what it leaves out is listed.
    out : folder for the page, the JSON and the records; None writes nothing.
    by : a column of the frame X, or (n,) values: how well the model does in each group.
    methods : method values or spellings; None takes those that fit the model and its input.
    rows : how many rows are explained.
    background : (b, *features) reference rows; None takes some rows of X where a table needs them.
    classes : names of the classes, in the order of the model's outputs.
    names : names of the columns of an array.
    held_out : whether the model was trained without these rows; None says that nobody told.
    name : what the page calls the model.
    progress : called with what is being done, and the share that is done.

    Raises
    ------
    PellucidError : whatever is wrong with the model or the data, named with its remedy.
    """
    wanted = Wanted(by, methods, rows, background, classes, names, held_out, name)
    check = Check(model, X, y, wanted, as_budget(budget), Folder.of(out), progress)
    try:
        check.run()
    finally:
        made = check.audit()
        if out is not None:
            publish(Path(out), [made])
    return made


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
    name: str = "model"


@dataclass(frozen=True)
class Folder:
    """Where records go: `root / records / part`; without a root, nowhere."""

    root: Path | None = None
    part: str = ""

    @classmethod
    def of(cls, out: str | Path | None, part: str = "") -> Folder:
        return cls(None if out is None else Path(out), part)

    def keep(self, record: Any, name: str) -> str:
        """Write a record and return its name beside the page; the bare name where nothing is written."""
        if self.root is None:
            return name
        place = Path("records", self.part, f"{slug(name)}.npz")
        (self.root / place).parent.mkdir(parents=True, exist_ok=True)
        record.save(self.root / place)
        return place.as_posix()


def slug(name: str) -> str:
    """A name as a file may have it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "record"


@dataclass(eq=False)
class Check:
    """One audit while it runs: what was found so far."""

    model: Any
    X: Any
    y: Any
    wanted: Wanted
    budget: Budget
    folder: Folder
    progress: Progress | None = None
    regions: RegionTest | None = None
    columns: ColumnTest | None = None
    importance: Importance | None = None
    rules: Rules | None = None
    attributions: dict[str, Attribution] = field(default_factory=dict)
    cards: dict[str, Scorecard] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.budget, self.progress or (lambda text, fraction: None))
        self.subject = subject(self.model, self.X, self.y, self.wanted.classes, self.wanted.names)
        self.ledger.count(self.subject.meter)
        self.methods = self._labelled(plan.methods(self.subject, self.wanted.methods))
        self.groups = groups.compare(self.subject, self.X, self.wanted.by)

    def run(self) -> None:
        """Do all parts that the budget pays for, the most telling first."""
        self.ledger.run(self.parts())

    def parts(self) -> list[Part]:
        """Everything there is to do, in order of value."""
        s, each = self.subject, self.methods.items()
        explained = [
            Part(f"explanations by {label}", partial(self._explain, label, m), partial(self._guess, m), 2)
            for label, m in each
        ]
        shown = [
            Part(f"faithfulness of {label}", partial(self._judge, label, plan.faithfulness(s, m)), self._sweep, 2)
            for label, m in each
        ]
        sane = [
            Part(
                f"sanity check of {label}",
                partial(self._judge, label, plan.sanity(m)),
                partial(self._again, label, 7),
                2,
            )
            for label, m in each
            if s.kind == "torch"
        ]
        steady = [
            Part(
                f"stability of {label}",
                partial(self._judge, label, plan.stability(m)),
                partial(self._again, label, 6),
                2,
            )
            for label, m in each
        ]
        return [*self._tests(), *explained, *shown, *self._overall(), *self._enough(), *sane, *steady]

    def _tests(self) -> list[Part]:
        """The search for a part of the input that decides alone."""
        s = self.subject
        if s.shape == "picture" and s.task == "classification":
            return [Part("search for a small place that decides alone", self._regions, lambda: regions.ROWS, 4)]
        if s.shape == "table":
            price = columns.ColumnSearch().repeats * s.x.size
            return [Part("search for a column that decides alone", self._columns, lambda: price, 4)]
        why = f"it is made for tables and for pictures with classes; this is {s.task} on a {s.shape}"
        self.ledger.leave("search for a place that decides alone", why)
        return []

    def _overall(self) -> list[Part]:
        s = self.subject
        if s.shape != "table":
            return []
        if s.truth is None:
            self.ledger.leave("importance of the columns", "it needs the true answers: pass y")
            return []
        return [Part("importance of the columns", self._importance, lambda: 6 * s.x.size, 3)]

    def _enough(self) -> list[Part]:
        """Rules for the rows that are shown, of a table."""
        s, name = self.subject, "rules that are enough for an answer"
        if s.shape != "table":
            return []
        shown = min(self.wanted.rows, len(s))
        why = enough.applies(s, shown)
        if why is not None:
            self.ledger.leave(name, why)
            return []
        return [Part(name, partial(self._rules, name), lambda: enough.price(s, shown), 4)]

    # -- the parts -----------------------------------------------------------------------------------------------

    def _regions(self, budget: Budget) -> Receipt:
        usual = regions.RegionSearch().classes
        most = int(max(1, min(usual, _SEARCH * self.ledger.affordable(regions.ROWS))))
        made = self.regions = regions.search(self.subject, regions.RegionSearch(classes=most))
        if made.skipped:
            why = f"not in pictures called {', '.join(made.skipped)}"
            self.ledger.leave("search for a small place that decides alone", why, "budget" if most < usual else "model")
        return self._keep("regions", made)

    def _columns(self, budget: Budget) -> Receipt | None:
        why = columns.applies(self.subject)
        if why is not None:
            self.ledger.leave("search for a column that decides alone", why)
            return None
        self.columns = columns.search(self.subject)
        return self._keep("columns", self.columns)

    def _importance(self, budget: Budget) -> Receipt:
        s = self.subject
        known = s.labels if s.kind == "estimator" else s.truth
        made = effects.importance(self.model, s.X, known, metric=metric(s))
        self.importance = replace(made, names=s.ready.inputs.form.names or made.names)
        return self._keep("importance", self.importance)

    def _rules(self, name: str, budget: Budget) -> Receipt:
        part = replace(budget, rows=int(min(enough.MOST, max(1, _SEARCH * self.ledger.affordable(1)))))
        rows = [row for row, _ in self.chosen]
        made = self.rules = enough.search(self.subject, rows, self.wanted.names, part)
        if not made.receipt.converged:
            self.ledger.leave(name, made.receipt.warnings[0], "budget")
        return self._keep("rules", made)

    def _explain(self, label: str, method: Method, budget: Budget) -> Receipt:
        made = engine.explain(
            self.model,
            self.explained,
            method,
            target=plan.target(self.subject),
            background=self.background,
            names=self.wanted.names,
            budget=budget,
        )
        self.attributions[label] = made
        if not made.done.all():
            self.ledger.leave(
                f"explanations by {label}",
                f"{int((~made.done).sum())} of {len(made)} rows: the budget was spent",
                "budget",
            )
        return self._keep(f"{label} values", made)

    def _judge(self, label: str, metrics: list[Any], budget: Budget) -> Receipt | None:
        record = self.attributions.get(label)
        if record is None or not record.done.any():
            return None  # why there is none has been noted
        if label not in self.cards and np.isfinite(record.base_values[record.done]).all():
            metrics = [judges.Completeness(), *metrics]
        card = judges.evaluate(self.model, record, metrics, background=self.background)
        self.cards[label] = merged(self.cards.get(label), card)
        self._keep(f"{label} scorecard", self.cards[label])
        return card.receipt

    def _keep(self, name: str, record: Any) -> Receipt:
        self.files[name] = self.folder.keep(record, name)
        return record.receipt

    # -- prices, in model rows -------------------------------------------------------------------------------------

    def _guess(self, method: Method) -> float:
        """What an explanation may cost before one was made: nothing is known, so only what is cheap is promised."""
        return float(self.wanted.rows)

    def _sweep(self) -> float:
        return 2.0 * 7 * 33 * self.wanted.rows

    def _again(self, label: str, times: int) -> float:
        record = self.attributions.get(label)
        return 0.0 if record is None else float(times * (record.receipt.rows_forward + record.receipt.rows_backward))

    # -- what is explained -------------------------------------------------------------------------------------------

    @cached_property
    def chosen(self) -> list[Choice]:
        """The explained rows, first those that a suspicion is about."""
        return choose(self.subject, self.wanted.rows, findings.examples(self.subject, self.regions))

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

    def _labelled(self, methods: tuple[Method, ...]) -> dict[str, Method]:
        names = [type(method).__name__ for method in methods]
        return {n if names.count(n) == 1 else repr(m): m for n, m in zip(names, methods, strict=True)}

    # -- the record ----------------------------------------------------------------------------------------------------

    def audit(self) -> Audit:
        """What was found so far, as a record."""
        s, left_out = self.subject, self.ledger.left_out
        compared = comparison(self.attributions, self.cards)
        warnings = findings.collect(s, self.regions, self.columns, compared, self.groups, left_out, self.files)
        return Audit(
            name=self.wanted.name,
            summary=findings.summary(warnings, self._searched()),
            facts=facts(s, self.wanted.held_out),
            performance=performance(s),
            warnings=warnings,
            rows=tuple(self._row(row, why) for row, why in self.chosen) if self.attributions or self.rules else (),
            comparison=compared,
            importance=self.importance,
            rules=self.rules,
            regions=self.regions,
            columns=self.columns,
            groups=self.groups,
            left_out=tuple(left_out),
            records=dict(self.files),
            receipt=receipt(
                tuple(self.methods.values()), self.ledger.meter, packages=s.ready.adapter.packages, scale=s.scale
            ),
        )

    def _searched(self) -> str | None:
        """What was looked for."""
        if self.regions is not None and self.regions.names:
            tested, all_of = len(self.regions.names), len(np.unique(self.subject.predicted))
            where = "" if tested == all_of else f" in the {tested} of {all_of} classes that were searched"
            return f"no small place decides alone{where}"
        return "no column decides alone" if self.columns is not None else None

    def _row(self, row: int, why: str) -> dict[str, Any]:
        s = self.subject
        return {"row": int(s.numbers[row]), "why": why, **answer(s, row)}
