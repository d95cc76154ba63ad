"""Shapley values by orders of joining: in each order every player gains what the score changes by when it joins.

Castro, Gomez & Tejada, "Polynomial calculation of the Shapley value based on sampling" (2009). Each order is walked forwards
and backwards (antithetic; Mitchell, Cooper, Frank & Holmes, "Sampling Permutations for Shapley Value Estimation", 2022).
Backwards, the players present are the complements of those forwards, so that with u(S) = (v(S) - v(not S)) / 2 the mean
gain of the j-th player of both walks is

    u(first j players) - u(first j - 1 players),    u(nobody) = - D / 2,  u(everybody) = D / 2,  D = v(all) - v(empty).

Gains add up to D in every order: efficiency holds whatever is sampled. Orders are independent, hence the standard error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from pellucid.core.masking import Game
from pellucid.core.method import Parts
from pellucid.methods.shapley.estimate import Estimate, widened

_CELLS = 2**22  # gains held at once
_FIRST = 4  # orders before the first look at budget and tolerance

Draw = Callable[[int], np.ndarray]  # k -> orders (k, p) of players


@dataclass(frozen=True, eq=False)
class Tally:
    """The mean gain of each player over orders (n, p), and the sum of squared deviations from it."""

    orders: int
    mean: np.ndarray
    squares: np.ndarray

    def with_gains(self, gains: np.ndarray) -> Self:
        """gains (n, k, p) of k more orders (Chan, Golub & LeVeque 1983)"""
        k, mean = gains.shape[1], gains.mean(1)
        total, apart = self.orders + k, mean - self.mean
        squares = self.squares + ((gains - mean[:, None]) ** 2).sum(1) + apart**2 * (self.orders * k / total)
        return type(self)(total, self.mean + apart * (k / total), squares)

    def estimate(self) -> Estimate:
        """One order says nothing of its error."""
        if self.orders < 2:
            return Estimate(self.mean, np.full(self.mean.shape, np.nan))
        variance = self.squares / (self.orders * (self.orders - 1))
        return Estimate(self.mean, widened(variance, np.full(variance.shape, self.orders - 1.0)))


def by_sampling(game: Game, draw: Draw, orders: int, tolerance: float | None) -> Parts:
    """Ever more orders, up to `orders`, the budget, or until all rows are within tolerance."""
    base, change = ends(game)
    found = Estimate.even(change, game.players)
    tally = Tally(0, np.zeros(found.values.shape), np.zeros(found.values.shape))
    for k in _rounds(game, orders):
        tally = tally.with_gains(gains(game, draw(k), change))
        found = found.refined(tally.estimate(), tolerance)
        if found.reached(tolerance).all():
            break
    return found.parts(base, tolerance)


def by_listing(game: Game, orders: np.ndarray) -> Parts:
    """All orders there are (k, p), one of each pair of opposites: exact."""
    base, change = ends(game)
    values = gains(game, orders, change).mean(1)
    return Parts(values, base_values=base, stderr=np.zeros(values.shape))


def ends(game: Game) -> tuple[np.ndarray, np.ndarray]:
    """-> v(empty) (n,), and v(all) - v(empty) (n,)"""
    none, full = game(np.array([[False] * game.players, [True] * game.players])).T
    return none, full - none


def gains(game: Game, orders: np.ndarray, change: np.ndarray) -> np.ndarray:
    """orders (k, p) of players, change (n,) -> gains (n, k, p) by player"""
    (k, p), n = orders.shape, len(change)
    place = np.argsort(orders, axis=1)  # (k, p): when each player joins
    joined = place[:, None] < np.arange(1, p)[:, None]  # (k, p - 1, p)
    u = odd_parts(game, joined.reshape(-1, p)).reshape(n, k, p - 1)
    half = np.broadcast_to(change[:, None, None] / 2, (n, k, 1))
    steps = np.diff(np.concatenate([-half, u, half], axis=2), axis=2)  # (n, k, p) in the order of joining
    return np.take_along_axis(steps, np.broadcast_to(place, (n, k, p)), axis=2)


def odd_parts(game: Game, z: np.ndarray) -> np.ndarray:
    """z (m, p) -> u (n, m); what occurs twice, or as its complement, is asked once"""
    if not len(z):
        return np.empty((game.rows, 0))
    flipped = z[:, 0]
    packed = np.packbits(z ^ flipped[:, None], axis=1)
    _, first, again = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    asked = z[first]
    v = game(np.concatenate([asked, ~asked]))
    u = (v[:, : len(asked)] - v[:, len(asked) :]) / 2
    again = again.reshape(-1)
    return np.asarray(u[:, again] * np.where(flipped == flipped[first][again], 1, -1))


def _rounds(game: Game, orders: int) -> Iterator[int]:
    """Numbers of orders that double, as far as memory and the budget go."""
    price, done = 2 * (game.players - 1), 0
    most = max(1, _CELLS // (game.rows * game.players**2))
    while done < orders and not game.spent:
        wanted = min(orders - done, max(done, _FIRST), most)
        k = game.affordable(wanted * price) // price if price else wanted
        if k < wanted:
            game.cut_short()
        if k == 0:
            return
        yield k
        done += k
