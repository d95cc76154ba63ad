"""Model randomisation: an explanation of the model has to change when the model's weights are drawn anew.

Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018), section 3: layers are randomised from the output inwards,
cascading, and the map of the same target is compared with the original one. The value is Spearman's rank correlation of the
*signed* maps after full randomisation: magnitudes of maps that are multiplied with the input stay alike (about 0.9 on
pictures with a black ground) whatever the weights, so correlations of absolute values hide the change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.similarity import constant, flat, rank_correlation


@dataclass(frozen=True)
class ModelRandomization(Metric):
    """`stages` depths, evenly spread up to all layers (fewer where there are fewer); the last is averaged over `draws`."""

    stages: int = 6
    draws: int = 4
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Does the explanation change when the model's weights are drawn anew?",
        direction="closer to 0",
        range=(-1.0, 1.0),
        chance="0 on average; maps of p places vary by 1 / sqrt(p - 1) around it, so little is learned from small tables",
        cost="`stages` + `draws` - 1 explanations",
        weaknesses="all rows share the draws of weights, so the interval over rows knows nothing of other draws (see by_draw); "
        "an edge detector fails and so does a right explanation of a task whose answer is the edges; passing is necessary, "
        "not sufficient; 0.4 is a convention",
        paper="Adebayo et al. 2018",
        needs=("again", "network"),
        bar=0.4,
    )

    def __post_init__(self) -> None:
        check_counts(self, "stages", "draws")

    def measure(self, case: Case) -> Reading:
        from pellucid.models.torch import parametrized

        names = [name for name, _ in parametrized(case.model)][::-1]
        if not names:
            raise MethodError("ModelRandomization draws weights anew, and this network has no parameters.")
        depths = np.unique(np.rint(np.linspace(0, len(names), min(self.stages, len(names)) + 1)).astype(int))[1:]
        own, last = flat(case.record.values), int(depths[-1])
        cascade = [self._map(case, int(depth), 0) for depth in depths]
        ends = [cascade[-1], *(self._map(case, last, draw) for draw in range(1, self.draws))]
        by_depth = np.stack([_alike(own, map_) for map_ in cascade], axis=1)  # (n, depths)
        by_draw = np.stack([_alike(own, map_) for map_ in ends], axis=1)  # (n, draws)
        by_depth[:, -1] = by_draw.mean(axis=1)
        return Reading(
            by_depth[:, -1],
            detail={
                "by_depth": by_depth,
                "by_draw": by_draw,
                "degenerate_share": np.mean([constant(map_) for map_ in ends], axis=0),
            },
            labels=tuple(f"{depth}: {names[depth - 1]}" for depth in depths),
        )

    def _map(self, case: Case, depth: int, draw: int) -> np.ndarray:
        """(n, p) the map of the model whose last `depth` layers are drawn anew."""
        from pellucid.models.torch import randomized

        seed = int(np.random.SeedSequence((self.seed, draw)).generate_state(1)[0])
        return flat(case.explained(case.x, randomized(case.model, depth, seed)))


def _alike(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(n,) rank correlation; 0 where the other map has lost all pattern, NaN where the row's own had none."""
    return np.where(constant(own), np.nan, np.nan_to_num(rank_correlation(own, other)))
