"""LIME where parts are hidden: a weighted ridge over 0/1 masks of a text's words or a picture's regions.

Ribeiro, Singh & Guestrin, "Why Should I Trust You?" (KDD 2016), section 3.3 and eq. 2. With z_s the mask that says which of
the p players are shown and v(z_s) the score of the input in which the others are hidden,

    minimise over b0, b   sum_s pi_s (v(z_s) - b0 - z_s . b)^2 + penalty * |b|^2,    pi_s = exp(-D_s^2 / (2 kernel_width^2))

with D_s = 1 - cosine(z_s, 1) = 1 - sqrt(shown / p). The default width of 0.25 is the lime package's for pictures and for
texts (whose distance it multiplies by 100, and whose width is 25).

The first mask hides nothing; of the others, each hides a number of players that is uniform on 1 ... p, then which ones is
uniform too. This is how the lime package draws for texts. (For pictures it hides each region with probability 1/2, which
among many regions never shows what hiding a few of them does.) A mask that is drawn twice is asked once and counts twice.
One player is a line through two points: then no penalty pulls, and the value is v(shown) - v(hidden).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pellucid.core.budget import Budget
from pellucid.core.errors import MethodError
from pellucid.core.masking import Game
from pellucid.core.method import Parts
from pellucid.methods.removal.lime_fit import Surrogate, doubts

WIDTH = 0.25  # of the kernel, on the scale of the cosine distance
_ROUND = 256  # masks between two looks at the budget

Fit = Callable[[np.ndarray, np.ndarray], Surrogate]  # masks (m, p) of 0 and 1, y (m, n)


def by_masks(game: Game, rng: np.random.Generator, samples: int, fit: Fit) -> Parts:
    """Draw masks, ask, fit: values (n, p), one design for all rows."""
    p = game.players
    if p == 1:
        return _line(game)
    if samples < p + 2:  # fewer points than that determine no slope and no error
        raise MethodError(
            f"LIME(samples={samples}) is too few for {p} players: at least {p + 2}, or a masker with fewer players."
        )
    z, y = _ask(game, draw(p, samples, rng))
    found = fit(z.astype(float), y.T)
    said = doubts(found.r2, y.T, found.effective, p, "players")
    if len(z) < samples:
        said = (*said, f"only {len(z):,} of {samples:,} masks a row were asked")
    return Parts(found.coefficients, stderr=found.stderr, fit=found.r2, warnings=said)


def draw(p: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Masks (samples, p) bool, True = shown; the first one shows all."""
    hidden = rng.integers(1, p + 1, samples)
    hidden[0] = 0
    place = rng.permuted(np.tile(np.arange(p, dtype=np.int32), (samples, 1)), axis=1)
    return np.asarray(place >= hidden[:, None])


def _ask(game: Game, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """z (m, p) in the order drawn -> those of them that the budget paid for, and their scores (n, m)"""
    _, first, again = np.unique(np.packbits(z, axis=1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.argsort(order)[again.reshape(-1)]  # (m,) the number of each mask among the different ones
    different = z[first[order]]
    y = _scores(game, different, least=min(len(different), z.shape[1] + 2))
    unknown = np.flatnonzero(place >= y.shape[1])
    m = int(unknown[0]) if len(unknown) else len(z)
    return z[:m], y[:, place[:m]]


def _scores(game: Game, z: np.ndarray, least: int) -> np.ndarray:
    """Scores (n, m) of the first m masks: all of them, or as many as the budget pays for, but `least`."""
    if game.f.meter.budget == Budget():
        return game(z)
    found, done = [], 0
    while size := min(len(z) - done, max(least - done, 0 if game.spent else game.affordable(_ROUND))):
        found.append(game(z[done : done + size]))
        done += size
    return np.concatenate(found, axis=1)


def _line(game: Game) -> Parts:
    """One player: shown or hidden."""
    shown, hidden = game(np.array([[True], [False]])).T
    change = (shown - hidden)[:, None]
    return Parts(change, stderr=np.zeros(change.shape), fit=np.ones(len(change)))
