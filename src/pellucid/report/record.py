"""What an audit hands back, and the two tests of its own that its warnings rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pellucid.core.concept_scores import ConceptScores
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.records import Importance, Record
from pellucid.core.rivals import Rivals
from pellucid.core.rules import Rules
from pellucid.core.scores import Comparison
from pellucid.report.gate import Gate, gate

Warn = dict[str, Any]


def warning(
    code: str,
    about: Literal["alternative", "model", "explanation", "audit"],
    headline: str,
    sentence: str,
    numbers: Mapping[str, Any],
    record: str | None,
) -> Warn:
    """One warning: a code for programs, words for people, and the numbers it rests on with the record they come from."""
    return {
        "code": code,
        "about": about,
        "headline": headline,
        "sentence": sentence,
        "numbers": dict(numbers),
        "record": record,
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionTest(Record):
    """Does one small place of a picture decide alone? One line per class, the most singular first.

    `share (m, 3)` of the lead that the place carries, with its interval; `contrast (m,)` how many times better the place tells
    the class than any other place; `pasted`, `removed (m, 3)` rates, with intervals, at which pictures turn into the class
    with the place, and leave it without; `elsewhere (m, 2)` mean and largest share of equally large places.
    """

    classes: tuple[int, ...]
    names: tuple[str, ...]
    boxes: np.ndarray  # (m, 4) top, left, height, width
    area: np.ndarray  # (m,) of the picture
    share: np.ndarray
    contrast: np.ndarray
    pasted: np.ndarray
    removed: np.ndarray
    elsewhere: np.ndarray
    suspicious: np.ndarray  # (m,) bool
    maps: np.ndarray  # (m, rows, columns) the share of every window that was searched
    window: tuple[int, int]  # their size
    space: tuple[int, int]
    level: float  # of each interval, so that all hold together at 95 %
    few: tuple[str, ...] = ()  # classes with too few pictures
    skipped: tuple[str, ...] = ()  # classes beyond the number that was asked for


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnTest(Record):
    """Does one column of a table carry the model alone? `share (p, 3)` of the quality, with its interval."""

    names: tuple[str, ...]
    share: np.ndarray
    quality: float  # share of right classes, or negative mean squared error
    chance: float  # the same for answers dealt out at random
    of_truth: bool  # against true answers, else against the model's own
    level: float
    suspicious: np.ndarray  # (p,) bool


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupTest(Record):
    """Does the model go by other columns in one group? `importance (g, p, 3)` of each column among the group's own rows, and
    `difference (g, p, 3)` from that among all other rows, with intervals that hold together."""

    groups: tuple[str, ...]
    names: tuple[str, ...]
    rows: np.ndarray  # (g,)
    importance: np.ndarray
    difference: np.ndarray
    small: np.ndarray  # (g,) bool: too few rows for more than a hint
    of_truth: bool  # against true answers, else against the model's own
    level: float

    @property
    def differs(self) -> np.ndarray:
        """(g, p) bool: the interval of the difference leaves zero out"""
        return np.asarray((self.difference[..., 1] > 0) | (self.difference[..., 2] < 0))


@dataclass(frozen=True, eq=False, kw_only=True)
class Audit(Record):
    """The whole check of one model.

    `warnings` are dicts: `code`, `about` ("alternative", "model", "explanation" or "audit"), `headline`, `sentence`, `numbers` and
    the `record` (a file beside the page) that they come from. `rows` says of every explained row which one it is and why it was
    chosen. `left_out` names what a budget, or a method that does not apply, left undone; `resumed` what was taken from an earlier
    run, what that had cost, and why not more.
    """

    name: str
    summary: str
    facts: dict[str, Any]
    performance: dict[str, Any]
    warnings: tuple[Warn, ...]
    rows: tuple[dict[str, Any], ...]
    comparison: Comparison | None = None
    rivals: Rivals | None = None
    importance: Importance | None = None
    rules: Rules | None = None  # of `rows`, what is enough for their answers
    changes: Counterfactuals | None = None  # of `rows`, what would change their answers
    regions: RegionTest | None = None
    columns: ColumnTest | None = None
    concepts: dict[str, ConceptScores] = field(default_factory=dict)  # by class, which concepts raise its score
    groups: tuple[dict[str, Any], ...] = ()
    reasons: GroupTest | None = None
    typical: dict[str, Any] = field(default_factory=dict)  # rows that stand for the others
    suspects: dict[str, Any] = field(default_factory=dict)  # labels that are likely to be wrong
    left_out: tuple[dict[str, str], ...] = ()
    records: dict[str, str] = field(default_factory=dict)  # what each file beside the page holds
    resumed: dict[str, Any] = field(default_factory=dict)

    def gate(self, *names: str) -> Gate:
        """Whether this model passes: `audit.gate("shortcut", "unstable").passed`."""
        return gate([self], names)
