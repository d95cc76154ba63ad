"""Noisy linear imputation: hidden places are painted from what is left, all of them together, and a little noise is added.

Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods" (ROAD, ICML 2022), section 5: a flat fill
tells the model by its outline which places were hidden, and a score may fall for that. So every hidden place takes the weighted
mean of its neighbours, hidden ones included, which is one sparse linear system,

    sum_j w_ij (v_i - v_j) = 0   for every hidden i,   v_j = x_j where j is shown

with w = 1 for places side by side and 1/2 for diagonal ones (the paper's 1/6 and 1/12; a neighbour that the edge cuts off
counts nothing). In three dimensions corners weigh 1/4, along a signal there are two neighbours. Unlike `"inpaint"`
(`fills.py`), it depends on all that is hidden, so it is solved anew for every set of places. Where nothing is left, each channel
shows its mean. The paper's code adds noise of 0.01 to normalised pictures; here it is a share of the picture's own range.
"""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import splu

from pellucid.core.errors import MethodError


@dataclass(frozen=True)
class NoisyLinear:
    """ROAD's fill, for pictures, signals and volumes: `noise` is its standard deviation as a share of each row's own range."""

    noise: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.noise, bool) or not isinstance(self.noise, int | float) or not self.noise >= 0:
            raise MethodError(f"{self!r}: noise is a share of the range, 0 or more.")

    def paint(self, x: np.ndarray, gone: np.ndarray, channels: int | None) -> np.ndarray:
        """x (n, *features), gone (s, n, *space) -> (s, n, *features), shown places as they were."""
        if x.ndim < 3:
            raise MethodError(
                f"{self!r} paints over places from those beside them, and a table's columns are beside nothing: "
                "give 'mean', 'zeros' or a number."
            )
        last = (x[..., None] if channels is None else np.moveaxis(x, channels, -1)).astype(float)  # (n, *space, c)
        space, made = gone.shape[2:], np.array(np.broadcast_to(last, (len(gone), *last.shape)), order="C")
        noise = self.noise * np.ptp(last, axis=tuple(range(1, last.ndim)), keepdims=True) * self._drawn(last.shape[1:])
        for s, row in np.argwhere(gone.any(axis=tuple(range(2, gone.ndim)))):
            hidden = gone[s, row].ravel()
            cells = made[s, row].reshape(hidden.size, -1)  # a view
            cells[hidden] = _solved(cells, hidden, space) + noise[row].reshape(hidden.size, -1)[hidden]
        made = made[..., 0] if channels is None else np.moveaxis(made, -1, channels + 1)
        return _in_dtype(made, x.dtype)

    def _drawn(self, shape: tuple[int, ...]) -> np.ndarray:
        """The same noise for every row and every set of places."""
        return np.random.default_rng((self.seed, zlib.crc32(b"NoisyLinear"))).standard_normal(shape)


def _solved(cells: np.ndarray, hidden: np.ndarray, space: tuple[int, ...]) -> np.ndarray:
    """cells (P, c), hidden (P,) -> (hidden places, c)"""
    if hidden.all():
        return np.broadcast_to(cells.mean(axis=0), cells.shape)
    rows = film(space)[np.flatnonzero(hidden)]
    system, edge = rows[:, np.flatnonzero(hidden)].tocsc(), -(rows @ np.where(hidden[:, None], 0, cells))
    solver = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return np.asarray(solver.solve(edge))


@lru_cache(maxsize=4)
def film(space: tuple[int, ...]) -> csr_array:
    """(P, P) the equations of all places, minus w_ij off the diagonal and the sum of a place's weights on it.

    A weight is 1 for places side by side, halved for each further axis that they differ on.
    """
    index, near, far, weight = np.arange(int(np.prod(space))).reshape(space), [], [], []
    for offset in itertools.product((-1, 0, 1), repeat=len(space)):
        if not any(offset):
            continue
        one, other = (
            index[tuple(slice(max(0, sign * step), min(0, sign * step) or None) for step in offset)] for sign in (-1, 1)
        )
        near.append(one.ravel())
        far.append(other.ravel())
        weight.append(np.full(one.size, 0.5 ** (np.abs(offset).sum() - 1)))
    places = (np.concatenate(near), np.concatenate(far))
    weights = csr_array((np.concatenate(weight), places), shape=(index.size, index.size))
    return csr_array(diags_array(weights.sum(axis=1)) - weights)


def _in_dtype(made: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Whole numbers are rounded and stay within their range."""
    if dtype.kind == "f":
        return made.astype(dtype)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.clip(np.rint(made), low, high).astype(dtype)
