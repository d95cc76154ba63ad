"""Where the answer is known to lie: masks of the looked-at rows, and those that an explanation can be held to.

An explanation of the class that the model says is held to a mask only where that class is true: of a wrong answer, the mask is of
something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array
from pellucid.report.subject import Subject


def of_rows(subject: Subject, where: Any) -> np.ndarray | None:
    """(n, *space) of the looked-at rows; None where nobody said where the answer lies."""
    if where is None:
        return None
    given, wanted = plain_array(where), (subject.given, *subject.space)
    if given.shape == (subject.given, 1, *subject.space):
        given = given[:, 0]
    if subject.shape == "table" or given.shape != wanted:
        raise InputError(
            f"where= has shape {given.shape}: expected masks {wanted} of True and False, of rows that have space."
        )
    if not np.isin(given, (0, 1)).all():
        raise InputError(
            "where= holds numbers other than 0 and 1, so it is no mask: write masks > 0 where they are labels."
        )
    return given[subject.numbers].astype(bool)


def held_to(subject: Subject, masks: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """(m, *space) masks of some rows; nothing where the answer is wrong."""
    index = np.asarray(rows, dtype=int)
    right = ~subject.wrong[index]
    return np.asarray(masks[index] & right.reshape(-1, *[1] * (masks.ndim - 1)))
