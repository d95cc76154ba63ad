"""Find the bug: does a person notice that a classifier is broken?

Some pages show a sound model, others one that was broken on purpose (trained on wrong labels, on a planted shortcut, with random
weights), each on several cases. Adebayo, Muelly, Liccardi & Kim 2020, "Debugging Tests for Model Explanations", is such a study.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.studies.human.blocks import Block, Panel
from pellucid.studies.human.drawing import explained, seen
from pellucid.studies.human.item import WITH, WITHOUT, Item
from pellucid.studies.human.tasks import common

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

KIND = "find the bug"
QUESTION = "Does this model do its job for good reasons?"
SOUND, BROKEN = "it seems sound", "something is wrong with it"


def find_bug(
    sound: Attribution,
    broken: Attribution,
    answers: tuple[Any, Any],
    *,
    truth: Any = None,
    cases: int = 2,
    speaks_for: str = "",
    seed: int = 0,
) -> tuple[Item, ...]:
    """Items that show one of two models on some cases and ask whether it is broken.

    Parameters
    ----------
    sound, broken : explanations of the same n rows by the same method, of the two models.
    answers : what the sound and what the broken model answers, (n,) each.
    truth : (n,) true answers, shown beside the models' own; None shows none.
    cases : how many rows stand on one page; rows that fill no page are left out.
    speaks_for : what positive values argue for, in words.
    seed : of the order in which the two models come.
    """
    if len(sound) != len(broken):
        raise InputError(
            f"the sound model is explained on {len(sound)} rows, the broken one on {len(broken)}: take the same rows."
        )
    if not 1 <= cases <= len(sound):
        raise InputError(f"cases={cases}: there are {len(sound)} rows to share out over pages.")
    pages = [np.arange(i, i + cases) for i in range(0, len(sound) - cases + 1, cases)]
    true = None if truth is None else common.labels("truth", truth, sound)
    made = []
    for record, said, right in ((sound, answers[0], SOUND), (broken, answers[1], BROKEN)):
        mine = common.labels("answers", said, record)
        made += [_page(record, rows, mine, true, right, speaks_for) for rows in pages]
    return tuple(made[i] for i in np.random.default_rng(seed).permutation(len(made)))


def _page(
    record: Attribution,
    rows: np.ndarray,
    said: tuple[str, ...],
    true: tuple[str, ...] | None,
    right: str,
    speaks_for: str,
) -> Item:
    help: dict[str, tuple[Block, ...]] = {WITHOUT: (), WITH: ()}
    shown: list[Block] = []
    for number, row in enumerate(rows.tolist(), 1):
        truth = () if true is None else (common.said(true[row], "The truth"),)
        shown.append(Panel(f"Case {number}", (*seen(record, row), common.said(said[row]), *truth)))
        help[WITH] += explained(record, row, speaks_for, f"Explanation of the answer to case {number}")
    return Item(KIND, QUESTION, (SOUND, BROKEN), (right,), tuple(shown), help)
