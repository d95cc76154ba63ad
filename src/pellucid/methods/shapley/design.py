"""Which coalitions to ask: complement pairs, in levels of equal size, without repetition.

A pair {S, complement of S} belongs to level s = min(|S|, p - |S|), 1 <= s <= p / 2. Small levels are asked completely;
from the others an equal-probability sample without replacement is drawn. In the least squares whose solution is the
Shapley value, a coalition's leverage is 1 / C(p, s): every size matters equally (Musco & Witter, "Provably Accurate
Shapley Value Estimation via Leverage Score Sampling", 2025). Sampling sizes in proportion to 1 / sqrt(s (p - s)), between
those leverages and the Shapley kernel's own weights (p - 1) / (C(p, s) s (p - s)), minimises the variance where residuals
are alike at all sizes (Neyman's allocation), and is what is done here.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import comb

import numpy as np

_LIST = 4  # a level at most this many times larger than its sample is listed and shuffled, not drawn and sieved


@dataclass(frozen=True, eq=False)
class Level:
    """The pairs of one level that are asked: `z (m, p)` holds one coalition of each, the smaller (or the one with player 0)."""

    size: int
    pairs: int  # how many there are in all
    z: np.ndarray

    @property
    def asked(self) -> int:
        return len(self.z)

    @property
    def complete(self) -> bool:
        return self.asked == self.pairs

    @property
    def centered(self) -> np.ndarray:
        """(m, p) coalitions less their mean over players: the design matrix once efficiency is imposed."""
        return self.z - self.size / self.z.shape[1]

    @property
    def share(self) -> float:
        """The level's part in phi = sum over levels of share * mean over its pairs of (centered * y)."""
        return kernel_share(self.z.shape[1], self.size)

    @property
    def coefficients(self) -> np.ndarray:
        """(m, p) what each pair's y adds to phi when all are asked."""
        return self.centered * (self.share / self.pairs)

    def first(self, asked: int) -> Level:
        """The same level with only the first of its pairs: a smaller sample of the same design."""
        return Level(self.size, self.pairs, self.z[:asked])


def kernel_share(p: int, size: int) -> float:
    """p / (p - 1) times the Shapley kernel's weight of the whole level, both sizes of it."""
    one = p / (size * (p - size))
    return one if 2 * size == p else 2 * one


def shapley_kernel(p: int, size: int) -> float:
    """The weight of one coalition in the least squares of Lundberg & Lee (2017), theorem 2."""
    return (p - 1) / (comb(p, size) * size * (p - size))


def pairs_at(p: int, size: int) -> int:
    """How many complement pairs a level has."""
    return comb(p, size) if 2 * size < p else comb(p, size) // 2


def all_pairs(p: int) -> int:
    """Every complement pair but {empty, full}."""
    return 2 ** (p - 1) - 1


def allocate(p: int, pairs: int) -> list[int]:
    """How many of `pairs` each level 1 ... p // 2 gets, none more than it has: Neyman's shares, rounded by Webster's quotients.

    Webster's rounding gives every level at least as many of a larger total, so that a sample can grow.
    """
    sizes = range(1, p // 2 + 1)
    wanted = [(0.5 if 2 * s == p else 1.0) / np.sqrt(s * (p - s)) for s in sizes]
    turns = [w / (2 * np.arange(min(pairs_at(p, s), pairs)) + 1) for s, w in zip(sizes, wanted, strict=True)]
    level = np.repeat(np.arange(len(turns)), [len(turn) for turn in turns])
    first = np.argsort(-np.concatenate(turns), kind="stable")[:pairs] if turns else np.empty(0, int)
    return [int(count) for count in np.bincount(level[first], minlength=len(turns))]


def draw(p: int, asked: list[int], rng: np.random.Generator) -> tuple[Level, ...]:
    """All levels with so many pairs each, in random order: the first of them are a sample of the same kind."""
    streams = rng.spawn(len(asked))
    return tuple(
        Level(s, pairs_at(p, s), _sample(p, s, m, stream))
        for s, (m, stream) in enumerate(zip(asked, streams, strict=True), start=1)
    )


def _sample(p: int, size: int, asked: int, rng: np.random.Generator) -> np.ndarray:
    """`asked` different pairs of a level, every set of them equally likely -> (asked, p) bool"""
    if pairs_at(p, size) <= _LIST * asked:
        return _listed(p, size)[rng.permutation(pairs_at(p, size))[:asked]]
    drawn = np.empty((0, p), dtype=bool)
    while len(drawn) < asked:
        drawn = _distinct(np.concatenate([drawn, _random(p, size, 2 * asked, rng)]))
    return drawn[:asked]


def _listed(p: int, size: int) -> np.ndarray:
    """Every pair of a level (pairs, p) bool."""
    middle = 2 * size == p  # both halves of a pair are of this size: take the one with player 0
    rest = itertools.combinations(range(middle, p), size - middle)
    members = np.array(list(rest), dtype=int).reshape(pairs_at(p, size), size - middle)
    z = np.zeros((len(members), p), dtype=bool)
    np.put_along_axis(z, members, True, axis=1)
    z[:, 0] |= middle
    return z


def _random(p: int, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, p) bool with `size` players each, uniform; in the middle level the half with player 0."""
    members = np.argpartition(rng.random((count, p)), size - 1, axis=1)[:, :size]
    z = np.zeros((count, p), dtype=bool)
    np.put_along_axis(z, members, True, axis=1)
    return z ^ (~z[:, :1] if 2 * size == p else False)


def _distinct(z: np.ndarray) -> np.ndarray:
    """Rows without repetition, in order of first appearance."""
    packed = np.packbits(z, axis=1)
    _, first = np.unique(packed, axis=0, return_index=True)
    return z[np.sort(first)]
