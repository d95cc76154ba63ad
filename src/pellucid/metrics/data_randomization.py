"""Data randomisation: an explanation has to depend on what the model has learned from the labels.

Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018), section 4: the model is trained anew on permuted labels, where
there is nothing to be learned but the rows by heart, and the map of the same target is compared with the original one. The value is
Spearman's rank correlation of the signed maps, as in ModelRandomization. It asks nothing of the model but that it can be trained
again, so it works for trees, pipelines and functions as well.

Beside it stands the same correlation with a model that was trained anew on the *true* labels: only where that is high does a low
one say something of the labels, and not of the luck of training.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.similarity import constant, flat, mean_known, still_alike
from pellucid.metrics.training import Training, seed_of

_LOOSE = 0.5  # maps less alike than this after training on the same labels owe much to the luck of training
_SAME = 0.8  # a permutation that leaves this share of the labels as they are hardly changes the data


@dataclass(frozen=True)
class DataRandomization(Metric):
    """`draws` permutations of the labels. `train=(X, y)` and `retrain=`, a function (X, y) -> a new model, of `evaluate`."""

    draws: int = 2
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Does the explanation change when the model has learned from random labels?",
        direction="closer to 0",
        range=(-1.0, 1.0),
        chance="0 on average; maps of p places vary by 1 / sqrt(p - 1) around it, so little is learned from small tables",
        cost="`draws` + 1 trainings and explanations",
        weaknesses="all rows share the permutations, so the interval over rows knows nothing of others (see by_draw); a model that "
        "cannot fit random labels is as good as constant, and its maps change for that reason alone; explanations of a model whose "
        "inputs differ in scale keep those scales, and with them their order; 0.4 is a convention",
        paper="Adebayo et al. 2018",
        needs=("again", "train", "retrain"),
        bar=0.4,
    )

    def __post_init__(self) -> None:
        check_counts(self, "draws")

    def measure(self, case: Case) -> Reading:
        training, own = Training.of(case.train, case.retrain, case.model), flat(case.record.values)
        rng = np.random.default_rng((self.seed, zlib.crc32(type(self).__name__.encode())))
        orders = [rng.permutation(training.rows) for _ in range(self.draws)]
        models = (training.relabelled(order, seed_of(self.seed, draw)) for draw, order in enumerate(orders))
        maps = [flat(case.explained(case.x, model)) for model in models]
        again = training.on(np.arange(training.rows), seed_of(self.seed, 0))
        by_draw = np.stack([still_alike(own, map_) for map_ in maps], axis=1)  # (n, draws)
        same = still_alike(own, flat(case.explained(case.x, again)))
        return Reading(
            by_draw.mean(axis=1),
            detail={
                "by_draw": by_draw,
                "true_labels": same,
                "degenerate_share": np.mean([constant(map_) for map_ in maps], axis=0),
            },
            warnings=(*_of_luck(same), *_of_labels(training.y, orders)),
        )


def _of_luck(same: np.ndarray) -> tuple[str, ...]:
    """same (n,) how like the record's the maps are of a model trained anew on the true labels"""
    alike = float(mean_known(same, axis=0))
    if not alike < _LOOSE:
        return ()
    return (
        f"trained anew on the true labels, the model's maps are alike by only {alike:.2f}: training itself changes them, so "
        "passing says little",
    )


def _of_labels(y: Any, orders: list[np.ndarray]) -> tuple[str, ...]:
    labels = np.asarray(y.detach().cpu() if hasattr(y, "detach") else y)
    kept = float(np.mean([(labels == labels[order]).reshape(len(labels), -1).all(axis=1).mean() for order in orders]))
    return (f"the permutations leave {kept:.0%} of the labels as they were",) if kept > _SAME else ()
