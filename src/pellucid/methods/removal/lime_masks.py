"""LIME where parts are hidden: a weighted ridge over 0/1 masks of a text's words or a picture's regions.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), section 3.3 and eq. 2. With z_s the mask that says which of
the p players are shown and v(z_s) the score of the input in which the others are hidden,

    minimise over b0, b   sum_s pi_s (v(z_s) - b0 - z_s . b)^2 + penalty * |b|^2,    pi_s = exp(-D_s^2 / (2 kernel_width^2))

with D_s = 1 - cosine(z_s, 1) = 1 - sqrt(shown / p). The default width of 0.25 is the lime package's for pictures and for
texts (whose distance it multiplies by 100, and whose width is 25).

The first mask hides nothing; of the others, each hides a number of players that is uniform on 1 ... p, then which ones is
uniform too. This is how the lime package draws for texts. (For pictures it hides each region with probability 1/2, which
among many regions never shows what hiding a few of them does.) A mask that is drawn twice is asked once and counts twice.
With distance="shapley" and samples enough for all 2^p masks, each is asked once and nothing is left to chance: without a
penalty the values are Shapley's (`lime_fit.py`), and the empty mask's score is the base value.

One player is a line through two points: then no penalty pulls, and the value is v(shown) - v(hidden).
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

_ROUND = 256  # masks between two looks at the budget
_MOST = 20  # players beyond which nobody asks all masks


def by_masks(game: Game, rng: np.random.Generator, samples: int, local: Local, tolerance: float | None) -> Parts:
    """Draw masks, ask, fit: values (n, p), one design for all rows."""
    p, shapley = game.players, local.distance == "shapley"
    if p == 1:
        return _line(game, shapley)
    if samples < p + 2:  # fewer points than that determine no slope and no error
        raise MethodError(
            f"LIME(samples={samples}) is too few for {p} players: at least {p + 2}, or a masker with fewer players."
        )
    complete = shapley and p <= _MOST and 2**p <= samples
    z = all_masks(p)[rng.permutation(2**p)] if complete else draw(p, samples, rng)
    z = np.concatenate([[[False] * p], z]) if shapley and not complete else z  # both ends are met exactly
    found, y = Found.nothing(game.rows, p), np.empty((0, game.rows))
    for y in _answers(game, z, tolerance):
        known = z[: len(y)].astype(float)
        now = Found.of(local.fit(known, local.weigh(known, np.ones(p)), y, complete and len(y) == len(z)))
        found = now if tolerance is None else found.refined(now, tolerance)
        if tolerance is not None and found.reached(tolerance).all():
            break
    stopped = tolerance is not None and found.reached(tolerance).all()
    said = found.doubts(y, len(y) if stopped else len(z), "players", "masks")
    said = [doubt for doubt in said if not (complete and "count like" in doubt)]  # nothing drawn, nothing too few
    return found.parts(tolerance, found.intercept if shapley else None, tuple(said))


def draw(p: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Masks (samples, p) bool, True = shown; the first one shows all."""
    hidden = rng.integers(1, p + 1, samples)
    hidden[0] = 0
    place = rng.permuted(np.tile(np.arange(p, dtype=np.int32), (samples, 1)), axis=1)
    return np.asarray(place >= hidden[:, None])


def all_masks(p: int) -> np.ndarray:
    """(2^p, p) bool: the empty one first, all players last"""
    return np.asarray((np.arange(2**p)[:, None] >> np.arange(p) & 1).astype(bool))


def _answers(game: Game, z: np.ndarray, tolerance: float | None) -> Iterator[np.ndarray]:
    """Scores (m, n) of the first m of masks z in the order drawn, m growing with each look at the tolerance.

    A mask that was drawn before is not asked again; a budget ends the rows where it is spent.
    """
    _, first, again = np.unique(np.packbits(z, axis=1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.argsort(order)[again.reshape(-1)]  # (m,) the number of each mask among the different ones
    different = z[first[order]]
    least, y = min(len(different), z.shape[1] + 2), np.empty((game.rows, 0))
    for goal in goals(len(z), least, tolerance):
        wanted = int(place[:goal].max()) + 1
        y = np.concatenate([y, _scores(game, different[:wanted], y.shape[1], least)], axis=1)
        unknown = np.flatnonzero(place[:goal] >= y.shape[1])
        m = int(unknown[0]) if len(unknown) else goal
        yield y[:, place[:m]].T
        if m < goal:
            return


def _scores(game: Game, z: np.ndarray, done: int, least: int) -> np.ndarray:
    """Scores (n, m) of the masks after the first `done`: all of them, or as many as the budget pays for, but `least`."""
    if game.f.meter.budget == Budget():
        return game(z[done:]) if done < len(z) else np.empty((game.rows, 0))
    found = [np.empty((game.rows, 0))]
    while size := min(len(z) - done, max(least - done, 0 if game.spent else game.affordable(_ROUND))):
        found.append(game(z[done : done + size]))
        done += size
    return np.concatenate(found, axis=1)


def _line(game: Game, shapley: bool) -> Parts:
    """One player: shown or hidden."""
    shown, hidden = game(np.array([[True], [False]])).T
    change = (shown - hidden)[:, None]
    return Parts(
        change, base_values=hidden if shapley else None, stderr=np.zeros(change.shape), fit=np.ones(len(change))
    )
