"""RISE: the mean score of a picture seen through random soft masks, place by place over the masks that show it.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models" (BMVC 2018), eq. 6: with masks
M_k drawn as in `core/soft.py`, shown with probability p, and y_k = f(x * M_k + baseline * (1 - M_k)),

    expected    S[place] = 1 / (p N) sum_k y_k M_k[place]
    visible     S[place] = sum_k y_k M_k[place] / sum_k M_k[place]

Both tend to the mean score of masks that show the place. The paper's (`expected`) divides by how often a place should have
been shown, so that the score's own size times chance in that count is noise in the map; dividing by how often it was shown
takes that noise away. f is the score, not the predicted label, on the target's own scale (the paper's is the probability).

A map has an offset: for f = w . x with baseline 0 and one cell a place, S_j -> p f(x) + (1 - p) w_j x_j. Only differences between
places mean anything, values do not add up, and there is no base value. Masks are independent, hence the standard error (of
a ratio, linearised, for `visible`). All rows are seen through the same masks, so errors of different rows are correlated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.baseline import BaselineLike, check_baseline, references
from pellucid.core.budget import Budget
from pellucid.core.errors import MethodError
from pellucid.core.maskers import Size, sizes, space_of
from pellucid.core.method import Card, MaskingMethod, Parts, check_positive
from pellucid.core.scalar import Scalar
from pellucid.core.soft import MaskLaw, Moments
from pellucid.methods.shapley.estimate import Estimate, widened

_ROUND = 256  # masks between two looks at the tolerance
_WATCHED = 64  # and at the budget
_CELLS = 2**22  # random numbers held at once


@dataclass(frozen=True)
class RISE(MaskingMethod):
    """`samples` masks with about `cells` nodes along each side (a column of a table is a cell), each shown with probability `p`.

    `normalisation`: by how often a place was shown ("visible"), or should have been ("expected", the paper's).
    `baseline` is what hidden places show: None the background rows, one drawn for each mask, and zeros without. A row
    stops once its largest standard error is at most `tolerance`; coverage of error bars is claimed at fixed samples.
    """

    samples: int = 4000
    cells: Size = 7
    p: float = 0.5
    baseline: BaselineLike = None
    normalisation: Literal["visible", "expected"] = "visible"
    tolerance: float | None = None
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="How high is the score, on average, when this place is seen?",
        scope="local",
        access="black box",
        inputs=("table", "image", "volume", "signal"),
        output="a map over places with a standard error, on the score's own scale",
        cost="`samples` rows, plus 1",
        strengths="needs only answers; sees parts that only work together; an error bar for every place",
        weaknesses="offset: for a linear score a place gets p times the whole score and (1 - p) times its own share, so only "
        "differences count; blurred to the size of a cell; thousands of rows",
        paper="Petsiuk, Das & Saenko 2018",
        rows=1000,
        sampled=True,
        offset=True,
    )

    def __post_init__(self) -> None:
        check_positive(self, "samples", *(["tolerance"] if self.tolerance is not None else []))
        check_baseline(self.baseline)
        if not isinstance(self.samples, int) or self.samples < 2:
            raise MethodError(f"RISE(samples={self.samples!r}): expected a whole number of at least 2.")
        if not 0 < self.p < 1:
            raise MethodError(f"RISE(p={self.p!r}): expected a probability between 0 and 1.")
        if min(np.atleast_1d(self.cells)) < 1:
            raise MethodError(f"RISE(cells={self.cells!r}): expected at least 1 cell along each side.")
        if self.normalisation not in ("visible", "expected"):
            raise MethodError(f"RISE(normalisation={self.normalisation!r}): choose 'visible' or 'expected'.")

    def law(self, x: np.ndarray, channels: int | None) -> MaskLaw:
        """How masks for x (n, *features) are drawn."""
        space = space_of(x, channels)
        return MaskLaw.of(space, space if x.ndim == 2 else sizes(self.cells, space, "cells"), self.p)

    def attribute(self, f: Scalar, x: np.ndarray, *, background: np.ndarray | None, rng: np.random.Generator) -> Parts:
        drawn = references(self.baseline, x, background, channels=f.channels, schema=f.schema)
        law = self.law(x, f.channels)
        about = f(x)  # (n,) taken from the scores to come, so that their squares lose no digits
        unknown = np.full((len(x), int(np.prod(law.space))), np.nan)
        found, sums = Estimate(unknown, unknown), None
        for size in self._rounds(f, law, len(x)):
            more = _asked(f, x, drawn, law, rng.random((size, 1 + law.numbers)), about)
            sums = more if sums is None else sums + more
            if self.tolerance is not None:
                found = found.refined(self._estimate(sums, about[:, None]), self.tolerance)
                if found.reached(self.tolerance).all():
                    break
        assert sums is not None
        found = self._estimate(sums, about[:, None]) if self.tolerance is None else found
        parts = found.parts(np.full(len(x), np.nan), self.tolerance)
        shape = (len(x), *law.space)
        return Parts(
            parts.values.reshape(shape),
            stderr=found.stderr.reshape(shape),
            converged=parts.converged,
            warnings=_doubts(found, sums, (drawn == x).reshape(len(drawn), len(x), -1).all(axis=(0, 2))),
        )

    def _rounds(self, f: Scalar, law: MaskLaw, n: int) -> Iterator[int]:
        """Numbers of masks, as far as memory and the budget go; two at least, for one says nothing of its error."""
        watched = f.meter.budget != Budget()
        most = max(2, min(_WATCHED if watched else _ROUND, _CELLS // law.numbers))
        done = 0
        while done < self.samples:
            size = min(self.samples - done, most)
            size = min(size, max(2 - done, _paid(f, n))) if watched else size
            if size == 0:
                return
            yield size
            done += size

    def _estimate(self, sums: Moments, about: np.ndarray) -> Estimate:
        """about (n, 1) what was taken from the scores."""
        count = sums.count
        if self.normalisation == "expected":
            total = sums.vm + about * sums.m
            squares = sums.vvmm + 2 * about * sums.vmm + about**2 * sums.mm
            values = total / (self.p * count)
            variance = (squares / (self.p**2 * count) - values**2) / (count - 1)
            return Estimate(values, widened(variance, np.full(values.shape, count - 1.0)))
        seen = sums.m > 0
        shown = np.where(seen, sums.m, 1.0)
        over = np.where(seen, sums.vm / shown, sums.v[:, None] / count)
        spread = sums.vvmm - 2 * over * sums.vmm + over**2 * sums.mm
        alike = np.where(seen, shown**2 / np.where(seen, sums.mm, 1.0), 0.0)  # as many masks that show the place fully
        error = widened(spread / shown**2 * count / (count - 1), np.broadcast_to(alike - 1, over.shape))
        return Estimate(about + over, np.where(alike >= 2, error, np.nan))


def _paid(f: Scalar, n: int) -> int:
    """How many masks of n rows the budget still pays for."""
    return 0 if f.meter.spent else int(min(f.meter.rows_left() / n, _WATCHED))


def _asked(f: Scalar, x: np.ndarray, drawn: np.ndarray, law: MaskLaw, u: np.ndarray, about: np.ndarray) -> Moments:
    """One round: u (m, 1 + numbers); the first number of a mask says which of the references it shows."""
    masks, which = law.masks(u[:, 1:], np.float32), (u[:, 0] * len(drawn)).astype(int)
    found = [f.sweep(x, masks[which == r], drawn[r], about) for r in np.unique(which)]
    return sum(found[1:], found[0])


def _doubts(found: Estimate, sums: Moments, same: np.ndarray) -> tuple[str, ...]:
    """same (n,) rows whose reference equals the data"""
    said, n = [], len(same)
    unseen = int((sums.m == 0).sum())
    if unseen:
        said.append(f"{unseen} of {len(sums.m)} places were shown by no mask and got the mean score: take more samples")
    flat = np.ptp(found.values, axis=1) <= 1e-9 * np.abs(found.values).max(axis=1)
    if same.any():
        said.append(
            f"what hidden places show equals the data in {int(same.sum())} of {n} rows, so hiding changes nothing there"
        )
    elif flat.any():
        said.append(
            f"the score is the same through all masks in {int(flat.sum())} of {n} rows: their maps are constant"
        )
    return tuple(said)
