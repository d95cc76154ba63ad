"""What several tasks do: read labels a row, and say what the machine answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.studies.human.blocks import Block, Prose

if TYPE_CHECKING:
    from pellucid.core.records import Attribution


def labels(name: str, given: Any, record: Attribution) -> tuple[str, ...]:
    """One label a row, as text."""
    made = tuple(map(str, np.asarray(given).ravel().tolist()))
    if len(made) != len(record):
        raise InputError(f"{name} has {len(made)} labels for a record of {len(record)} rows: give one a row.")
    return made


def options(given: Sequence[Any] | None, *answers: Sequence[str]) -> tuple[str, ...]:
    """What can be answered: as given, else whatever occurs, in alphabetical order."""
    if given is not None:
        return tuple(map(str, given))
    return tuple(sorted({label for some in answers for label in some}))


def said(answer: str, who: str = "The model's answer") -> Block:
    """The machine's answer, set apart."""
    return Prose(answer, who)
