"""What methods of the effect of a column have in common: grids in, a curve out, the same scalar for all rows."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from pellucid.core.method import Method
from pellucid.methods.effect.grid import Axis, Variable


class Responses(Protocol):
    """The model's number for every row while some columns are set to the points of a grid."""

    @property
    def x(self) -> np.ndarray:
        """(n, p)"""

    @property
    def coded(self) -> np.ndarray:
        """(p,) True where a column holds codes of levels"""

    def __call__(self, places: tuple[int, ...], points: np.ndarray) -> np.ndarray:
        """columns (k,), points (g, k) -> (n, g)"""

    def moved(self, places: tuple[int, ...], values: np.ndarray) -> np.ndarray:
        """columns (k,), values (s, n, k), each row's own -> (n, s)"""


@dataclass(frozen=True, eq=False)
class Found:
    """What a method found: mean, variance, stderr (g,), and the rows' own curves (n, g) where there are any."""

    mean: np.ndarray
    variance: np.ndarray
    stderr: np.ndarray
    curves: np.ndarray | None = None
    warnings: tuple[str, ...] = field(default=())


class EffectMethod(Method):
    """Varies one or two columns of a table and watches the score; `everywhere` if every row goes to every grid point."""

    everywhere: ClassVar[bool] = False

    @abstractmethod
    def axis(self, variable: Variable) -> Axis:
        """The grid of a column for which the caller names none."""

    @abstractmethod
    def measure(self, responses: Responses, axes: tuple[Axis, ...]) -> Found:
        """axes of one or two columns -> the effect on their grid, row-major"""


def points_of(axes: tuple[Axis, ...]) -> np.ndarray:
    """(g, k) the codes of all grid points, row-major."""
    mesh = np.meshgrid(*(axis.codes for axis in axes), indexing="ij")
    return np.stack([side.ravel() for side in mesh], axis=1)
