"""Which of two models is better? A person sees both answer the same case.

Ribeiro, Singh & Guestrin 2016, "Why Should I Trust You?", section 6.3: two classifiers look alike on the validation set, and one
of them, which generalises worse, rests on words that mean nothing; explanations let people pick the other one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.studies.human.blocks import Block, Panel
from pellucid.studies.human.drawing import explained, seen
from pellucid.studies.human.item import Item, with_and_without
from pellucid.studies.human.tasks import common

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

KIND = "better model"
QUESTION = "Which model will do better in the real world?"
NAMES = ("Model A", "Model B")


def better_model(
    better: Attribution,
    worse: Attribution,
    answers: tuple[Any, Any],
    *,
    truth: Any = None,
    speaks_for: str = "",
    seed: int = 0,
) -> tuple[Item, ...]:
    """Items that show two models side by side and ask which one is to be trusted.

    Parameters
    ----------
    better, worse : explanations of the same n rows; which model is better was measured on data that shows it.
    answers : what the better and what the worse model answers, (n,) each.
    truth : (n,) true answers, shown beside the models' own; None shows none.
    speaks_for : what positive values argue for, in words.
    seed : of which model is called A on which page.
    """
    if len(better) != len(worse):
        raise InputError(
            f"one model is explained on {len(better)} rows, the other on {len(worse)}: take the same rows."
        )
    said = tuple(common.labels("answers", mine, better) for mine in answers)
    true = None if truth is None else common.labels("truth", truth, better)
    swapped = np.random.default_rng(seed).permutation(np.arange(len(better)) % 2).astype(bool).tolist()
    made = []
    for row, swap in enumerate(swapped):
        records, mine = [better, worse], [one[row] for one in said]
        if swap:
            records, mine = records[::-1], mine[::-1]
        both = [common.said(answer, f"{name}'s answer") for name, answer in zip(NAMES, mine, strict=True)]
        known = [] if true is None else [common.said(true[row], "The truth")]
        panels: list[Block] = [
            Panel(name, explained(record, row, speaks_for)) for name, record in zip(NAMES, records, strict=True)
        ]
        shown = (*seen(better, row), *known, *both)
        made.append(Item(KIND, QUESTION, NAMES, (NAMES[int(swap)],), shown, with_and_without(tuple(panels))))
    return tuple(made)
