"""A row of two texts, a question and its context, as one text: the two with a mark between them that no word holds.

So that whatever reads, cuts or hides texts reads pairs too: the mark is no part of any word or sentence, and it stays when all else
goes. Places of characters count from the start of the first text, the mark included.

What is asked of a place (where an answer stands) has to be found again when parts before it are hidden: then a text carries the
*spots* that it is asked about, spans of its characters, behind a second mark at its end.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

BREAK, _SPOTS = "\x1e", "\x1f"  # the record and the unit separator of old, which no text holds


def pair(first: str, second: str) -> str:
    """Two texts as one."""
    return f"{first}{BREAK}{second}"


def parted(text: str) -> tuple[str, ...]:
    """The two texts of a pair, or the only one."""
    return tuple(text.split(BREAK, 1))


def ranges(text: str) -> tuple[tuple[int, int], ...]:
    """From which character to which each of the texts goes."""
    first, *second = parted(text)
    return ((0, len(first)), *((len(first) + 1, len(text)) for _ in second))


def carrying(text: str, spots: Iterable[Iterable[int]]) -> str:
    """A text that tells its spots, spans (k, 2) of its characters."""
    return text + _SPOTS + " ".join(f"{start}:{stop}" for start, stop in spots)


def carried(text: str) -> tuple[str, np.ndarray | None]:
    """The text itself, and its spots (k, 2) where it tells them."""
    said, mark, told = text.partition(_SPOTS)
    return said, np.array([spot.split(":") for spot in told.split()], dtype=int) if mark else None
