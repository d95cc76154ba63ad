"""`show(record)`: the usual plot of a record, by its type and layout.

A new record joins with `show.register`.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from matplotlib.axes import Axes

from pellucid.core.advice import Advice
from pellucid.core.change_summary import ChangeSummary
from pellucid.core.cohort import Cohorts
from pellucid.core.concept_scores import ConceptScores
from pellucid.core.counterfactuals import Counterfactuals
from pellucid.core.difficulty import Difficulty
from pellucid.core.effect import Effect
from pellucid.core.errors import InputError
from pellucid.core.examples import Examples
from pellucid.core.influence import Influence
from pellucid.core.label_errors import LabelErrors
from pellucid.core.model_card import PointsCard, Readable, RuleCard
from pellucid.core.positional import PositionalBias
from pellucid.core.probe_result import ProbeResult
from pellucid.core.records import Attribution, Importance, Interactions
from pellucid.core.rules import Rules
from pellucid.core.scores import Comparison, Curve, Scorecard
from pellucid.core.selection import Selection
from pellucid.core.similarity import Similarity
from pellucid.core.study import StudyResult
from pellucid.core.visualization import Visualization
from pellucid.plot._advice import advice
from pellucid.plot._agreement import agreement
from pellucid.plot._bar import bar
from pellucid.plot._beeswarm import beeswarm
from pellucid.plot._changes import changes
from pellucid.plot._cohorts import cohorts
from pellucid.plot._concepts import concepts
from pellucid.plot._counterfactuals import counterfactuals
from pellucid.plot._curve import curve
from pellucid.plot._dissection import detectors
from pellucid.plot._effect import effect
from pellucid.plot._examples import examples
from pellucid.plot._image import image
from pellucid.plot._importance import importance
from pellucid.plot._influence import difficulty, influence
from pellucid.plot._interactions import interactions
from pellucid.plot._label_errors import label_errors
from pellucid.plot._model_card import points_card, rule_card
from pellucid.plot._positional import orders
from pellucid.plot._probe import probe
from pellucid.plot._rule_image import rule_image
from pellucid.plot._rules import rules
from pellucid.plot._scorecard import scorecard
from pellucid.plot._selection import selection
from pellucid.plot._similarity import similarity
from pellucid.plot._study import study
from pellucid.plot._text import text
from pellucid.plot._visualization import visualization


@singledispatch
def show(record: Any, row: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the usual plot of a record, or of a fitted model that can be read.

    `row` chooses one row of an attribution (None: all of a table, else the first).
    """
    known = ", ".join(sorted(kind.__name__ for kind in show.registry if kind is not object))
    raise InputError(f"there is no usual plot of a {type(record).__name__}: give one of {known}.")


@show.register
def _(record: Attribution, row: int | None = None, ax: Axes | None = None) -> Axes:
    if record.layout == "tokens":
        return text(record, row or 0, ax)
    if record.layout != "table":
        return image(record, row or 0, ax)
    if row is None and len(record) > 1:
        return beeswarm(record, ax=ax)
    return bar(record, row or 0, ax=ax)


@show.register
def _(record: Interactions, row: int | None = None, ax: Axes | None = None) -> Axes:
    return interactions(record, row, ax=ax)


@show.register
def _(record: Importance, row: int | None = None, ax: Axes | None = None) -> Axes:
    return importance(record, ax=ax)


@show.register
def _(record: Effect, row: int | None = None, ax: Axes | None = None) -> Axes:
    return effect(record, ax=ax)


@show.register
def _(record: Cohorts, row: int | None = None, ax: Axes | None = None) -> Axes:
    return cohorts(record, ax=ax)


@show.register
def _(record: Curve, row: int | None = None, ax: Axes | None = None) -> Axes:
    return curve(record if row is None else record[row], ax)


@show.register
def _(record: Scorecard, row: int | None = None, ax: Axes | None = None) -> Axes:
    return scorecard(record, ax)


@show.register
def _(record: Comparison, row: int | None = None, ax: Axes | None = None) -> Axes:
    return agreement(record, row, ax)


@show.register
def _(record: Advice, row: int | None = None, ax: Axes | None = None) -> Axes:
    return advice(record, ax)


@show.register
def _(record: Rules, row: int | None = None, ax: Axes | None = None) -> Axes:
    if record.labels is not None and record.labels.ndim == 3 and (row is not None or len(record) == 1):
        return rule_image(record, row or 0, ax)
    return rules(record if row is None else record[row], ax=ax)


@show.register
def _(record: Counterfactuals, row: int | None = None, ax: Axes | None = None) -> Axes:
    return counterfactuals(record if row is None else record[row], ax=ax)


@show.register
def _(record: Examples, row: int | None = None, ax: Axes | None = None) -> Axes:
    return examples(record, ax=ax)


@show.register
def _(record: ChangeSummary, row: int | None = None, ax: Axes | None = None) -> Axes:
    return changes(record, ax)


@show.register
def _(record: PositionalBias, row: int | None = None, ax: Axes | None = None) -> Axes:
    return orders(record, ax=ax)


@show.register
def _(record: Selection, row: int | None = None, ax: Axes | None = None) -> Axes:
    return selection(record, ax)


@show.register
def _(record: StudyResult, row: int | None = None, ax: Axes | None = None) -> Axes:
    return study(record, record.arms[0].measure, ax=ax)


@show.register
def _(record: Influence, row: int | None = None, ax: Axes | None = None) -> Axes:
    return influence(record, row or 0, ax)


@show.register
def _(record: Difficulty, row: int | None = None, ax: Axes | None = None) -> Axes:
    return difficulty(record, ax)


@show.register
def _(record: Visualization, row: int | None = None, ax: Axes | None = None) -> Axes:
    return visualization(record if row is None else record[row], ax)


@show.register
def _(record: ConceptScores, row: int | None = None, ax: Axes | None = None) -> Axes:
    chosen = record if row is None else record[row]
    return detectors(chosen, ax=ax) if record.units else concepts(chosen, ax=ax)


@show.register
def _(record: ProbeResult, row: int | None = None, ax: Axes | None = None) -> Axes:
    return probe(record, ax)


@show.register
def _(record: Similarity, row: int | None = None, ax: Axes | None = None) -> Axes:
    return similarity(record, ax)


@show.register
def _(record: LabelErrors, row: int | None = None, ax: Axes | None = None) -> Axes:
    return label_errors(record, ax)


@show.register
def _(record: RuleCard, row: int | None = None, ax: Axes | None = None) -> Axes:
    return rule_card(record, ax=ax)


@show.register
def _(record: PointsCard, row: int | None = None, ax: Axes | None = None) -> Axes:
    return points_card(record, ax)


@show.register
def _(record: Readable, row: int | None = None, ax: Axes | None = None) -> Axes:
    return show(record.on_a_page(), row, ax)
