"""What a rule list costs: the loss of the class counts that each rule decides about, and a price for each rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
from scipy.special import gammaln, xlogy

_TINY = 1e-9  # of the whole weight

Loss = Callable[[np.ndarray], np.ndarray]  # counts (..., k) -> (...,)


def errors(counts: np.ndarray) -> np.ndarray:
    """Weight of the rows that the most frequent class is wrong about."""
    return np.asarray(counts.sum(axis=-1) - counts.max(axis=-1))


def surprise(counts: np.ndarray) -> np.ndarray:
    """Minus the logarithm of the Dirichlet-multinomial marginal likelihood with a flat prior (Letham et al. 2015)."""
    k = counts.shape[-1]
    whole = gammaln(counts.sum(axis=-1) + k) - gammaln(k)
    return np.asarray(whole - gammaln(counts + 1).sum(axis=-1))


def least_surprise(counts: np.ndarray) -> np.ndarray:
    """What no prior can go below: weight times entropy, the negative log-likelihood at its maximum."""
    whole = counts.sum(axis=-1)
    return np.asarray(xlogy(whole, whole) - xlogy(counts, counts).sum(axis=-1))


FLOORS: dict[Loss, Loss] = {errors: errors, surprise: least_surprise}


@dataclass(eq=False)
class Task:
    """A pool's rows held (m, n), weights by class (n, k), and what a list costs; `least` is the weight a rule has to
    decide about."""

    held: np.ndarray
    by_class: np.ndarray
    loss: Loss
    penalty: float
    least: float
    most: int  # rules

    @cached_property
    def unit(self) -> float | None:
        """The weight of a row, where all have the same."""
        weights = self.by_class.sum(axis=1)
        return float(weights[0]) if np.ptp(weights) == 0 else None

    @cached_property
    def bits(self) -> np.ndarray:
        """(m, words)"""
        return _packed(self.held)

    @cached_property
    def planes(self) -> np.ndarray:
        """(k, words) the rows of each class"""
        return _packed(self.by_class.T > 0)

    @cached_property
    def everything(self) -> np.ndarray:
        """(words,) all rows"""
        return _packed(np.ones((1, len(self.by_class)), dtype=bool))[0]

    @cached_property
    def unavoidable(self) -> np.ndarray:
        """(n,) each row's share of the loss of the rows that every rule treats like it"""
        patterns = np.ascontiguousarray(np.packbits(self.held, axis=0).T)
        keys = patterns.view(np.dtype((np.void, patterns.shape[1]))).ravel()
        _, group = np.unique(keys, return_inverse=True)
        groups, weights = int(group.max()) + 1, self.by_class.sum(axis=1)
        counts = np.stack([np.bincount(group, weights=w, minlength=groups) for w in self.by_class.T], axis=1)
        return np.asarray((FLOORS[self.loss](counts) / counts.sum(axis=1))[group] * weights)

    @cached_property
    def tiny(self) -> float:
        """A difference that is rounding."""
        return _TINY * float(self.by_class.sum())

    def captured(self, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """left (words,) bits of the rows that are left -> (m, k) weight by class that each rule would decide about, (k,) of all"""
        if self.unit is not None:
            here = self.planes & left  # (k, words)
            return common(self.bits, here) * self.unit, np.bitwise_count(here).sum(axis=1, dtype=float) * self.unit
        weights = self.by_class * self.rows(left)[:, None]
        return np.asarray(self.held @ weights), weights.sum(axis=0)

    def deciding(self, rules: tuple[int, ...]) -> np.ndarray:
        """(n,) the place in a list of the first rule that holds of each row; its length where none does"""
        return first_of(self.held[list(rules)])

    def price(self, rules: tuple[int, ...]) -> float:
        """The objective of a list; infinite where a rule decides about too little."""
        place = self.deciding(rules)
        counts = np.stack([np.bincount(place, w, len(rules) + 1) for w in self.by_class.T], axis=1)
        weak = counts[:-1].sum(axis=1) < max(self.least * (1 - 1e-12), 1e-300)
        return np.inf if weak.any() else float(self.loss(counts).sum()) + self.penalty * len(rules)

    def rows(self, left: np.ndarray) -> np.ndarray:
        """(n,) bool of bits"""
        return np.unpackbits(left.view(np.uint8), count=len(self.by_class)).astype(bool)

    def left(self, rules: tuple[int, ...]) -> np.ndarray:
        """(words,) bits of the rows that no rule of a prefix holds for"""
        bits = self.everything.copy()
        for rule in rules:
            bits &= ~self.bits[rule]
        return bits


def first_of(held: np.ndarray) -> np.ndarray:
    """held (m, n) -> (n,) the first rule that holds of each row, m where none does"""
    return np.asarray(np.where(held.any(axis=0), held.argmax(axis=0) if len(held) else 0, len(held)))


@numba.njit(cache=True)
def common(bits: np.ndarray, planes: np.ndarray) -> np.ndarray:
    """bits (m, words), planes (k, words) of uint64 -> (m, k) how many bits each two share"""
    shared = np.zeros((len(bits), len(planes)))
    for i in range(len(bits)):
        for c in range(len(planes)):
            count = np.uint64(0)
            for w in range(bits.shape[1]):  # the usual sum of bits in parallel, which compilers know
                v = bits[i, w] & planes[c, w]
                v = v - ((v >> np.uint64(1)) & np.uint64(0x5555555555555555))
                v = (v & np.uint64(0x3333333333333333)) + ((v >> np.uint64(2)) & np.uint64(0x3333333333333333))
                v = (v + (v >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                count += (v * np.uint64(0x0101010101010101)) >> np.uint64(56)
            shared[i, c] = count
    return shared


def _packed(rows: np.ndarray) -> np.ndarray:
    """(m, n) bool -> (m, words) uint64"""
    packed = np.packbits(np.ascontiguousarray(rows), axis=1)
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))).view(np.uint64)
