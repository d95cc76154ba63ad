"""An audit as a gate: which findings make it fail, and whether each of them was looked for at all.

A gate that was never looked through must not count as passed. So next to what was found stands what could not be told, because
a budget left it out or the model does not allow it; that is neither a pass nor a finding.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.report.record import Audit

FOUND, UNTOLD = 3, 4  # exit codes of the command line


@dataclass(frozen=True)
class Finding:
    """One thing to fail on: the codes of its warnings, and why an audit cannot tell (None where it can)."""

    codes: tuple[str, ...]
    untold: Callable[[Audit], str | None]
    meaning: str


@dataclass(frozen=True)
class Gate:
    """What was asked for, what of it was found in which model, and what could not be told."""

    names: tuple[str, ...]
    found: tuple[dict[str, str], ...]
    untold: tuple[dict[str, str], ...]

    @property
    def passed(self) -> bool:
        return not self.found and not self.untold

    @property
    def exit_code(self) -> int:
        """0 passed, 3 found, 4 nothing found but something could not be told."""
        return FOUND if self.found else UNTOLD if self.untold else 0

    def as_json(self) -> dict[str, Any]:
        return {
            "fail_on": self.names,
            "passed": self.passed,
            "exit_code": self.exit_code,
            "found": self.found,
            "untold": self.untold,
        }


def gate(audits: Iterable[Audit], names: Sequence[str]) -> Gate:
    """Judge audits by some findings."""
    chosen, audits = checked(names), tuple(audits)
    found = [
        {"model": audit.name, "finding": name, "code": warned["code"], "headline": warned["headline"]}
        for audit in audits
        for name in chosen
        for warned in audit.warnings
        if warned["code"] in FINDINGS[name].codes
    ]
    untold = [
        {"model": audit.name, "finding": name, "why": why}
        for audit in audits
        for name in chosen
        if (why := FINDINGS[name].untold(audit)) is not None
    ]
    return Gate(chosen, tuple(found), tuple(untold))


def checked(names: Sequence[str]) -> tuple[str, ...]:
    """Names of findings, each once; a warning's own code stands for its finding."""
    return tuple(dict.fromkeys(_name(str(name).strip().lower()) for name in names))


def _name(given: str) -> str:
    if given in FINDINGS:
        return given
    by_code = {code: name for name, finding in FINDINGS.items() for code in finding.codes if len(finding.codes) == 1}
    if given in by_code:
        return by_code[given]
    near = difflib.get_close_matches(given, [*FINDINGS, *by_code], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FINDINGS)}."
    raise InputError(f"there is no finding {given!r} to fail on: {hint}")


def _no_place(audit: Audit) -> str | None:
    if audit.regions is None and audit.columns is None:
        return "no search for a part of the input that decides alone was made"
    short = [left for left in audit.left_out if left["because"] != "model" and left["part"].startswith("search")]
    return "the search for a part that decides alone was cut short" if short else None


def _judged(*metrics: str) -> Callable[[Audit], str | None]:
    """Every method that was asked has to have been judged by one of these metrics."""

    def untold(audit: Audit) -> str | None:
        if audit.comparison is None:
            return "nothing was explained"
        for name, card in zip(audit.comparison.names, audit.comparison.scorecards, strict=True):
            if not {line.metric for line in card.lines} & set(metrics):
                return f"{name} was not judged by {' or '.join(metrics)}"
        return None

    return untold


def _no_sanity(audit: Audit) -> str | None:
    if audit.facts["kind"] != "torch":
        return "only the weights of a network can be drawn anew"
    return _judged("ModelRandomization")(audit)


def _not_compared(audit: Audit) -> str | None:
    compared = audit.comparison
    many = (
        compared is not None and len(compared.names) > 1 and np.isfinite(compared.agreement).sum() > len(compared.names)
    )
    return None if many else "it takes two methods that finished the same rows"


def _missing(what: Callable[[Audit], Any], why: str) -> Callable[[Audit], str | None]:
    return lambda audit: None if what(audit) else why


FINDINGS = {
    "shortcut": Finding(("shortcut", "leak"), _no_place, "a small place of pictures, or one column, decides alone"),
    "leak": Finding(
        ("leak",), _missing(lambda a: a.columns, "no search for a column was made"), "one column decides alone"
    ),
    "no-skill": Finding(
        ("no-skill",),
        _missing(lambda a: a.performance, "it needs the true answers"),
        "the model does no better than a constant",
    ),
    "group-gap": Finding(
        ("group-gap",), _missing(lambda a: a.groups, "no groups were given (by)"), "the model does worse in a group"
    ),
    "simpler-model": Finding(
        ("simpler-model",),
        _missing(lambda a: a.rivals, "no simple model was set beside it"),
        "a simple model comes within the margin",
    ),
    "unfaithful": Finding(
        ("no-better-than-random",), _judged("Deletion", "Insertion"), "an explanation ranks no better than chance"
    ),
    "misplaced": Finding(
        ("misplaced",),
        _judged("Localization"),
        "an explanation does not lie where the answer is known to be",
    ),
    "unstable": Finding(("unstable",), _judged("Stability"), "an explanation changes when the input barely does"),
    "blind": Finding(("fails-sanity-check",), _no_sanity, "an explanation hardly depends on what was learned"),
    "incomplete": Finding(("gap",), _judged("Completeness"), "values that should add up do not"),
    "disagreeing": Finding(("methods-disagree",), _not_compared, "methods disagree on what matters"),
    "degenerate": Finding(
        ("degenerate",), _missing(lambda a: a.comparison, "nothing was explained"), "an explanation says nothing"
    ),
    "left-out": Finding(("left-out",), lambda audit: None, "the budget left something out"),
}
