"""Counterfactual simulation: does a person know what the model says when the input changes?

Doshi-Velez & Kim 2017 and Hase & Bansal 2020: input, the model's answer and, in one condition, its explanation are shown; then the
changed input, and the question is what the model answers now. The answer shown is that of the input before the change, so the
explanation cannot give the right answer away.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.studies.human.blocks import Facts, Panel
from pellucid.studies.human.drawing import explained, seen
from pellucid.studies.human.item import Item, with_and_without
from pellucid.studies.human.tasks import common

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

KIND = "counterfactual simulation"
QUESTION = "Now the case is changed as shown. What does the model answer then?"


def counterfactual_simulation(
    record: Attribution,
    predicted: Any,
    changed: Any,
    predicted_changed: Any,
    *,
    options: Sequence[Any] | None = None,
    speaks_for: str = "",
) -> tuple[Item, ...]:
    """Items that ask for the model's output on a changed input.

    Parameters
    ----------
    record : explanations of n rows before the change.
    predicted, predicted_changed : (n,) what the model answers before and after it.
    changed : the n rows after the change: a frame, an array, or texts.
    options : what can be answered; None takes the answers that occur.
    speaks_for : what positive values argue for, in words.
    """
    before = common.labels("predicted", predicted, record)
    after = common.labels("predicted_changed", predicted_changed, record)
    choice, other = common.options(options, before, after), _changed(record, changed)
    made = []
    for row in range(len(record)):
        first = Panel("The case", (*seen(record, row), common.said(before[row])))
        then = Panel("The changed case", _compared(record, other, row))
        help = with_and_without(explained(record, row, speaks_for, "Explanation of the first answer"))
        made.append(Item(KIND, QUESTION, choice, (after[row],), (first, then), help))
    return tuple(made)


def _compared(record: Attribution, other: Attribution, row: int) -> Any:
    """The changed input, the lines of a table that differ marked."""
    (new,) = seen(other, row)
    (old,) = seen(record, row)
    if not (isinstance(new, Facts) and isinstance(old, Facts)):
        return (new,)
    marked = tuple(mine[0] for mine, was in zip(new.rows, old.rows, strict=True) if mine != was)
    return (dataclasses.replace(new, marked=marked),)


def _changed(record: Attribution, changed: Any) -> Attribution:
    """The record with other inputs in it."""
    if record.layout == "tokens":
        texts = tuple(map(str, changed))
        if len(texts) != len(record):
            raise InputError(f"changed has {len(texts)} texts for {len(record)} rows: give one a row.")
        return dataclasses.replace(record, texts=texts)
    if hasattr(changed, "columns") and record.feature_names is not None:
        changed = changed[list(record.feature_names)]
    data = np.asarray(changed)
    if data.shape != record.data.shape:
        raise InputError(
            f"changed has shape {data.shape} where the record's data has {record.data.shape}: same rows, same columns."
        )
    return dataclasses.replace(record, data=data)
