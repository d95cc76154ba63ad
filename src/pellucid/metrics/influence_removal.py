"""Influence removal: take away the training rows that are said to help, train anew, and see whether the loss rises.

The counterfactual behind every measure of influence (Koh & Liang, ICML 2017; Ghorbani & Zou, "Data Shapley", ICML 2019; Ilyas et
al., "Datamodels", ICML 2022, where the rows removed are each query's own). With S the k rows of highest score for query q and
L_q(R) the loss of q under a model trained on rows R, of m:

    rise_q = L_q(all but S) - L_q(all)

The value is the mean rise over `shares` k / m. Chance is the same with rows drawn at random, as many: training on fewer rows
costs something whichever go. The reverse, without the rows that are said to harm, stands beside it and should lie below chance.

The loss is log loss of a classifier, else squared error (`query_loss.py`).

Trainings differ by luck too, so those that are compared use the same random numbers: global states are seeded alike before each
of them (a training with a seed of its own needs nothing), and `repeats` averages over several.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.metrics.base import MetricCard, Reading, check_counts
from pellucid.metrics.of_influence import InfluenceCase, InfluenceMetric
from pellucid.metrics.training import seed_of


@dataclass(frozen=True)
class InfluenceRemoval(InfluenceMetric):
    """`shares` of the training rows that are removed, `randoms` random sets of each size to compare with, `repeats` trainings each.

    With `together` there is one ranking for all queries, by the sum of their scores, and as many trainings as for one of them.
    """

    shares: tuple[float, ...] = (0.05, 0.1, 0.2)
    randoms: int = 4
    repeats: int = 1
    together: bool = False
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Does the loss rise when the training rows that are said to help are removed and the model is trained anew?",
        direction="higher",
        range=(-np.inf, np.inf),
        chance="measured on every query with as many rows drawn at random",
        cost="(1 + 2 * queries * shares) * `repeats` + `randoms` * shares trainings; `together` as for one query",
        weaknesses="judges the ends of a ranking, not the numbers; rows that duplicate each other matter little one by one and "
        "much together, which no score of single rows can tell; the loss is log loss or squared error, whatever was traced; "
        "queries share the random sets, and with `together` the removed rows, so the interval over queries knows nothing of "
        "others (see chance_by_draw)",
        paper="Koh & Liang 2017; Ghorbani & Zou 2019; Ilyas et al. 2022",
        needs=("train", "retrain"),
        takes=("truth",),
    )

    def __post_init__(self) -> None:
        check_counts(self, "randoms", "repeats")
        given = self.shares if isinstance(self.shares, Sequence) else (self.shares,)
        object.__setattr__(self, "shares", tuple(given))
        if not given or not all(isinstance(share, float) and 0 < share < 1 for share in given):
            raise MethodError(
                f"InfluenceRemoval(shares={self.shares!r}): expected shares between 0 and 1, such as (0.05, 0.1)."
            )

    def measure(self, case: InfluenceCase) -> Reading:
        m = case.training.rows
        counts = [max(1, round(share * m)) for share in self.shares]
        seeds = [seed_of(self.seed, repeat) for repeat in range(self.repeats)]
        start = np.stack([case.losses(np.arange(m), seed) for seed in seeds])  # (repeats, q)
        best = self._orders(case)
        rise = np.stack([self._rise(case, best[:, :k], seeds, start) for k in counts], axis=1)  # (q, shares)
        reverse = np.stack([self._rise(case, best[:, -k:], seeds, start) for k in counts], axis=1)
        chance = np.stack([self._random(case, k, seeds, start) for k in counts], axis=2)  # (q, randoms, shares)
        return Reading(
            rise.mean(axis=1),
            chance=chance.mean(axis=(1, 2)),
            reverse=reverse.mean(axis=1),
            detail={
                "rise": rise,
                "random_rise": chance.mean(axis=1),
                "reverse_rise": reverse,
                "chance_by_draw": chance.mean(axis=2),
                "loss": start.mean(axis=0),
            },
            labels=tuple(f"{count} of {m}" for count in counts),
            warnings=_said(case.record.scores, counts),
        )

    def _orders(self, case: InfluenceCase) -> np.ndarray:
        """The rankings, best row first: (q, m), or (1, m) for all queries together."""
        scores = case.record.scores.sum(axis=0, keepdims=True) if self.together else case.record.scores
        return np.argsort(-scores, axis=1, kind="stable")

    def _rise(self, case: InfluenceCase, gone: np.ndarray, seeds: list[int], start: np.ndarray) -> np.ndarray:
        """gone (q, k) or (1, k) training rows -> (q,) how much the losses rise without them"""
        rises = [case.losses(_left(case, rows), s) - at for rows in gone for s, at in zip(seeds, start, strict=True)]
        by_set = np.reshape(rises, (len(gone), len(seeds), -1)).mean(axis=1)  # (sets, q)
        return by_set[0] if self.together else np.diagonal(by_set)

    def _random(self, case: InfluenceCase, k: int, seeds: list[int], start: np.ndarray) -> np.ndarray:
        """(q, randoms) the same for k rows at random"""
        rng = np.random.default_rng((self.seed, zlib.crc32(type(self).__name__.encode()), k))
        rises = []
        for draw in range(self.randoms):
            rows, repeat = rng.choice(case.training.rows, k, replace=False), draw % self.repeats
            rises.append(case.losses(_left(case, rows), seeds[repeat]) - start[repeat])
        return np.stack(rises, axis=1)


def _left(case: InfluenceCase, gone: np.ndarray) -> np.ndarray:
    """The training rows that stay, in their order."""
    return np.setdiff1d(np.arange(case.training.rows), gone)


def _said(scores: np.ndarray, counts: list[int]) -> tuple[str, ...]:
    short = int(((scores > 0).sum(axis=1) < max(counts)).sum())
    if not short:
        return ()
    return (f"{short} of {len(scores)} queries have fewer than {max(counts)} training rows with a positive score",)
