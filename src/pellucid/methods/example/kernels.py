"""How alike two rows are: a kernel, bound to n rows, gives its columns and its row means without ever being held whole.

The radial basis function k(x, y) = exp(-gamma |x - y|^2), with gamma = 1 / (2 median |x - y|^2) over pairs of different rows where
none is given (the median heuristic, on at most 1,000 rows spread evenly over the data). Any other kernel is given as the matrix
of its values, with `Precomputed()`.

Row means are summed over blocks of the upper triangle, `threads()` blocks at a time, so memory stays at
threads * 8 * 1,024^2 bytes beyond the rows themselves, and their order is fixed: the same bits on any number of threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from pellucid.core.errors import InputError, MethodError
from pellucid.core.scalar import pieces
from pellucid.models.tree.pool import threads

_BLOCK = 1024  # rows and columns of one block of the kernel
_SAMPLE = 1000  # rows that the median heuristic looks at


class Bound(ABC):
    """A kernel on n rows: `block(rows, columns)` is its one hole."""

    n: int

    @abstractmethod
    def block(self, rows: slice, columns: slice | np.ndarray) -> np.ndarray:
        """(r, c) the kernel between some rows and some others, in an array that may be written to"""

    @property
    @abstractmethod
    def diagonal(self) -> np.ndarray:
        """(n,) the kernel of each row with itself"""

    def columns(self, chosen: np.ndarray) -> np.ndarray:
        """chosen (c,) -> (n, c)"""
        return np.concatenate([self.block(rows, chosen) for rows in pieces(self.n, _BLOCK)])

    def means(self, progress: Callable[[int], None] | None = None) -> np.ndarray:
        """(n,) the mean of each row of the kernel, over all rows, itself included; `progress` hears of rows that are done"""
        total, parts = np.zeros(self.n), list(pieces(self.n, _BLOCK))
        with threadpool_limits(1), ThreadPoolExecutor(threads()) as pool:
            for i, rows in enumerate(parts):
                for j, (down, across) in enumerate(pool.map(self._sums, [rows] * (len(parts) - i), parts[i:]), start=i):
                    total[rows] += across
                    if j > i:
                        total[parts[j]] += down
                if progress is not None:
                    progress(rows.stop - rows.start)
        return total / self.n

    def _sums(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        made = self.block(rows, columns)
        return made.sum(axis=0), made.sum(axis=1)


class Kernel(ABC):
    """A frozen value that is bound to rows before use."""

    @abstractmethod
    def bind(self, x: np.ndarray) -> Bound:
        """x (n, d)"""


@dataclass(frozen=True)
class RBF(Kernel):
    """exp(-gamma |x - y|^2); None for `gamma` takes 1 / (2 median |x - y|^2)."""

    gamma: float | None = None

    def __post_init__(self) -> None:
        if self.gamma is not None and not self.gamma > 0:
            raise MethodError(
                f"RBF(gamma={self.gamma!r}): expected a positive number, or None for the median heuristic."
            )

    def bind(self, x: np.ndarray) -> Bound:
        return _Radial(x, median_gamma(x) if self.gamma is None else self.gamma)


@dataclass(frozen=True)
class Precomputed(Kernel):
    """The data are the kernel itself, (n, n)."""

    def bind(self, x: np.ndarray) -> Bound:
        if x.shape[0] != x.shape[1]:
            raise InputError(f"Precomputed() reads the data as a kernel, (n, n), and got shape {x.shape}.")
        if not np.allclose(x, x.T, rtol=1e-6, atol=1e-9 * np.abs(x).max()):
            raise InputError("a kernel is symmetric, and this matrix is not: give k(x_i, x_j) for all pairs of rows.")
        return _Matrix(x)


def median_gamma(x: np.ndarray) -> float:
    """x (n, d) -> 1 / (2 median squared distance) over pairs of rows that differ."""
    from scipy.spatial.distance import pdist

    rows = np.linspace(0, len(x) - 1, min(len(x), _SAMPLE)).astype(int)
    apart = pdist(x[rows], "sqeuclidean")
    apart = apart[apart > 0]
    if not len(apart):
        raise InputError("all rows are equal (or there is one): no row stands for others better than any other.")
    return float(1 / (2 * np.median(apart)))


class _Radial(Bound):
    def __init__(self, x: np.ndarray, gamma: float) -> None:
        self.n, self.gamma = len(x), gamma
        self._x = x - x.mean(axis=0)  # differences of large numbers would lose digits
        self._norms = np.einsum("nd,nd->n", self._x, self._x)

    def block(self, rows: slice, columns: slice | np.ndarray) -> np.ndarray:
        made: np.ndarray = self._x[rows] @ self._x[columns].T
        made *= 2
        made -= self._norms[rows, None]
        made -= self._norms[columns]
        np.minimum(made, 0, out=made)
        made *= self.gamma
        return np.exp(made, out=made)

    @cached_property
    def diagonal(self) -> np.ndarray:
        return np.ones(self.n)


class _Matrix(Bound):
    def __init__(self, matrix: np.ndarray) -> None:
        self.n, self._matrix = len(matrix), matrix

    def block(self, rows: slice, columns: slice | np.ndarray) -> np.ndarray:
        return self._matrix[rows, columns].copy()

    @property
    def diagonal(self) -> np.ndarray:
        return np.diagonal(self._matrix)


class Within(Bound):
    """Another kernel among rows of the same class, and zero between classes."""

    def __init__(self, inner: Bound, classes: np.ndarray) -> None:
        self.n, self._inner, self._classes = inner.n, inner, classes

    def block(self, rows: slice, columns: slice | np.ndarray) -> np.ndarray:
        made = self._inner.block(rows, columns)
        made[self._classes[rows, None] != self._classes[columns]] = 0
        return made

    @property
    def diagonal(self) -> np.ndarray:
        return self._inner.diagonal
