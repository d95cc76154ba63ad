"""Stability: does the explanation stay when the input barely changes?

The mean cosine between the map and the maps of `trials` copies of the input with noise N(0, sigma^2). Noise is in units of
the data: a column's standard deviation in the background for tables (levels stay as they are), the row's own range elsewhere.
The plain cosine is kept because it is widely reported, and it misleads: constant maps get 1 whatever the model, rectified
or min-max-scaled ones are driven towards 1. So the centred cosine, the rank correlation and the share of degenerate
maps stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.core.schema import Schema
from pellucid.metrics.base import Case, Metric, MetricCard, Reading, check_counts
from pellucid.metrics.similarity import centred_cosine, constant, cosine, flat, mean_known, rank_correlation

Alike = Callable[[np.ndarray, np.ndarray], np.ndarray]

_OFFSET = 0.1  # a cosine this far above the centred one is worth a sentence


@dataclass(frozen=True)
class Stability(Metric):
    """`trials` noisy copies of standard deviation `sigma`, in units of the data."""

    trials: int = 5
    sigma: float = 0.02
    seed: int = 0

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
        unit, streams, trials = noise_unit(case.x, case.background, case.f.schema), self.streams(case), []
        for _ in range(self.trials):
            noise = self.sigma * np.stack([rng.standard_normal(case.x.shape[1:]) for rng in streams])
            trials.append(flat(case.explained(noisy(case.x, noise * unit))))
        own = flat(case.record.values)
        plain, centred = _mean(cosine, own, trials), _mean(centred_cosine, own, trials)
        return Reading(
            plain,
            detail={
                "centred_cosine": centred,
                "rank_correlation": _mean(rank_correlation, own, trials),
                "degenerate_share": np.mean([constant(trial) for trial in trials], axis=0),
            },
            warnings=_warnings(plain, centred, np.broadcast_to(unit, case.x.shape)),
        )


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


def _warnings(plain: np.ndarray, centred: np.ndarray, unit: np.ndarray) -> tuple[str, ...]:
    said = []
    still = int((unit == 0).reshape(len(unit), -1).all(axis=1).sum())
    if still:
        said.append(f"{still} of {len(unit)} rows have no spread, so they got no noise")
    both = np.isfinite(plain) & np.isfinite(centred)
    if both.any() and plain[both].mean() - centred[both].mean() > _OFFSET:
        said.append(
            f"the maps share an offset: cosine {plain[both].mean():.2f}, but {centred[both].mean():.2f} once centred"
        )
    return tuple(said)
