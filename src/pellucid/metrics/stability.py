"""Stability: does the explanation stay when the input barely changes?

The mean cosine between the map and the maps of `trials` copies of the input with noise N(0, sigma^2). Noise is in units of
the data: a column's standard deviation in the background for tables (levels stay as they are), the row's own range elsewhere; or,
where `relative` is False, in the data's own units, the same for every number.
The plain cosine is kept because it is widely reported, and it misleads: constant maps get 1 whatever the model, rectified
or min-max-scaled ones are driven towards 1. So the centred cosine, the rank correlation and the share of degenerate
maps stand beside it. Why the cosine of a map with an offset is high, in numbers: with m and s the mean and standard deviation of
two alike maps and r their centred cosine,

    cosine = (m^2 + s^2 r) / (m^2 + s^2)

so that r = 0.86 becomes 0.999 where min-max scaling leaves values at 0.5 on average and a standard deviation of 0.045.

Beside them too the local Lipschitz estimate of Alvarez-Melis & Jaakkola, "On the Robustness of Interpretability Methods" (2018),
over the same copies and in the data's own units: max over copies of ||phi(x) - phi(x')|| / ||x - x'||.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.schema import Schema
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.similarity import (
    centred_cosine,
    constant,
    cosine,
    distance,
    flat,
    mean_known,
    rank_correlation,
)

Alike = Callable[[np.ndarray, np.ndarray], np.ndarray]

_OFFSET = 0.1  # a cosine this far above the centred one is worth a sentence


@dataclass(frozen=True)
class Stability(Metric):
    """`trials` noisy copies of standard deviation `sigma`: a share of the data's spread, or absolute where `relative` is False."""

    trials: int = 5
    sigma: float = 0.02
    seed: int = 0
    relative: bool = True

    card: ClassVar[MetricCard] = MetricCard(
        question="Does the explanation stay the same when the input barely changes?",
        direction="higher",
        range=(-1.0, 1.0),
        chance="0 for signed maps, 0.75 for independent uniform ones, 1 for constant ones: see the centred cosine",
        cost="`trials` explanations",
        weaknesses="a map that ignores the input is perfectly stable; offsets and rectified maps drive the cosine to 1; "
        "a model that itself changes fast deserves unstable explanations; 0.9 is a convention",
        paper="Alvarez-Melis & Jaakkola 2018; the cosine over noisy copies is the founding text's",
        needs=("again",),
        bar=0.9,
    )

    def __post_init__(self) -> None:
        check_counts(self, "trials")
        if not self.sigma > 0:
            raise MethodError(f"Stability(sigma={self.sigma!r}): expected a positive standard deviation.")

    def measure(self, case: Case) -> Reading:
        unit, own = self._unit(case), flat(case.record.values)
        trials, steps = [], []
        for copy, map_ in case.versions(self._copies(case, unit)):
            trials.append(flat(map_))
            steps.append(_length(copy.astype(float) - case.x.astype(float)))
        plain, centred = _mean(cosine, own, trials), _mean(centred_cosine, own, trials)
        return Reading(
            plain,
            detail={
                "centred_cosine": centred,
                "rank_correlation": _mean(rank_correlation, own, trials),
                "degenerate_share": np.mean([constant(trial) for trial in trials], axis=0),
                "lipschitz": _steepest(own, trials, steps),
            },
            warnings=_warnings(plain, centred, np.broadcast_to(unit, case.x.shape)),
        )

    def _unit(self, case: Case) -> np.ndarray:
        """One unit of noise, broadcastable against x; 0 where nothing can be added."""
        if self.relative:
            return noise_unit(case.x, case.background, case.f.schema)
        coded = () if case.x.ndim > 2 or case.f.schema is None else case.f.schema.coded
        unit = np.ones(case.x.shape[1:])
        unit[..., np.flatnonzero(coded)] = 0.0
        return unit

    def _copies(self, case: Case, unit: np.ndarray) -> Iterator[np.ndarray]:
        """The rows (n, *features) under the noise of each trial."""
        streams = self.streams(case)
        for _ in range(self.trials):
            noise = self.sigma * np.stack([rng.standard_normal(case.x.shape[1:]) for rng in streams])
            yield noisy(case.x, noise * unit)


def noise_unit(x: np.ndarray, background: np.ndarray | None, schema: Schema | None) -> np.ndarray:
    """x (n, *features) -> one unit of noise, broadcastable against x; 0 where nothing can be added."""
    if x.ndim > 2:
        return np.asarray(np.ptp(x.astype(float), axis=tuple(range(1, x.ndim)), keepdims=True))
    numeric = np.ones(x.shape[1], bool) if schema is None else ~schema.coded
    if background is not None:
        return np.where(numeric, _deviation(background.astype(float)), 0.0)
    low, high = np.where(numeric, x, np.inf), np.where(numeric, x, -np.inf)
    spread = np.fmax.reduce(high, axis=1, keepdims=True) - np.fmin.reduce(low, axis=1, keepdims=True)
    return np.where(numeric & np.isfinite(spread), spread, 0.0)


def _deviation(rows: np.ndarray) -> np.ndarray:
    """(b, p) -> (p,) the standard deviation of what is known of each column, 0 where that is nothing."""
    return np.nan_to_num(np.sqrt(mean_known((rows - mean_known(rows, axis=0)) ** 2, axis=0)))


def noisy(x: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """x + noise in x's own dtype; whole numbers are rounded and stay within their range."""
    made = x + noise
    if x.dtype.kind == "f":
        return made.astype(x.dtype)
    low, high = (0, 1) if x.dtype.kind == "b" else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
    return np.clip(np.rint(made), low, high).astype(x.dtype)


def _mean(alike: Alike, own: np.ndarray, trials: list[np.ndarray]) -> np.ndarray:
    """(n,) the mean over trials: a trial without a pattern counts 0; NaN where the row's own map has none."""
    each = np.stack([alike(own, trial) for trial in trials])
    blank = np.isnan(alike(own, own))
    return np.where(blank, np.nan, np.nan_to_num(each).mean(axis=0))


def _length(step: np.ndarray) -> np.ndarray:
    """step (n, *features) -> (n,); unknown cells stay where they are"""
    return distance(flat(np.nan_to_num(step)), np.zeros(1))


def _steepest(own: np.ndarray, trials: list[np.ndarray], steps: list[np.ndarray]) -> np.ndarray:
    """(n,) the largest change of a map (n, p) per step (n,) of its input; NaN where no copy differs from the row."""
    slopes = [
        np.divide(distance(own, trial), step, out=np.full(len(step), np.nan), where=step > 0)
        for trial, step in zip(trials, steps, strict=True)
    ]
    return np.asarray(np.fmax.reduce(slopes))


def without_noise(unit: np.ndarray) -> tuple[str, ...]:
    """unit (n, *features) -> what to say of rows to which nothing can be added"""
    still = int((unit == 0).reshape(len(unit), -1).all(axis=1).sum())
    return (f"{still} of {len(unit)} rows have no spread, so they got no noise",) if still else ()


def _warnings(plain: np.ndarray, centred: np.ndarray, unit: np.ndarray) -> tuple[str, ...]:
    said = list(without_noise(unit))
    both = np.isfinite(plain) & np.isfinite(centred)
    if both.any() and plain[both].mean() - centred[both].mean() > _OFFSET:
        said.append(
            f"the maps share an offset: cosine {plain[both].mean():.2f}, but {centred[both].mean():.2f} once centred"
        )
    return tuple(said)
