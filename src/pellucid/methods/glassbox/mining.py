"""Frequent conjunctions of literals, level by level (Agrawal & Srikant 1994), each set of rows once.

Supports and class counts of all pairs of a level come from one matrix product. Where there are more conjunctions than
are wanted, those stay that tell the classes apart best: largest information gain of the split into the rows that they
hold for and the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from pellucid.core.errors import InputError
from pellucid.core.rules import Condition
from pellucid.methods.glassbox.fitting import Material
from pellucid.methods.glassbox.literals import Literal, literals_of, truth

_BLOCK = 512  # conjunctions that are counted at a time


@dataclass(frozen=True)
class Limits:
    """What is mined: literals of columns cut into `bins`, up to `conditions` of them, on at least `support` of the weight."""

    bins: int
    conditions: int
    support: float
    most: int


@dataclass(frozen=True, eq=False)
class Pool:
    """Conjunctions of `literals` by their places, and the training rows that each holds for, `held (m, n)`."""

    literals: tuple[Literal, ...]
    rules: tuple[tuple[int, ...], ...]
    held: np.ndarray

    def said(self, rule: int) -> tuple[Condition, ...]:
        """A conjunction as a reader knows it."""
        return tuple(self.literals[one].said for one in self.rules[rule])

    def holds(self, rules: list[int], codes: np.ndarray) -> np.ndarray:
        """(len(rules), n) whether each of some conjunctions holds of each row"""
        known = truth(self.literals, codes)
        return np.array([known[list(self.rules[rule])].all(axis=0) for rule in rules]).reshape(len(rules), len(codes))

    def take(self, rules: list[int]) -> Pool:
        """Some of the conjunctions alone, and none of the rows."""
        return Pool(self.literals, tuple(self.rules[rule] for rule in rules), np.empty((len(rules), 0), dtype=bool))


def mine(material: Material, k: int, limits: Limits) -> Pool:
    """The conjunctions that a search chooses from."""
    literals = literals_of(material.columns, material.codes, material.weights, limits.bins)
    held, by_class = truth(literals, material.codes), material.by_class(k)
    total, least = by_class.sum(axis=0), limits.support * by_class.sum()
    counts = held @ by_class
    level: list[tuple[int, ...]] = [(i,) for i in np.flatnonzero(_frequent(counts, least)).tolist()]
    if not level:
        raise InputError(nothing_said(literals, counts.sum(axis=1) / total.sum(), material, limits.support))
    rules, rows = list(level), held[[rule[0] for rule in level]]
    singles = list(level)
    for _ in range(1, limits.conditions):
        level, grown = _grown(level, singles, literals, held, by_class, least, limits.most)
        rules, rows = rules + level, np.concatenate([rows, grown])
    rules, rows = _distinct(rules, rows)
    order = _best(rows @ by_class, total, len(singles), limits.most)
    return Pool(literals, tuple(rules[i] for i in order), rows[order])


def _frequent(counts: np.ndarray, least: float) -> np.ndarray:
    support = counts.sum(axis=-1)
    return np.asarray((support >= least * (1 - 1e-12)) & (support > 0))


def nothing_said(literals: tuple[Literal, ...], share: np.ndarray, material: Material, least: float) -> str:
    """Why there is no condition to learn from; share (l,) of the rows that each holds for."""
    if not literals:
        return (
            f"nothing can be said of these {len(material.y)} rows that is true of some and not of all: every column is "
            "constant, or holds free text. Give columns that vary."
        )
    most = float(share.max())
    return (
        f"no condition holds for {least:.2%} of the rows or more, the most frequent one for {most:.2%}: lower min_support, "
        "or give more rows."
    )


def _grown(
    level: list[tuple[int, ...]],
    singles: list[tuple[int, ...]],
    literals: tuple[Literal, ...],
    held: np.ndarray,
    by_class: np.ndarray,
    least: float,
    most: int,
) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Conjunctions with one more literal of another column, later in the order; the best `most`."""
    if not level:
        return [], np.empty((0, held.shape[1]), dtype=bool)
    ends = np.array([rule[0] for rule in singles])
    made: list[tuple[int, ...]] = []
    kept: list[np.ndarray] = []
    for start in range(0, len(level), _BLOCK):
        part = level[start : start + _BLOCK]
        rows = np.array([held[list(rule)].all(axis=0) for rule in part])
        counts = np.stack([(rows * w) @ held[ends].T.astype(float) for w in by_class.T], axis=-1)  # (part, singles, k)
        apart = np.array([[_adds(rule, end, literals) for end in ends.tolist()] for rule in part])
        for i, j in np.argwhere(apart & _frequent(counts, least)).tolist():
            made.append((*part[i], int(ends[j])))
            kept.append(counts[i, j])
    order = _best(np.array(kept).reshape(len(made), by_class.shape[1]), by_class.sum(axis=0), 0, most)
    chosen = [made[i] for i in order]
    rows = np.array([held[list(rule)].all(axis=0) for rule in chosen], dtype=bool)
    return chosen, rows.reshape(len(chosen), held.shape[1])


def _adds(rule: tuple[int, ...], end: int, literals: tuple[Literal, ...]) -> bool:
    return end > rule[-1] and all(literals[one].column != literals[end].column for one in rule)


def _distinct(rules: list[tuple[int, ...]], rows: np.ndarray) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """The first, shortest, of those that hold for the same rows; none that holds for all."""
    seen: dict[bytes, int] = {}
    for i, packed in enumerate(np.packbits(rows, axis=1)):
        if not rows[i].all():
            seen.setdefault(packed.tobytes(), i)
    order = sorted(seen.values())
    return [rules[i] for i in order], rows[order]


def _best(counts: np.ndarray, total: np.ndarray, safe: int, most: int) -> list[int]:
    """Places of the best `most` by information gain, in their order; the first `safe`, if they fit, are among them."""
    if len(counts) <= most:
        return list(range(len(counts)))
    gain = -_entropy(counts) - _entropy(total - counts)
    gain[: min(safe, most)] = np.inf
    return sorted(np.argsort(-gain, kind="stable")[:most].tolist())


def _entropy(counts: np.ndarray) -> np.ndarray:
    """counts (..., k) -> (...,) weight times entropy"""
    whole = counts.sum(axis=-1)
    return np.asarray(xlogy(whole, whole) - xlogy(counts, counts).sum(axis=-1))
