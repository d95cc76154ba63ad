"""Spot and fix a wrong label: a person sees a case with its label and says which label is right.

The model's explanation is of the answer that it gives itself; Koh & Liang 2017 let people check labels in a like manner, by
influence. Whoever keeps the label that was given has not spotted anything, so spotting and fixing is one question.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pellucid.studies.human.drawing import explained, seen
from pellucid.studies.human.item import Item, with_and_without
from pellucid.studies.human.tasks import common

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

KIND = "wrong label"
QUESTION = "The label may be wrong. Which label is right?"


def fix_label(
    record: Attribution,
    given: Any,
    truth: Any,
    *,
    options: Sequence[Any] | None = None,
    speaks_for: str = "",
) -> tuple[Item, ...]:
    """Items that show a case with its label, right or wrong, and ask for the right one.

    Parameters
    ----------
    record : explanations of n rows.
    given, truth : (n,) the label that is shown, and the right one; mix cases where they agree with those where they do not.
    options : what can be answered; None takes the labels that occur.
    speaks_for : what positive values argue for, in words.
    """
    shown, right = common.labels("given", given, record), common.labels("truth", truth, record)
    choice = common.options(options, shown, right)
    return tuple(
        Item(
            KIND,
            QUESTION,
            choice,
            (right[row],),
            (*seen(record, row), common.said(shown[row], "Its label")),
            with_and_without(explained(record, row, speaks_for, "What the model sees in it")),
        )
        for row in range(len(record))
    )
