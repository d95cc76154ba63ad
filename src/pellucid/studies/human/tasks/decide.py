"""Decide with the machine's help: is a person better with it, and does he follow it when it is wrong?

Lai & Tan 2019, "On Human Predictions with Explanations and Predictions of Machine Learning Models: A Case Study on Deception
Detection": a spectrum from no help over the explanation alone and the machine's answer to a statement of how often it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pellucid.core.errors import InputError
from pellucid.studies.human.drawing import explained, seen
from pellucid.studies.human.item import Item
from pellucid.studies.human.tasks import common

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

KIND = "decide"
QUESTION = "What is your own decision?"
CONDITIONS = ("no help", "explanation", "explanation + label", "explanation + label + accuracy")


def decide(
    record: Attribution,
    machine: Any,
    truth: Any,
    *,
    accuracy: float,
    question: str = QUESTION,
    options: Sequence[Any] | None = None,
    speaks_for: str = "",
) -> tuple[Item, ...]:
    """Items on which people decide, with more or less help: four conditions.

    Parameters
    ----------
    record : explanations of n rows.
    machine, truth : (n,) what the machine says, and what is true.
    accuracy : how often the machine is right, as people are told: on test data, not on these rows.
    question : what is to be decided.
    options : what can be answered; None takes the labels that occur.
    speaks_for : what positive values argue for, in words.
    """
    if not 0 < accuracy <= 1:
        raise InputError(
            f"accuracy={accuracy}: the share of test cases on which the machine is right, between 0 and 1."
        )
    theirs, right = common.labels("machine", machine, record), common.labels("truth", truth, record)
    choice = common.options(options, theirs, right)
    stated = f"On cases that it had not seen before, the machine was right in {accuracy:.0%}."
    made = []
    for row in range(len(record)):
        why = explained(record, row, speaks_for, "What the machine goes by")
        label, how_often = (
            common.said(theirs[row], "The machine's answer"),
            common.said(stated, "How good the machine is"),
        )
        levels = ((), why, (*why, label), (*why, label, how_often))
        help = dict(zip(CONDITIONS, levels, strict=True))
        made.append(Item(KIND, question, choice, (right[row],), seen(record, row), help, machine=theirs[row]))
    return tuple(made)
