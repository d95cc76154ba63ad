"""Values of pieces added up to values of words: what a reader wants to see of subwords.

Parts and words that share characters belong together, so a block is what is left when all that overlaps is merged: a word and
its tokens, or, where parts are larger than words already (sentences), the part. A block's value is the sum of its parts', so sums
over a text stay what they are; standard errors are added, which bounds that of the sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.words import Span, sentences, words

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

_UNITS: dict[str, Callable[[str], tuple[Span, ...]]] = {"words": words, "sentences": sentences}


def joined(record: Attribution, by: str) -> Attribution:
    """See `Attribution.joined`."""
    from pellucid.core.records import Players

    if by not in _UNITS:
        raise InputError(f"joined({by!r}): choose {' or '.join(map(repr, _UNITS))}.")
    players = record.players
    if record.texts is None or players is None or players.labels is None or players.own is None:
        raise InputError("joined() is for texts whose parts are known by their characters: explain a list of strings.")
    rows = [_blocks(text, players.labels[row], by) for row, text in enumerate(record.texts)]
    n, width = len(rows), max(1, *(len(spans) for spans, _ in rows))
    values, data = np.zeros((n, width)), np.full((n, width), "", dtype=object)
    own, labels = [], np.full(players.labels.shape, -1)
    error = None if players.stderr is None else np.zeros((n, width))
    for row, (spans, owner) in enumerate(rows):
        text, (names, given, stderr) = record.texts[row], players.row(row)
        placed = owner[: len(names)]
        np.add.at(values[row], placed[placed >= 0], given[placed >= 0])
        if error is not None and stderr is not None:
            np.add.at(error[row], placed[placed >= 0], stderr[placed >= 0])
        data[row, : len(spans)] = [text[a:b] for a, b in spans]
        for block, (start, stop) in enumerate(spans):
            labels[row, start:stop] = block
        own.append(tuple(text[a:b] for a, b in spans))
    mask = np.arange(width) < np.array([[len(spans)] for spans, _ in rows])
    held = Players(np.where(mask, values, np.nan), tuple(map(str, range(width))), error, labels, tuple(own))
    values = np.where(record.done[:, None], values, np.nan)
    return replace(record, values=values, stderr=error, data=data, mask=mask, players=held, feature_names=None)


def _blocks(text: str, labels: np.ndarray, by: str) -> tuple[list[Span], np.ndarray]:
    """The spans of the blocks that hold players, and the block of each player (p,), -1 for one without characters."""
    parts: dict[int, Span] = {}
    at = 0
    for player, run in groupby(labels[: len(text)].tolist()):
        start, at = at, at + len(list(run))
        if player >= 0:
            parts[player] = (min(start, parts.get(player, (start, at))[0]), at)
    merged: list[list[int]] = []
    for start, stop in sorted([*parts.values(), *_UNITS[by](text)]):
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(stop, merged[-1][1])
        else:
            merged.append([start, stop])
    spans = [(a, b) for a, b in merged if any(a <= start < b for start, _ in parts.values())]
    owner = np.full(max(parts, default=-1) + 1, -1)
    for player, (start, _) in parts.items():
        owner[player] = next(block for block, (a, b) in enumerate(spans) if a <= start < b)
    tidy = [
        (a + len(text[a:b]) - len(text[a:b].lstrip()), b - len(text[a:b]) + len(text[a:b].rstrip())) for a, b in spans
    ]
    return tidy, owner
