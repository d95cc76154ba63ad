"""Max-sensitivity: how far can a small step of the input throw the explanation?

Yeh et al., "On the (In)fidelity and Sensitivity of Explanations" (NeurIPS 2019), definition 2:

    SENS_MAX(phi, f, x, r) = max over |y - x| <= r of ||phi(f, y) - phi(f, x)||

estimated from `samples` steps drawn uniformly from the cube of half-width r and divided by ||phi(f, x)||, as the paper's
experiments and captum do, so that maps of other scales can be compared. Euclidean norms over all cells. The largest of a sample
grows with its size, and is a lower bound of what it estimates. The mean over the sample, the paper's average sensitivity,
stands beside it. A map that has nothing to do with the first but its norm gets the square root of 2.

Steps are in units of the data, as in Stability: a column's standard deviation in the background for tables (levels stay as they
are), the row's own range elsewhere. For pictures from 0 to 1 that is captum's absolute radius.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.similarity import distance, flat
from pellucid.metrics.stability import noise_unit, noisy, without_noise


@dataclass(frozen=True)
class MaxSensitivity(Metric):
    """`samples` steps of at most `radius` in every cell, in units of the data."""

    samples: int = 10
    radius: float = 0.02
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="How far can a small step of the input throw the explanation, relative to its size?",
        direction="lower",
        range=(0.0, np.inf),
        chance="1.41 for maps that share nothing but their size",
        cost="`samples` explanations, as many at once as fit in memory",
        weaknesses="a map that ignores the input gets a perfect 0; the largest of few random steps is far from the worst one, and "
        "grows with their number; a model that itself changes fast deserves sensitive explanations",
        paper="Yeh et al. 2019",
        needs=("again",),
    )

    def __post_init__(self) -> None:
        check_counts(self, "samples")
        if not self.radius > 0:
            raise MethodError(f"MaxSensitivity(radius={self.radius!r}): expected a positive number.")

    def measure(self, case: Case) -> Reading:
        unit, own = noise_unit(case.x, case.background, case.f.schema), flat(case.record.values)
        moved = np.stack([distance(own, flat(map_)) for _, map_ in case.versions(self._steps(case, unit))])
        norm = distance(own, 0 * own)
        relative = np.divide(moved, norm, out=np.full(moved.shape, np.nan), where=norm > 0)
        still = without_noise(np.broadcast_to(unit, case.x.shape))
        return Reading(relative.max(axis=0), detail={"average": relative.mean(axis=0)}, warnings=still)

    def _steps(self, case: Case, unit: np.ndarray) -> Iterator[np.ndarray]:
        """The rows (n, *features) after each step."""
        streams = self.streams(case)
        for _ in range(self.samples):
            step = np.stack([rng.uniform(-self.radius, self.radius, case.x.shape[1:]) for rng in streams])
            yield noisy(case.x, step * unit)
