"""What a column does to the score: curves along a grid, their mean, and how far rows differ from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.records import Record
from pellucid.core.target import Target

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Effect(Record):
    """How does the score move with this column, or with these two?

    `grid` (g,) holds the values of one column, (g, 2) the pairs of two, row-major over `axes`. `mean` (g,) is the effect,
    `variance` (g,) the population variance of what single rows do there, `stderr` (g,) of the mean over rows. `curves`
    (n, g) are the rows' own curves where a method has them. `density` (g,) counts the rows that lie nearest to a grid point.
    """

    features: tuple[str, ...]
    grid: np.ndarray
    axes: tuple[np.ndarray, ...]
    mean: np.ndarray
    variance: np.ndarray
    stderr: np.ndarray
    density: np.ndarray
    curves: np.ndarray | None = None
    target: Target | None = None
    method: Any = None

    @property
    def surface(self) -> np.ndarray:
        """The mean, one axis a column: (g,) or (g1, g2)."""
        return self.mean.reshape([len(axis) for axis in self.axes])

    def centred(self) -> Effect:
        """The same effect as a change from the first grid point: centred ICE curves (Goldstein et al. 2015), which are
        parallel to the mean where the column acts on all rows alike."""
        if self.curves is None:
            return replace(self, mean=self.mean - self.mean[0])
        moved = self.curves - self.curves[:, :1]
        mean, variance, stderr = summary(moved)
        return replace(self, mean=mean, variance=variance, stderr=stderr, curves=moved)

    def to_frame(self) -> pd.DataFrame:
        """One line per grid point: the value of each column, mean, variance, stderr, density."""
        import pandas as pd

        if set(self.features) & {"mean", "variance", "stderr", "density"}:
            raise InputError(f"columns {self.features} have a name of the table's own: rename them before asking.")
        points = self.grid.reshape(len(self.mean), len(self.features))
        columns = {name: pd.Series(points[:, k].tolist()) for k, name in enumerate(self.features)}
        facts = {"mean": self.mean, "variance": self.variance, "stderr": self.stderr, "density": self.density}
        return pd.DataFrame({**columns, **facts})


def summary(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """curves (n, g) -> mean, population variance and the standard error of the mean over rows, each (g,)"""
    n, mean = len(curves), curves.mean(axis=0)
    apart = curves - mean
    variance = np.einsum("ng,ng->g", apart, apart) / n
    stderr = np.sqrt(variance / (n - 1)) if n > 1 else np.full(curves.shape[1], np.nan)
    return mean, variance, stderr
