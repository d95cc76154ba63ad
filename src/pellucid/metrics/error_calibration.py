"""Are the error bars true? A method that draws random numbers states a standard error; other seeds show how far it really varies.

The rows are explained with `seeds` seeds. Of the values v_s of a cell with stated standard errors e_s,

    log2 ( sqrt(sum of mean_s e_s^2) / sqrt(sum of var_s v_s) )        sums over the cells of a row

is 0 where what is stated is what is seen, 1 where error bars are twice too wide, -1 where they are half of what they should be.
Beside it: `coverage`, how often |z| < 1.96 with z = (v_s - mean v) / (e_s sqrt(1 - 1/S)), 0.95 if all is well and errors are
normal; and `z_sd`, the root mean square of z, which weighs small cells like large ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.errors import MethodError
from pellucid.metrics.base import FLAT, Case, Metric, MetricCard, Reading, Repeat
from pellucid.metrics.similarity import flat
from pellucid.metrics.training import seed_of


@dataclass(frozen=True)
class ErrorCalibration(Metric):
    """`seeds` explanations, each with another seed of the method's own."""

    seeds: int = 20
    seed: int = 0

    card: ClassVar[MetricCard] = MetricCard(
        question="Are the stated standard errors as wide as the values really vary from seed to seed?",
        direction="closer to 0",
        range=(-np.inf, np.inf),
        chance="0 where error bars are right, 1 where they are twice too wide, -1 where half as wide as they should be",
        cost="`seeds` explanations",
        weaknesses="knows only the randomness of the method, not that of the model or of its training, and no bias that all seeds "
        "share; rows share the seeds, so the interval over rows knows nothing of other seeds; 0.3, a fifth off, is a convention",
        paper="Covert & Lee 2021 (error bars of sampled Shapley values), for what is checked",
        needs=("again", "error bars"),
        bar=0.3,
        ranks=False,
    )

    def __post_init__(self) -> None:
        if isinstance(self.seeds, bool) or not isinstance(self.seeds, int) or self.seeds < 2:
            raise MethodError(f"ErrorCalibration(seeds={self.seeds!r}): a spread needs at least 2 seeds.")

    def measure(self, case: Case) -> Reading:
        values, stated = self._drawn(case)  # (seeds, n, p)
        floor = FLAT * np.abs(values).max(axis=(0, 2))[:, None]  # below it is rounding, (n, 1)
        error, spread = np.sqrt((stated**2).mean(axis=0)), values.std(axis=0, ddof=1)  # (n, p)
        live = (error > floor) | (spread > floor)
        size = [np.sqrt(np.where(live, width, 0) ** 2 @ np.ones(width.shape[1])) for width in (error, spread)]
        known = live.any(axis=1)
        ratio = np.log2(np.maximum(size[0], floor[:, 0]), where=known, out=np.full(len(known), np.nan))
        ratio -= np.log2(np.maximum(size[1], floor[:, 0]), where=known, out=np.full(len(known), np.nan))
        coverage, z = _covered(values, stated, live)
        still = int((~known).sum())
        return Reading(
            ratio,
            detail={"coverage": coverage, "z_sd": z, "stated": size[0], "spread": size[1]},
            warnings=(f"{still} of {len(known)} rows do not vary from seed to seed, nor say so",) if still else (),
        )

    def _drawn(self, case: Case) -> tuple[np.ndarray, np.ndarray]:
        """Values and standard errors, (seeds, n, p) each."""
        assert isinstance(case.again, Repeat)
        values, stated = [], []
        for draw in range(self.seeds):
            again = case.again.seeded(seed_of(self.seed, draw))
            assert again is not None
            made = case.counted(again(case.model, case.given(case.x)))
            if made.stderr is None:
                raise MethodError(f"{case.again.method!r} states no standard errors: there is nothing to check.")
            values.append(flat(made.values))
            stated.append(flat(made.stderr))
        return np.stack(values), np.stack(stated)


def _covered(values: np.ndarray, stated: np.ndarray, live: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """values, stated (seeds, n, p), live (n, p) -> the coverage of 95 % intervals and the size of z, (n,) each"""
    off = np.abs(values - values.mean(axis=0))
    width = stated * np.sqrt(1 - 1 / len(values))
    inside = (off <= 1.96 * width).mean(axis=0)
    squared = np.divide(off, width, out=np.zeros(off.shape), where=width > 0) ** 2
    cells = live.sum(axis=1)
    shares = [np.where(live, part, 0).sum(axis=1) for part in (inside, squared.mean(axis=0))]
    coverage, z = (np.divide(part, cells, out=np.full(len(cells), np.nan), where=cells > 0) for part in shares)
    return coverage, np.sqrt(z)
