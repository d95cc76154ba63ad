"""How well a window of a picture tells a class from the others, by the pictures alone: Fisher's criterion, see `regions`."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from pellucid.report.subject import Subject
from pellucid.report.swapping import sides
from pellucid.report.windows import apart, starts_of
from pellucid.report.words import Box


def contrasts(subject: Subject, column: int) -> Callable[[Box], float]:
    """How well a window tells a class from the others, by the pictures alone."""
    groups = [subject.x[mask].astype(float) for mask in sides(subject, column)]
    between = (groups[0].mean(axis=0) - groups[1].mean(axis=0)) ** 2
    within = sum(((group - group.mean(axis=0)) ** 2).sum(axis=0) for group in groups) / len(subject)
    others = tuple(axis - 1 for axis in range(1, subject.x.ndim) if axis not in subject.wide)
    between, within = between.mean(axis=others), np.mean(within, axis=others)  # (h, w)
    floor = 0.01 * within.mean() + np.finfo(float).tiny  # no place is quieter than a hundredth of the whole

    def contrast(box: Box) -> float:
        where = slice(box[0], box[0] + box[2]), slice(box[1], box[1] + box[3])
        return float(between[where].mean() / (within[where].mean() + floor))

    return contrast


def singularity(contrast: Callable[[Box], float], box: Box, space: tuple[int, ...]) -> float:
    """How many times better a window tells the class than any equal window well apart from it."""
    starts = [starts_of(side, size) for side, size in zip(space, box[2:], strict=True)]
    others = [(top, left, box[2], box[3]) for top, left in itertools.product(*starts)]
    rest = max((contrast(other) for other in others if apart(other, box)), default=np.inf)
    return contrast(box) / max(rest, np.finfo(float).tiny)
