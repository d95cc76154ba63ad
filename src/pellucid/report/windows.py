"""Windows of pictures: where they lie, which lie apart, smaller ones near by."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from pellucid.report.words import Box

_RANDOM = 6  # equally large windows elsewhere


def window(box: Box, ndim: int, axes: tuple[int, int]) -> tuple[slice, ...]:
    """The index of a window in a batch of pictures."""
    index = [slice(None)] * ndim
    for axis, start, size in zip(axes, box[:2], box[2:], strict=True):
        index[axis] = slice(start, start + size)
    return tuple(index)


def grid(space: tuple[int, ...]) -> list[Box]:
    """Half-overlapping windows of a quarter of each side: 1/16 of the area, about 49 of them."""
    sides = [max(1, side // 4) for side in space]
    starts = [starts_of(side, size) for side, size in zip(space, sides, strict=True)]
    return [(top, left, sides[0], sides[1]) for top, left in itertools.product(*starts)]


def starts_of(side: int, size: int) -> list[int]:
    """Half a window apart; the last one is moved in."""
    return sorted({*range(0, side - size + 1, max(1, size // 2)), side - size})


def apart(a: Box, b: Box) -> bool:
    """Whether half a window or more lies between two windows, so that one mark cannot be in both."""
    down, across = (max(a[i] - b[i] - b[i + 2], b[i] - a[i] - a[i + 2]) for i in (0, 1))
    return down >= a[2] // 2 or across >= a[3] // 2


def around(box: Box, size: list[int], space: tuple[int, ...]) -> Iterator[Box]:
    """Smaller windows inside a window, and up to a quarter of its size beyond."""
    starts = []
    for first, whole, small, side in zip(box[:2], box[2:], size, space, strict=True):
        reach = whole // 4
        low, high = max(0, first - reach), min(side - small, first + whole - small + reach)
        starts.append(sorted(set(np.rint(np.linspace(low, high, 5)).astype(int).tolist())))
    for top, left in itertools.product(*starts):
        yield top, left, size[0], size[1]


def elsewhere(box: Box, space: tuple[int, ...], rng: np.random.Generator) -> list[Box]:
    """Some random windows of the same size, well apart from this one."""
    ends = [side - size + 1 for side, size in zip(space, box[2:], strict=True)]
    free = [
        (top, left, box[2], box[3])
        for top, left in itertools.product(*map(range, ends))
        if apart((top, left, box[2], box[3]), box)
    ]
    return [free[i] for i in rng.permutation(len(free))[:_RANDOM]]
