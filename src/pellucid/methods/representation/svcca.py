"""SVCCA: the mean canonical correlation between the directions that carry most of two representations' variance.

Raghu, Gilmer, Yosinski & Sohl-Dickstein, "SVCCA: Singular Vector Canonical Correlation Analysis for Deep Learning Dynamics and
Interpretability" (NeurIPS 2017). Each representation, about its mean, is cut to the fewest singular directions with `variance` of
its variance; with U and V the orthonormal bases (n, r) and (n, s) that are left,

    SVCCA = mean of the singular values of U'V, the canonical correlations, min(r, s) of them

Without the cut (`variance=1`) this is CCA, which no invertible linear map changes. `weights="projection"` is the projection-
weighted mean of Morcos, Raghu & Bengio (NeurIPS 2018): correlation i counts sum_j |h_i . x_j|, over the features x_j of the first
representation, h_i its canonical variable; it is not symmetric.

r + s directions of n inputs have r + s - (n - 1) correlations of 1 whatever they are, so as many inputs are needed.
`chance` is sqrt(max(r, s) / (n - 1)), the root of the mean squared correlation over all pairings of inputs, an upper
bound of the mean one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Card
from pellucid.methods.representation.base import ROOM, Compared, Layers, SimilarityMethod, is_still
from pellucid.methods.representation.moments import Moments, bytes_of, covariance, gather

Between = Callable[[int, int], np.ndarray]  # layers i and j -> (r, s) of their orthonormal bases
_RANK = 1e-12  # of the largest squared singular value: smaller ones are rounding
_TINY = 1e-300
_FEW = 5  # inputs per direction, below which correlations are high by chance


@dataclass(frozen=True, eq=False)
class Directions:
    """What is left of a layer: `loads (r, p)`, singular values times directions; `basis` (n, r), or the map (p, r) to it."""

    loads: np.ndarray
    basis: np.ndarray
    still: bool

    def __len__(self) -> int:
        return len(self.loads)


@dataclass(frozen=True)
class SVCCA(SimilarityMethod):
    """`variance` is the share of a layer's variance that the directions kept must carry; 1 keeps all.

    `weights` of the correlations: "mean" for equal ones, "projection" for those of PWCCA.
    """

    variance: float = 0.99
    weights: Literal["mean", "projection"] = "mean"

    card: ClassVar[Card] = Card(
        question="Do two layers, or two networks, span the same directions?",
        scope="global",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a similarity from 0 to 1 for every pair of layers, beside what chance alone makes",
        cost="each input once through each network",
        strengths="no linear change of features matters to the directions kept; says how many of them a layer needs",
        weaknesses="needs many more inputs than directions; small directions count as much as large ones",
        paper="Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017",
        rows=1,
        verb="similarity",
    )

    def __post_init__(self) -> None:
        if isinstance(self.variance, bool) or not 0 < self.variance <= 1:
            raise MethodError(f"SVCCA(variance={self.variance!r}): expected a share above 0, at most 1.")
        if self.weights not in ("mean", "projection"):
            raise MethodError(f"SVCCA(weights={self.weights!r}): expected 'mean' or 'projection'.")

    def compare(self, layers: Layers) -> Compared:
        if layers.held or bytes_of(layers) > ROOM:
            a, b = layers.whole()
            first = [self._cut(x) for x in a]
            second = first if b is a else [self._cut(x) for x in b]
            self._check(layers, first, second)
            return self._all(layers, first, second, lambda i, j: first[i].basis.T @ second[j].basis)
        sums = gather(layers)
        first, second = (self._cut_sums(sums, side) for side in (0, 1))
        self._check(layers, first, second)
        return self._all(layers, first, second, lambda i, j: _between(sums, i, j, first[i], second[j]))

    def _cut(self, x: np.ndarray) -> Directions:
        """x (n, p)"""
        centred = x - x.mean(axis=0)
        u, s, v = np.linalg.svd(centred, full_matrices=False)
        keep = self._kept(s**2)
        still = is_still((s**2).sum(), np.einsum("np,np->", x, x))
        return Directions(s[:keep, None] * v[:keep], u[:, :keep], bool(still))

    def _cut_sums(self, sums: Moments, side: int) -> list[Directions]:
        found = []
        for S, centre in zip(sums.own[side], sums.centres[side], strict=True):
            squares, v = np.linalg.eigh(covariance(S, centre, centre))
            squares, v = np.maximum(squares[::-1], 0), v[:, ::-1]
            keep = self._kept(squares)
            s = np.sqrt(squares[:keep])
            found.append(Directions((v[:, :keep] * s).T, v[:, :keep] / np.maximum(s, _TINY), centre.still))
        return found

    def _kept(self, squares: np.ndarray) -> int:
        """How many of these squared singular values, falling, carry the share of variance"""
        real = squares[squares > _RANK * squares.max()]
        if not len(real):
            return 1
        enough = int(np.searchsorted(real.cumsum() / real.sum(), self.variance - 1e-12)) + 1
        return min(enough, len(real))

    def _check(self, layers: Layers, first: list[Directions], second: list[Directions]) -> None:
        """Refuse what dimension alone makes alike."""
        for a, one in zip(layers.names[0], first, strict=True):
            for b, other in zip(layers.names[1], second, strict=True):
                forced = min(len(one) + len(other) - (layers.n - 1), len(one), len(other))
                if forced > 0 and not (one.still or other.still):
                    raise InputError(
                        f"{layers.n} inputs are too few for layers {a!r} and {b!r}, with {len(one)} and {len(other)} directions: "
                        f"{forced} of their correlations would be 1 whatever the layers hold. Give more inputs than both have "
                        f"directions (better {_FEW} times as many), keep less variance as in SVCCA(variance=0.9), pool over space, "
                        "or take CKA(unbiased=True)."
                    )

    def _all(self, layers: Layers, first: list[Directions], second: list[Directions], between: Between) -> Compared:
        matrix = np.full((len(first), len(second)), np.nan)
        chance = matrix.copy()
        for i, one in enumerate(first):
            for j, other in enumerate(second):
                if not (one.still or other.still):
                    matrix[i, j] = self._mean(between(i, j), one)
                    chance[i, j] = np.sqrt(max(len(one), len(other)) / (layers.n - 1))
        most = max(len(one) + len(other) for one in first for other in second)
        warnings: tuple[str, ...] = ()
        if layers.n < _FEW * most:
            warnings = (
                f"{layers.n} inputs for up to {most} directions in two layers: correlations are high by chance (compare `chance`)",
            )
        kept = [f"{min(map(len, s))} to {max(map(len, s))}" for s in (first, second)]
        still = (np.array([one.still for one in first]), np.array([other.still for other in second]))
        return Compared(
            matrix, chance, still, None, warnings, (f"directions kept: {kept[0]} in `rows`, {kept[1]} in `columns`",)
        )

    def _mean(self, between: np.ndarray, one: Directions) -> float:
        """between (r, s), of orthonormal bases -> the mean canonical correlation"""
        u, rho, _ = np.linalg.svd(between, full_matrices=False)
        rho = np.minimum(rho, 1.0)
        if self.weights == "mean":
            return float(rho.mean())
        counts = np.abs(u.T @ one.loads).sum(axis=1)
        return float(rho @ counts / counts.sum())


def _between(sums: Moments, i: int, j: int, one: Directions, other: Directions) -> np.ndarray:
    """(r, s) of the bases that the maps lead to"""
    covaried = covariance(sums.pairs(i, j), sums.centres[0][i], sums.centres[1][j])
    return np.asarray(one.basis.T @ covaried @ other.basis)
