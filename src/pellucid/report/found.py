"""What an audit has found so far: its records by name, and the file of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pellucid.core.concept_scores import ConceptScores
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.examples import Examples
from pellucid.core.label_errors import LabelErrors
from pellucid.core.records import Attribution, Importance
from pellucid.core.rivals import Rivals
from pellucid.core.rules import Rules
from pellucid.core.scores import Scorecard
from pellucid.report.record import ColumnTest, GroupTest, RegionTest


@dataclass(eq=False)
class Found:
    """Records as they come, from this run or an earlier one."""

    rivals: Rivals | None = None
    regions: RegionTest | None = None
    columns: ColumnTest | None = None
    importance: Importance | None = None
    reasons: GroupTest | None = None
    rules: Rules | None = None
    changes: Counterfactuals | None = None
    typical: Examples | None = None
    suspects: LabelErrors | None = None
    concepts: dict[str, ConceptScores] = field(default_factory=dict)  # by class
    attributions: dict[str, Attribution] = field(default_factory=dict)
    cards: dict[str, Scorecard] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, record: Any, file: str) -> None:
        """`name` is one of the fields, or "LABEL values", "LABEL scorecard" or "CLASS concepts"."""
        label, _, kind = name.rpartition(" ")
        if kind == "values":
            self.attributions[label] = record
        elif kind == "concepts":
            self.concepts[label] = record
        elif kind == "scorecard":
            self.cards[label] = record
        else:
            setattr(self, name, record)
        self.files[name] = file
