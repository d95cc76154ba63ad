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

from dataclasses import dataclass, replace

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.intervals import ratio, wilson
from pellucid.report.contrast import contrasts, singularity
from pellucid.report.record import RegionTest
from pellucid.report.subject import Subject
from pellucid.report.swapping import Pairs, gain, shares_of, sides, split
from pellucid.report.windows import around, elsewhere, grid
from pellucid.report.words import Box

SHARE = 0.1  # of the lead that a window must carry, with confidence, to be worth a sentence
SINGULAR = 5.0  # times better than any other place at telling the class
DECISIVE = 0.6  # of the lead: decides almost alone, if it also turns at least half of the pictures both ways
_FEWEST = 5  # pictures of a class
ROWS = 3500  # model rows that one class costs, about
_KEEP = 0.85  # of its share that a window keeps when it is made smaller


@dataclass(frozen=True)
class RegionSearch:
    """The search for a place that decides alone, in the most frequent `classes`; `seed` draws the pairs."""

    classes: int = 10
    seed: int = 0


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
    enough = [c for c in np.unique(subject.predicted).tolist() if min(map(np.sum, sides(subject, c))) >= _FEWEST]

    def most(column: int) -> float:
        sharp = contrasts(subject, column)
        return max(singularity(sharp, box, plane(subject)) for box in boxes)

    return sorted(enough, key=most, reverse=True)


def _class(
    subject: Subject, column: int, boxes: list[Box], level: float, rng: np.random.Generator
) -> tuple[_Verdict, np.ndarray]:
    """The most suspicious window of one class, and the shares of all windows that were searched (w,)."""
    searched, judged = split(subject, column, rng)
    shares, sharp = shares_of(searched, boxes), contrasts(subject, column)
    used, telling = int(shares.argmax()), int(np.argmax([sharp(box) for box in boxes]))
    verdicts = []
    for start in dict.fromkeys([used, telling]):
        box = _refined(searched, boxes[start], shares[start], plane(subject))
        verdicts.append(_judged(judged, box, singularity(sharp, box, plane(subject)), level, plane(subject), rng))
    best = max(verdicts, key=lambda verdict: (verdict.suspicious(level), verdict.share[1]))
    return best, shares


def plane(subject: Subject) -> tuple[int, int]:
    """Height and width of the pictures."""
    first, second = (subject.x.shape[axis] for axis in subject.wide)
    return first, second


def _refined(pairs: Pairs, start: Box, share: float, space: tuple[int, ...]) -> Box:
    """The smallest window in about the same place that still carries most of the share."""
    best = start
    for part in (5 / 6, 2 / 3, 1 / 2):
        size = [max(1, round(part * side)) for side in start[2:]]
        if tuple(size) == best[2:]:
            continue
        near = list(around(start, size, space))
        shares = shares_of(pairs, near)
        if shares.max() < _KEEP * share:
            break
        best = near[int(shares.argmax())]
    return best


def _judged(
    pairs: Pairs, box: Box, contrast: float, level: float, space: tuple[int, ...], rng: np.random.Generator
) -> _Verdict:
    whole, nothing = pairs.ends()
    pasted, removed = (leads[0] for leads in pairs.swapped([box]))
    places = elsewhere(box, space, rng)
    rest = shares_of(pairs, places) if places else np.zeros(1)
    turned = int(((pasted > 0) & (nothing <= 0)).sum()), int((nothing <= 0).sum())
    left = int(((removed <= 0) & (whole > 0)).sum()), int((whole > 0).sum())
    share = ratio(gain(pasted, removed, whole, nothing), whole - nothing, level)
    return _Verdict(box, share, contrast, turned, left, (float(rest.mean()), float(rest.max())))


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
