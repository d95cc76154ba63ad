"""Centred kernel alignment (CKA): how alike two representations make the same inputs look to each other.

Kornblith, Norouzi, Lee & Hinton, "Similarity of Neural Network Representations Revisited" (ICML 2019). With Gram matrices K and
L of the n inputs in the two representations, and H = I - 11'/n,

    CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),    HSIC(K, L) = tr(K H L H) / (n - 1)^2

With the linear kernel tr(K H L H) = |X'Y|_F^2, X and Y about their means: for p < n features the sums over rows of products of
features are all there is to keep. CKA does not change under rotations, shifts and isotropic scaling, and does under other
invertible maps; representations with more features than inputs look alike under it by chance. `unbiased` puts
the unbiased HSIC_1 of Song et al. (2012) in the place of HSIC, which is 0 on average for representations that have nothing to do
with each other. `batch` averages HSIC_1 over batches of the inputs, drawn at random, before the quotient is taken (Nguyen, Raghu &
Kornblith, ICLR 2021), for features too many to keep sums of; its error bar is a jackknife over batches.

`chance` is the mean over all orders in which the inputs of the one could be paired with those of the other:
tr(HKH) tr(HLH) / ((n - 1) |HKH| |HLH|) for the biased CKA, and 0 for the unbiased one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Card, check_positive
from pellucid.methods.representation import gram
from pellucid.methods.representation.base import ROOM, Compared, Layers, Side, SimilarityMethod
from pellucid.methods.representation.gram import Products
from pellucid.methods.representation.moments import Centre, Moments, bytes_of, covariance, diagonals, gather


@dataclass(frozen=True)
class CKA(SimilarityMethod):
    """`kernel` is "linear" or "rbf", the second with a width of `bandwidth` times the root of the median squared distance.

    `unbiased` takes the unbiased estimate of HSIC; `batch` averages it over batches of this many inputs, None takes all at once;
    `seed` draws the batches.
    """

    kernel: Literal["linear", "rbf"] = "linear"
    bandwidth: float = 0.5
    unbiased: bool = False
    batch: int | None = None
    seed: int = 0

    card: ClassVar[Card] = Card(
        question="Do two layers, or two networks, hold the same inputs to be alike?",
        scope="global",
        access="black box",
        inputs=("table", "image", "volume", "signal", "text"),
        output="a similarity from 0 to 1 for every pair of layers, beside what chance alone makes",
        cost="each input once through each network",
        strengths="finds the matching layers of networks trained apart; any numbers of features; one pass over the inputs",
        weaknesses="led by the directions of largest variance; with few inputs and many features high by chance (see unbiased)",
        paper="Kornblith, Norouzi, Lee & Hinton 2019",
        rows=1,
        verb="similarity",
    )

    def __post_init__(self) -> None:
        check_positive(self, "bandwidth")
        if self.kernel not in ("linear", "rbf"):
            raise MethodError(f"CKA(kernel={self.kernel!r}): expected 'linear' or 'rbf'.")
        if self.batch is None:
            return
        if isinstance(self.batch, bool) or not isinstance(self.batch, int) or self.batch < 4:
            raise MethodError(f"CKA(batch={self.batch!r}): expected 4 inputs or more, or None for all at once.")
        if not self.unbiased:
            raise MethodError(
                f"CKA(batch={self.batch}) averages over batches, which only the unbiased estimate allows: write "
                f"CKA(unbiased=True, batch={self.batch})."
            )

    def compare(self, layers: Layers) -> Compared:
        least = 4 if self.unbiased else 3
        if layers.n < least:
            raise InputError(
                f"{layers.n} inputs cannot be compared by {self!r}: give at least {least}, and better hundreds."
            )
        if self.batch is not None:
            return self._batched(layers, self.batch)
        narrow = max(map(max, layers.widths)) < layers.n
        if self.kernel == "linear" and bytes_of(layers) <= ROOM and (narrow or not layers.held):
            return self._ratio([self._read(gather(layers))], layers.n)
        return self._ratio([self._whole(*layers.whole())], layers.n)

    def _whole(self, a: Side, b: Side) -> Products:
        kernel = gram.linear if self.kernel == "linear" else gram.radial(self.bandwidth)
        return gram.products(a, b, kernel, self.unbiased)

    def _batched(self, layers: Layers, batch: int) -> Compared:
        """HSIC_1 batch by batch; a last batch of fewer inputs is joined to none and left out."""
        order, count = self.stream().permutation(layers.n), layers.n // batch
        if count < 2:
            raise InputError(
                f"{layers.n} inputs do not fill two batches of {batch}: give more, or {type(self).__name__}(unbiased=True)."
            )
        parts = [self._whole(a, b) for a, b in layers.blocks(batch, order) if len(a[0]) == batch]
        left = layers.n - count * batch
        notes = (f"{count} batches of {batch} inputs",) + (
            (f"{left} inputs filled no batch and were left out",) if left else ()
        )
        return self._ratio(parts, layers.n, notes)

    def _read(self, sums: Moments) -> Products:
        """HSIC of all pairs from sums over rows."""
        read = _unbiased if self.unbiased else _biased
        a, b = (np.array([[x.trace, x.still] for x in side]).T for side in sums.centres)
        own = (sums.within(0, read), sums.within(1, read))
        return Products(sums.between(read), own, (a[0], b[0]), (a[1] > 0, b[1] > 0))

    def _ratio(self, parts: list[Products], n: int, notes: tuple[str, ...] = ()) -> Compared:
        """Sums of HSIC over the parts, then the quotient."""
        cross = np.array([part.cross for part in parts])  # (m, a, b)
        a, b = (np.array([part.own[side] for part in parts]) for side in (0, 1))
        still_a, still_b = (_still(parts, side) for side in (0, 1))
        known = np.outer(~still_a, ~still_b)
        matrix = _quotient(cross.sum(axis=0), a.sum(axis=0), b.sum(axis=0), known)
        chance, stderr = np.where(known, 0.0, np.nan), None
        if not self.unbiased:
            chance = _quotient(np.outer(*parts[0].traces) / (n - 1), a[0], b[0], known)
        if self.batch is not None:
            stderr = _jackknife(cross, a, b, known)
        return Compared(matrix, chance, (still_a, still_b), stderr, notes=notes)


def _still(parts: list[Products], side: int) -> np.ndarray:
    """(k,) the layers that vary in no part, or of which a kernel knows nothing"""
    own = np.sum([part.own[side] for part in parts], axis=0)
    return np.asarray(np.all([part.still[side] for part in parts], axis=0) | ~(own > 0))


def _quotient(cross: np.ndarray, a: np.ndarray, b: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(a, b), NaN where nothing is known"""
    scale = np.sqrt(np.outer(a, b), where=known, out=np.ones(known.shape))
    return np.where(known, cross / scale, np.nan)


def _jackknife(cross: np.ndarray, a: np.ndarray, b: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The standard error of the quotient of sums over m batches, each left out in turn"""
    every = (cross.sum(axis=0), a.sum(axis=0), b.sum(axis=0))
    left = [
        _quotient(every[0] - cross[k], every[1] - a[k], every[2] - b[k], known) for k in range(len(cross))
    ]  # (m, a, b)
    return np.asarray(np.sqrt((len(cross) - 1) * np.var(left, axis=0)))


def _biased(S: np.ndarray, x: Centre, y: Centre) -> float:
    """tr(K H L H)"""
    return float(np.square(covariance(S, x, y)).sum())


def _unbiased(S: np.ndarray, x: Centre, y: Centre) -> float:
    """n (n - 3) HSIC_1, which leaves the diagonals out: of centred Gram matrices (Song et al. 2012)"""
    n = x.n
    return _biased(S, x, y) - n / (n - 2) * diagonals(S, x, y) + x.trace * y.trace / ((n - 1) * (n - 2))
