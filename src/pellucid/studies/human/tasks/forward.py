"""Forward simulation: can a person predict what the model says?

Doshi-Velez & Kim 2017, "Towards A Rigorous Science of Interpretable Machine Learning", show the explanation beside the input
(`when="beside"`). An explanation of the answer can give the answer away, so Hase & Bansal 2020, "Evaluating Explainable AI: Which
Algorithmic Explanations Help Users Predict Model Behavior?", show explanations with examples first and ask about new inputs without
any (`when="before"`, the default): what is measured then is what was understood of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pellucid.core.errors import InputError
from pellucid.studies.human.drawing import explained, seen
from pellucid.studies.human.item import Item, with_and_without
from pellucid.studies.human.tasks import common

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

KIND = "forward simulation"
QUESTION = "What does the model answer here?"


def forward_simulation(
    record: Attribution,
    predicted: Any,
    *,
    examples: int = 4,
    when: Literal["before", "beside"] = "before",
    options: Sequence[Any] | None = None,
    speaks_for: str = "",
) -> tuple[Item, ...]:
    """Items that ask for the model's output.

    Parameters
    ----------
    record : explanations of n rows; the first `examples` of them are examples with the model's answer, the others are asked about.
    predicted : (n,) what the model answers.
    when : "before": explanations stand beside the examples only; "beside": beside every input.
    options : what can be answered; None takes the answers that occur.
    speaks_for : what positive values argue for, in words.
    """
    answers = common.labels("predicted", predicted, record)
    choice = common.options(options, answers)
    if when not in ("before", "beside"):
        raise InputError(f"forward_simulation(when={when!r}): choose 'before' or 'beside'.")
    least = 1 if when == "before" else 0
    if not least <= examples < len(record):
        raise InputError(
            f"examples={examples} of {len(record)} rows: leave rows to ask about, and take at least 1 with 'before'."
        )
    made = []
    for row, answer in enumerate(answers):
        example = row < examples
        help = with_and_without(explained(record, row, speaks_for)) if example or when == "beside" else {}
        if example:
            shown = (*seen(record, row), common.said(answer))
            made.append(
                Item(KIND, f"Example {row + 1} of {examples}: see what the model answers", shown=shown, help=help)
            )
        else:
            made.append(Item(KIND, QUESTION, choice, (answer,), seen(record, row), help))
    return tuple(made)
