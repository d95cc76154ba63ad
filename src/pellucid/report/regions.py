"""Does one small place alone decide? An intervention on the model, not a look at a heat map.

Take a picture d that the model calls class c, a picture r that it does not, and a window R. With s the lead of class c over
the best other class, the four pictures "r", "r with R of d", "d with R of r" and "d" are a game of two players, the
window and the rest, whose Shapley value (Shapley 1953) shares out the lead that separates the two pictures:

    share(R) = ( [s(r with R of d) - s(r)] + [s(d) - s(d with R of r)] ) / 2 / [s(d) - s(r)]

Everything pasted is a piece of a real picture. The window is searched on one half of the pictures and judged on the other,
so the interval owes nothing to the search. Two things make a place suspicious. Either it decides almost alone. Or it carries
a good part although it is no ordinary evidence: natural evidence is spread over a picture and many places tell the class
a little, whereas a mark that was put there tells it far better than any other place. The second is measured on the pictures
alone, as the ratio of

    contrast(R) = mean over R of (mean_c - mean_others)^2 / (variance within both groups)

to the largest contrast of an equal window elsewhere (Fisher's criterion). A shortcut that X does not show cannot be found.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.intervals import ratio, wilson
from pellucid.core.scalar import pieces
from pellucid.report.record import RegionTest
from pellucid.report.subject import Subject, lead
from pellucid.report.words import Box

SHARE = 0.1  # of the lead that a window must carry, with confidence, to be worth a sentence
SINGULAR = 5.0  # times better than any other place at telling the class
DECISIVE = 0.6  # of the lead: decides almost alone, if it also turns at least half of the pictures both ways
_SEARCH, _JUDGE, _REUSE = 8, 40, 4  # pairs to search with, pairs to judge with, uses of one picture
_FEWEST = 5  # pictures of a class
ROWS = 3500  # model rows that one class costs, about
_KEEP = 0.85  # of its share that a window keeps when it is made smaller
_CELLS = 2**22  # numbers of pasted pictures held at once
_RANDOM = 6  # equally large windows elsewhere


@dataclass(frozen=True)
class RegionSearch:
    """The search for a place that decides alone, in the most frequent `classes`; `seed` draws the pairs."""

    classes: int = 10
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pictures of a class beside pictures of others, and what the model says of both."""

    ask: Callable[[np.ndarray], np.ndarray]
    donors: np.ndarray  # (m, *features)
    others: np.ndarray  # (m, *features)
    column: int
    axes: tuple[int, int]  # the spatial axes

    def leads(self, x: np.ndarray) -> np.ndarray:
        return lead(self.ask(x), self.column)

    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """(m,) the leads of donors and of others, untouched"""
        return self.leads(self.donors), self.leads(self.others)

    def swapped(self, boxes: list[Box]) -> tuple[np.ndarray, np.ndarray]:
        """(w, m) the leads of others with the donors' window, and of donors with the others' window"""
        block = max(1, _CELLS // (2 * self.donors.size))
        both = [self._swapped(boxes[part]) for part in pieces(len(boxes), block)]
        pasted, removed = np.concatenate(both, axis=1)
        return pasted, removed

    def _swapped(self, boxes: list[Box]) -> np.ndarray:
        """(2, w, m)"""
        mixed = np.stack([np.stack([self.others, self.donors])] * len(boxes), axis=1)  # (2, w, m, *features)
        for at, box in enumerate(boxes):
            where = window(box, self.donors.ndim, self.axes)
            mixed[0, at][where], mixed[1, at][where] = self.donors[where], self.others[where]
        leads = self.leads(mixed.reshape(-1, *self.donors.shape[1:]))
        return leads.reshape(2, len(boxes), -1)


@dataclass(frozen=True, eq=False)
class _Verdict:
    """What was measured of one window."""

    box: Box
    share: tuple[float, float, float]
    contrast: float
    pasted: tuple[int, int]  # pictures of others that become the class, of how many
    removed: tuple[int, int]  # pictures of the class that leave it
    elsewhere: tuple[float, float]  # mean and largest share of equal windows elsewhere

    def suspicious(self, level: float) -> bool:
        low, (mean, most) = self.share[1], self.elsewhere
        turned = min(wilson(*self.pasted, level)[0], wilson(*self.removed, level)[0])
        singular = low > max(SHARE, mean) and self.contrast > SINGULAR
        return singular or (low > max(DECISIVE, most) and turned > 0.5)


def search(subject: Subject, method: RegionSearch = RegionSearch()) -> RegionTest:
    """Test the places of a picture model's input, class by class, the most singular by the pictures alone first."""
    subject = replace(subject, meter=Meter())
    rng, boxes = np.random.default_rng(method.seed), grid(plane(subject))
    possible = _testable(subject, boxes)
    tested, level = possible[: method.classes], 1 - 0.05 / max(1, 2 * len(possible))  # all intervals hold together
    found = [_class(subject, c, boxes, level, rng) for c in tested]
    made = _record(subject, method, found, tested, boxes, level)
    few = [c for c in np.unique(subject.predicted).tolist() if c not in possible]
    later = possible[method.classes :]
    return replace(made, few=tuple(map(subject.called, few)), skipped=tuple(map(subject.called, later)))


def _testable(subject: Subject, boxes: list[Box]) -> list[int]:
    """Classes with enough pictures inside and outside, those with the most singular window first."""
    enough = [c for c in np.unique(subject.predicted).tolist() if min(map(np.sum, _sides(subject, c))) >= _FEWEST]

    def most(column: int) -> float:
        sharp = contrasts(subject, column)
        return max(singularity(sharp, box, plane(subject)) for box in boxes)

    return sorted(enough, key=most, reverse=True)


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


def _class(
    subject: Subject, column: int, boxes: list[Box], level: float, rng: np.random.Generator
) -> tuple[_Verdict, np.ndarray]:
    """The most suspicious window of one class, and the shares of all windows that were searched (w,)."""
    searched, judged = _split(subject, column, rng)
    shares, sharp = _shares(searched, boxes), contrasts(subject, column)
    used, telling = int(shares.argmax()), int(np.argmax([sharp(box) for box in boxes]))
    verdicts = []
    for start in dict.fromkeys([used, telling]):
        box = _refined(searched, boxes[start], shares[start], plane(subject))
        verdicts.append(_judged(judged, box, singularity(sharp, box, plane(subject)), level, plane(subject), rng))
    best = max(verdicts, key=lambda verdict: (verdict.suspicious(level), verdict.share[1]))
    return best, shares


def _split(subject: Subject, column: int, rng: np.random.Generator) -> tuple[_Pairs, _Pairs]:
    """Pairs to search with and pairs to judge with, of different pictures."""
    ours, others = (rng.permutation(np.flatnonzero(mask)) for mask in _sides(subject, column))
    half = len(ours) // 2, len(others) // 2
    axes = subject.wide[0], subject.wide[1]

    def pairs(donors: np.ndarray, rest: np.ndarray, most: int) -> _Pairs:
        m = min(most, _REUSE * len(donors), _REUSE * len(rest))
        return _Pairs(subject.ask, subject.x[np.resize(donors, m)], subject.x[np.resize(rest, m)], column, axes)

    return pairs(ours[: half[0]], others[: half[1]], _SEARCH), pairs(ours[half[0] :], others[half[1] :], _JUDGE)


def _sides(subject: Subject, column: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) masks of the pictures called this class, and of the others"""
    ours = subject.predicted == column
    return ours, ~ours


def plane(subject: Subject) -> tuple[int, int]:
    """Height and width of the pictures."""
    first, second = (subject.x.shape[axis] for axis in subject.wide)
    return first, second


def _shares(pairs: _Pairs, boxes: list[Box]) -> np.ndarray:
    """(w,) the share of each window"""
    whole, nothing = pairs.ends()
    pasted, removed = pairs.swapped(boxes)
    return _gain(pasted, removed, whole, nothing).mean(axis=1) / (whole - nothing).mean()


def _gain(pasted: np.ndarray, removed: np.ndarray, whole: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """The window's Shapley value in the game of two players"""
    return np.asarray((pasted - nothing + whole - removed) / 2)


def _refined(pairs: _Pairs, start: Box, share: float, space: tuple[int, ...]) -> Box:
    """The smallest window in about the same place that still carries most of the share."""
    best = start
    for part in (5 / 6, 2 / 3, 1 / 2):
        size = [max(1, round(part * side)) for side in start[2:]]
        if tuple(size) == best[2:]:
            continue
        near = list(_around(start, size, space))
        shares = _shares(pairs, near)
        if shares.max() < _KEEP * share:
            break
        best = near[int(shares.argmax())]
    return best


def _around(box: Box, size: list[int], space: tuple[int, ...]) -> Iterator[Box]:
    """Smaller windows inside a window, and up to a quarter of its size beyond."""
    starts = []
    for first, whole, small, side in zip(box[:2], box[2:], size, space, strict=True):
        reach = whole // 4
        low, high = max(0, first - reach), min(side - small, first + whole - small + reach)
        starts.append(sorted(set(np.rint(np.linspace(low, high, 5)).astype(int).tolist())))
    for top, left in itertools.product(*starts):
        yield top, left, size[0], size[1]


def _judged(
    pairs: _Pairs, box: Box, contrast: float, level: float, space: tuple[int, ...], rng: np.random.Generator
) -> _Verdict:
    whole, nothing = pairs.ends()
    pasted, removed = (leads[0] for leads in pairs.swapped([box]))
    places = _elsewhere(box, space, rng)
    rest = _shares(pairs, places) if places else np.zeros(1)
    turned = int(((pasted > 0) & (nothing <= 0)).sum()), int((nothing <= 0).sum())
    left = int(((removed <= 0) & (whole > 0)).sum()), int((whole > 0).sum())
    share = ratio(_gain(pasted, removed, whole, nothing), whole - nothing, level)
    return _Verdict(box, share, contrast, turned, left, (float(rest.mean()), float(rest.max())))


def _elsewhere(box: Box, space: tuple[int, ...], rng: np.random.Generator) -> list[Box]:
    """Some random windows of the same size, well apart from this one."""
    ends = [side - size + 1 for side, size in zip(space, box[2:], strict=True)]
    free = [
        (top, left, box[2], box[3])
        for top, left in itertools.product(*map(range, ends))
        if apart((top, left, box[2], box[3]), box)
    ]
    return [free[i] for i in rng.permutation(len(free))[:_RANDOM]]


def contrasts(subject: Subject, column: int) -> Callable[[Box], float]:
    """How well a window tells a class from the others, by the pictures alone."""
    groups = [subject.x[mask].astype(float) for mask in _sides(subject, column)]
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


def _record(
    subject: Subject,
    method: RegionSearch,
    found: list[tuple[_Verdict, np.ndarray]],
    columns: list[int],
    boxes: list[Box],
    level: float,
) -> RegionTest:
    verdicts = [verdict for verdict, _ in found]
    rows = len({box[0] for box in boxes})
    places = plane(subject)[0] * plane(subject)[1]
    return RegionTest(
        classes=tuple(columns),
        names=tuple(subject.called(c) for c in columns),
        boxes=np.array([v.box for v in verdicts], dtype=int).reshape(-1, 4),
        area=np.array([v.box[2] * v.box[3] / places for v in verdicts]),
        share=np.array([v.share for v in verdicts]).reshape(-1, 3),
        contrast=np.array([v.contrast for v in verdicts]),
        pasted=_rates([v.pasted for v in verdicts], level),
        removed=_rates([v.removed for v in verdicts], level),
        elsewhere=np.array([v.elsewhere for v in verdicts]).reshape(-1, 2),
        suspicious=np.array([v.suspicious(level) for v in verdicts], dtype=bool),
        maps=np.array([shares for _, shares in found]).reshape(len(found), rows, -1),
        window=boxes[0][2:],
        space=plane(subject),
        level=level,
        receipt=receipt(method, subject.meter, packages=subject.ready.adapter.packages, scale=subject.scale),
    )


def _rates(counts: list[tuple[int, int]], level: float) -> np.ndarray:
    """[(hits, n), ...] -> (m, 3) rate and the ends of its interval"""
    made = [(hits / n, *wilson(hits, n, level)) for hits, n in counts]
    return np.array(made).reshape(-1, 3)
