"""Games given by tables of all their 2^p values, and Shapley values by two slow definitions."""

import itertools
from collections.abc import Callable
from math import factorial
from typing import Any

import numpy as np

from pellucid.core.budget import Budget, Meter
from pellucid.core.masking import Game


class Table:
    """A scalar function that looks its numbers up: inputs are the coalitions themselves, rows are games."""

    schema = None
    channels = None

    def __init__(self, values: np.ndarray, budget: Budget) -> None:
        self.values, self.meter, self.calls = values, Meter(budget), []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """x (m, 1, n, p) -> (m, 1, n)"""
        self.meter.add(forward=int(np.prod(x.shape[:-1])))
        self.calls.append(x[:, 0, 0].astype(bool))
        return self.values[np.arange(len(self.values)), codes(x)]


class Players:
    """A bound masker whose filled inputs are the coalitions."""

    draws = 1
    labels = None

    def __init__(self, rows: int, p: int) -> None:
        self.rows, self.names = rows, tuple(f"x{j}" for j in range(p))

    def fill(self, z: np.ndarray) -> np.ndarray:
        return np.broadcast_to(z[:, None, None], (len(z), 1, self.rows, z.shape[1]))

    def lift(self, values: np.ndarray) -> np.ndarray:
        return values


def codes(z: np.ndarray) -> np.ndarray:
    """The place of each coalition in a table: player j is bit j."""
    return z.astype(int) @ (1 << np.arange(z.shape[-1]))


def game(values: Any, budget: Budget | None = None) -> Game:
    """values (n, 2^p): one game a row."""
    table = np.atleast_2d(np.asarray(values, dtype=float))
    p = int(np.log2(table.shape[1]))
    return Game(Table(table, budget or Budget()), Players(len(table), p), len(table))


def every(p: int) -> np.ndarray:
    """All coalitions in the order of a table (2^p, p) bool."""
    return (np.arange(2**p)[:, None] >> np.arange(p) & 1).astype(bool)


def table(function: Callable[[np.ndarray], np.ndarray], p: int) -> np.ndarray:
    """The values of function(z (m, p)) -> (m,) on all coalitions."""
    return np.asarray(function(every(p)), dtype=float)


def by_permutations(v: np.ndarray) -> np.ndarray:
    """The definition: a player's gain on joining, averaged over all orders of joining. v (2^p,) -> (p,)"""
    p = int(np.log2(len(v)))
    total = np.zeros(p)
    for order in itertools.permutations(range(p)):
        coalition = 0
        for player in order:
            total[player] += v[coalition | 1 << player] - v[coalition]
            coalition |= 1 << player
    return total / factorial(p)


def by_subsets(v: np.ndarray) -> np.ndarray:
    """The same by Shapley's formula, for more players. v (2^p,) -> (p,)"""
    p, z = int(np.log2(len(v))), every(int(np.log2(len(v))))
    weight = np.array([factorial(s) * factorial(p - s - 1) / factorial(p) for s in range(p)])
    values = np.zeros(p)
    for i in range(p):
        without = np.flatnonzero(~z[:, i])
        values[i] = weight[z[without].sum(1)] @ (v[without | 1 << i] - v[without])
    return values


def attributed(method: Any, values: Any, budget: Budget | None = None) -> Any:
    """The method's parts on games given as tables."""
    return method.attribute(game(values, budget), method.stream())


def solid(p: int, rows: int, seed: int, noise: float = 0.05) -> np.ndarray:
    """Games as models make them: lines, interactions of two and three, thresholds, and a little of everything else."""
    rng, z = np.random.default_rng(seed), every(p).astype(float)
    games = []
    for _ in range(rows):
        hidden = np.tanh(z @ rng.normal(size=(p, 6)) - rng.normal(size=6))
        games.append(z @ rng.normal(size=p) + hidden @ rng.normal(size=6) + noise * rng.normal(size=2**p))
    return np.array(games)
