"""The best parts of a picture: outlined and tinted, the rest in shade or hidden."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.plot._labels import row_of, title
from pellucid.plot._paint import picture_of
from pellucid.plot._style import BLUE, FAINT, RED, bare, message, paper

_OUTLINED = 320  # pixels of the longer side, so that an outline is thin
_SIGNS = ((1, RED), (-1, BLUE))


def superpixels(
    attribution: Attribution,
    row: int = 0,
    ax: Axes | None = None,
    *,
    k: int = 5,
    positive_only: bool = True,
    hide_rest: bool = False,
) -> Axes:
    """The k parts that raise the score most, or with `positive_only=False` the k strongest of either sign.

    Red outlines raise, blue and hatched ones lower; the rest is pale, or gone with `hide_rest`.
    """
    row = row_of(attribution, row)
    _, mask = attribution.best_parts(k, row, positive_only=positive_only)
    if mask.ndim != 2:
        raise InputError(f"superpixels draws pictures; this record's rows have space {mask.shape}: use plot.image.")
    ax = paper(ax, float(np.clip(0.6 + 3.7 * mask.shape[0] / mask.shape[1], 1.8, 6.0)), 5.0, layout="compressed")
    if not mask.any():
        return message(
            ax, "no part raises the score" if positive_only else "every value is zero", title(attribution, row)
        )
    seen = picture_of(attribution, row)
    pixels = drawn(seen if seen.ndim == 3 else np.repeat(seen[..., None], 3, 2), mask, hide_rest)
    h, w = mask.shape
    ax.imshow(pixels, extent=(-0.5, w - 0.5, h - 0.5, -0.5))
    parts = np.unique(attribution.players.labels[row][mask != 0])  # type: ignore[union-attr, index]
    return bare(
        ax,
        title(attribution, row),
        f"{len(parts)} part{'s' * (len(parts) > 1)} on {(mask != 0).mean():.0%} of the places",
    )


def drawn(
    seen: np.ndarray, mask: np.ndarray, hide_rest: bool, outlines: tuple[tuple[int, str], ...] = _SIGNS
) -> np.ndarray:
    """seen (h, w, 3), mask (h, w) in {-1, 0, 1} -> pixels, each place a block of several"""
    size = max(1, -(-_OUTLINED // max(mask.shape)))
    big, told = (a.repeat(size, 0).repeat(size, 1) for a in (seen, mask))
    rest = np.full(3, to_rgb(FAINT)) if hide_rest else 0.35 * big + 0.65
    pixels = np.where((told != 0)[..., None], big, rest)
    down, across = np.indices(told.shape)
    stripe = (told < 0) & ((down + across) % max(6, max(told.shape) // 32) == 0)
    pixels = np.where(stripe[..., None], 1.0, pixels)
    width = max(1, max(told.shape) // 200)
    for sign, colour in outlines:
        pixels = np.where(_edge(told == sign, width)[..., None], to_rgb(colour), pixels)
    return np.asarray(pixels)


def _edge(inside: np.ndarray, width: int) -> np.ndarray:
    """The places inside that are at most `width` from the outside."""
    from scipy.ndimage import binary_erosion

    return np.asarray(inside & ~binary_erosion(inside, iterations=width, border_value=1))
