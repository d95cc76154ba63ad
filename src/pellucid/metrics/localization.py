"""Localisation: how much of the explanation lies where the answer is known to be?

The share of all positive relevance that lies inside, with R+ = max(R, 0):

    sum of R+ inside / sum of R+

the inside-total ratio of Kohlbrenner et al. (IJCNN 2020), the energy-based pointing game of Wang et al., "Score-CAM" (2020), and
the relevance mass accuracy of Arras, Osman & Samek (2022). Chance is the area of the mask: relevance spread evenly.

Beside it: `weighted`, the ratio over the area (Kohlbrenner et al.'s second measure, 1 by chance); `magnitudes`, the same share of
absolute values; and of the k highest places, k being the size of the mask, `rank_accuracy`, the share that lies inside (Arras et
al.), and `iou`, their intersection with the mask over the union, no threshold being chosen by anyone. Where equal values compete
for the last places, each gets its share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gammaln

from pellucid.metrics.base import Case, Metric, MetricCard, Reading
from pellucid.metrics.regions import known_places, without_places
from pellucid.metrics.similarity import flat


@dataclass(frozen=True)
class Localization(Metric):
    """`absolute` takes magnitudes, for methods whose sign says something else.

    `truth=` of `evaluate`: masks (n, *space) of True and False, or boxes (n, axes, 2) or (n, boxes, axes, 2) from where to where.
    """

    absolute: bool = False

    card: ClassVar[MetricCard] = MetricCard(
        question="How much of the explanation lies where the answer is known to be?",
        direction="higher",
        range=(0.0, 1.0),
        chance="the share of places inside, row by row",
        cost="none",
        weaknesses="where a person sees the answer need not be where the model looks: on a model that uses a shortcut, a right "
        "explanation scores low; evidence against the class inside is not seen; objects in the middle are met by any map that is "
        "high in the middle",
        paper="Kohlbrenner et al. 2020; Wang et al. 2020; Arras, Osman & Samek 2022",
        needs=("truth",),
    )

    def measure(self, case: Case) -> Reading:
        inside, maps = flat(known_places(case)), flat(case.places)
        maps = np.abs(maps) if self.absolute else maps
        known, area = inside.any(axis=1), inside.mean(axis=1)
        mass = _share(np.maximum(maps, 0), inside)
        met = np.array(
            [_met(*row) for row in zip(maps, inside, strict=True)]
        )  # (n,) how many of the k highest are inside
        k = inside.sum(axis=1)
        detail = {
            "weighted": np.divide(mass, area, out=np.zeros(len(mass)), where=known),
            "magnitudes": _share(np.abs(maps), inside),
            "rank_accuracy": met / np.maximum(k, 1),
            "iou": met / np.maximum(2 * k - met, 1),
            "iou_by_chance": np.array([_expected_iou(int(count), maps.shape[1]) for count in k]),
        }
        dark = int((known & (maps <= 0).all(axis=1) & ~case.degenerate).sum())
        said = (f"{dark} of {len(maps)} rows have no positive relevance, which counts as none inside",) if dark else ()
        return Reading(
            np.where(known, mass, np.nan),
            chance=np.where(known, area, np.nan),
            detail={name: np.where(known, values, np.nan) for name, values in detail.items()},
            warnings=(*without_places(inside), *said),
        )


def _share(mass: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """mass >= 0, inside (n, p) -> (n,) 0 where there is no mass"""
    total = mass.sum(axis=1)
    return np.divide((mass * inside).sum(axis=1), total, out=np.zeros(len(mass)), where=total > 0)


def _met(values: np.ndarray, inside: np.ndarray) -> float:
    """values, inside (p,) -> how many of the k highest places lie inside, k being how many do; equals share the last places."""
    k = int(inside.sum())
    if k == 0:
        return 0.0
    last = np.partition(values, len(values) - k)[len(values) - k]
    above, level = values > last, values == last
    return float((above & inside).sum() + (k - above.sum()) * (level & inside).sum() / level.sum())


def _expected_iou(k: int, total: int) -> float:
    """The mean intersection over union of two sets of k among `total` places, one of them drawn at random (hypergeometric)."""
    if k == 0:
        return 0.0
    h = np.arange(max(0, 2 * k - total), k + 1)
    chosen = _log_choose(k, h) + _log_choose(total - k, k - h) - _log_choose(total, np.array(k))
    return float((np.exp(chosen) * h / (2 * k - h)).sum())


def _log_choose(n: int, k: np.ndarray) -> np.ndarray:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))
