"""LIME on 0/1 masks: players of a game (superpixels, words, columns) come and go, and a linear surrogate follows the score.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), section 3.3: masks in {0, 1}^p, each player present in half of
them; the instance itself is the mask that shows all. Where p is small enough for all 2^p masks, each is asked once: nothing
is drawn, and only the ridge's pull is left of the standard error. The surrogate's answer to the empty mask is its intercept,
handed back as base value: the gap then says how far the surrogate misses the score of the instance itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pellucid.core.budget import Budget
from pellucid.core.errors import MethodError
from pellucid.core.masking import Game
from pellucid.core.method import Parts
from pellucid.methods.removal.lime_local import Local
from pellucid.methods.removal.lime_stop import Found, goals

_MOST = 20  # players beyond which nobody asks all masks
_ROUND = 64  # masks between two looks at the budget


def play(local: Local, game: Game, samples: int, tolerance: float | None, rng: np.random.Generator) -> Parts:
    """-> values (n, p) over players, base values, standard errors and weighted R2 of each row's surrogate"""
    p, n = game.players, game.rows
    masks = draw(p, samples, rng, ends=local.distance == "shapley")
    found, y = Found.nothing(n, p), np.empty((0, n))
    for y in _rounds(game, masks, tolerance):
        z = masks[: len(y)].astype(float)
        complete = len(z) == 2**p and len(masks) == 2**p
        now = Found.of(local.fit(z, local.weigh(z, np.ones(p)), y, complete))
        found = now if tolerance is None else found.refined(now, tolerance)
        if tolerance is not None and found.reached(tolerance).all():
            break
    stopped = tolerance is not None and found.reached(tolerance).all()
    doubts = found.doubts(y, len(y) if stopped else len(masks), "players")
    if len(masks) == 2**p:  # nothing was drawn, so nothing can be too few
        doubts = [doubt for doubt in doubts if "count like" not in doubt]
    return found.parts(tolerance, found.intercept, tuple(doubts))


def draw(p: int, samples: int, rng: np.random.Generator, ends: bool = False) -> np.ndarray:
    """Masks (m, p) bool, m = `samples`: all 2^p in random order where there are no more than that.

    `ends` puts the empty and the full one first, whatever is drawn.
    """
    if p <= _MOST and 2**p <= samples:
        masks = all_masks(p)[rng.permutation(2**p)]
    elif samples < p + 2:
        raise MethodError(f"LIME(samples={samples}) is too few for {p} players: at least {p + 2}.")
    else:
        masks = rng.random((samples, p)) < 0.5
    if not ends:
        return masks
    first = np.array([[False] * p, [True] * p])
    inner = masks.any(axis=1) & ~masks.all(axis=1)
    return np.concatenate([first, masks[inner]])


def all_masks(p: int) -> np.ndarray:
    """(2^p, p) bool: the empty one first, all players last"""
    return np.asarray((np.arange(2**p)[:, None] >> np.arange(p) & 1).astype(bool))


def _rounds(game: Game, masks: np.ndarray, tolerance: float | None) -> Iterator[np.ndarray]:
    """Answers (m, n) to the first m masks, m growing with each look at the tolerance, as far as the budget goes."""
    least = min(len(masks), game.players + 2)
    y = np.empty((0, game.rows))
    for goal in goals(len(masks), least, tolerance):
        while size := _next(game, len(y), goal, least):
            y = np.concatenate([y, game(masks[len(y) : len(y) + size]).T])
        yield y
        if len(y) < goal:
            return


def _next(game: Game, asked: int, goal: int, least: int) -> int:
    """Masks in the next round: what is left of them, or what a budget still pays for."""
    left = goal - asked
    if game.f.meter.budget == Budget():
        return left
    affordable = 0 if game.spent else min(_ROUND, game.affordable(_ROUND))
    return min(left, max(least - asked, affordable))
