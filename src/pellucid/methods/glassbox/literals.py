"""What can be said of one column: "age > 40", "25 < age <= 40", "education <= High School", "town = Rom", "pay is missing".

Numbers are cut at weighted quantiles, so that a row of weight 2 counts like two rows. A single value that many rows have (no
capital gain) is set apart, and the quantiles are those of the rest. Columns of two values, and levels without an order, are told
by what they are. Columns of texts are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pellucid.core.rules import Condition
from pellucid.core.schema import Column
from pellucid.methods.anchor.cuts import between, short, spelled


@dataclass(frozen=True)
class Literal:
    """One statement: codes above `low` and at most `high`, or a missing value."""

    column: int
    low: float
    high: float
    said: Condition

    def holds(self, codes: np.ndarray) -> np.ndarray:
        """codes (n, p) -> (n,) bool"""
        values = codes[:, self.column]
        return np.isnan(values) if self.said.missing else (values > self.low) & (values <= self.high)


def truth(literals: tuple[Literal, ...], codes: np.ndarray) -> np.ndarray:
    """(l, n) whether each holds of each row"""
    return np.array([literal.holds(codes) for literal in literals], dtype=bool).reshape(len(literals), len(codes))


def literals_of(
    columns: tuple[Column, ...], codes: np.ndarray, weights: np.ndarray, bins: int, ranges: bool = True
) -> tuple[Literal, ...]:
    """Everything that is true of some training rows and not of all; without `ranges` one side of each cut alone."""
    made = [
        literal
        for j, column in enumerate(columns)
        if not column.text
        for literal in _of(j, column, codes[:, j], weights, bins, ranges)
    ]
    held = truth(tuple(made), codes)
    return tuple(one for one, where in zip(made, held, strict=True) if where.any() and not where.all())


def _of(j: int, column: Column, values: np.ndarray, weights: np.ndarray, bins: int, ranges: bool) -> list[Literal]:
    absent = np.isnan(values)
    known = np.unique(values[~absent])
    gap = [Literal(j, 0, 0, Condition(column.name, j, f"{column.name} is missing", missing=True))] * bool(absent.any())
    if (column.kind == "level" and not column.ordered) or len(known) == 2:
        told = known if ranges or (column.kind == "level" and len(known) > 2) else known[1:]
        return [_equal(j, column, value) for value in told.tolist()] + gap
    where = cuts(values[~absent], weights[~absent], bins)
    limits = known[where] if column.kind == "level" else [short(known[k], known[k + 1]) for k in where]
    return [_between(j, column, low, high) for low, high in _spans(list(map(float, limits)), ranges)] + gap


def _spans(limits: list[float], ranges: bool) -> list[tuple[float | None, float | None]]:
    above: list[tuple[float | None, float | None]] = [(limit, None) for limit in limits]
    return [*((None, limit) for limit in limits), *above, *combinations(limits, 2)] if ranges else above


def cuts(values: np.ndarray, weights: np.ndarray, bins: int) -> np.ndarray:
    """values (m,) -> the places k among their distinct ones between which, k and k + 1, they are cut"""
    known, place = np.unique(values, return_inverse=True)
    mass = np.bincount(place, weights=weights, minlength=len(known))
    if len(known) <= bins:
        return np.arange(len(known) - 1)
    usual = mass * bins > mass.sum()  # values that fill a bin alone
    sides = [side for k in np.flatnonzero(usual) for side in (k - 1, k)]
    rest = np.where(usual, 0.0, mass)
    parts = max(2, bins - int(usual.sum()))
    quantiles = np.searchsorted(np.cumsum(rest), rest.sum() * np.arange(1, parts) / parts * (1 - 1e-12))
    places = np.unique([*sides, *quantiles]).astype(int)
    return places[(places >= 0) & (places < len(known) - 1)]


def _equal(j: int, column: Column, value: float) -> Literal:
    low = value - 1 if column.kind == "level" else float(np.nextafter(value, -np.inf))
    shown = column.levels[int(value)] if column.kind == "level" else value
    words = f"{column.name} = {spelled(shown) if column.kind != 'level' else shown}"
    if isinstance(shown, bool):
        words = column.name if shown else f"not {column.name}"
    return Literal(j, low, value, Condition(column.name, j, words, values=(shown,)))


def _between(j: int, column: Column, low: float | None, high: float | None) -> Literal:
    """An interval of numbers, or of levels in their order."""
    levels = column.kind == "level"
    words = between(column.name, low, high, (lambda code: str(column.levels[int(code)])) if levels else spelled)
    below, above = (-1.0 if levels else -np.inf) if low is None else low, np.inf if high is None else high
    if not levels:
        return Literal(j, below, above, Condition(column.name, j, words, low=low, high=high))
    values = column.levels[int(below) + 1 : None if high is None else int(high) + 1]
    words = f"{column.name} = {values[0]}" if len(values) == 1 else words
    return Literal(j, below, above, Condition(column.name, j, words, values=values))
