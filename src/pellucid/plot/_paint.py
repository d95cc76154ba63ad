"""From values over places to pixels: a diverging colour, the picture beneath as shade, stripes where it is negative.

    pixel = colour(value / limit) * shade,   shade in [0.75, 1] from the input's own brightness

Over white this is exactly the colour bar; over a darker place the same colour, darker, so that what lies beneath stays
visible without inventing a value. Stripes mark values below -limit / 8, so the sign survives greyscale.
"""

from __future__ import annotations

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.records import Attribution, Collapse
from pellucid.core.rules import Rules
from pellucid.plot._style import DIVERGING, symmetric

_PIXELS = 384  # the longer side of a painted map, enough for stripes over an 8 x 8 picture
_FLAT = 1e-6  # differences below this share of the largest value are single-precision rounding
_FEW = 0.005  # the share of a picture's places that may lie beyond the colour limit
_MANY = 4096  # places; above, the colour limit is a high quantile, for one hot pixel would make the rest white


def places(attribution: Attribution, row: int, collapse: Collapse = "sum") -> np.ndarray:
    """One value a place, channels folded: (*spatial); less their mean where a method's values share an offset."""
    values = np.asarray(attribution[row].collapse(collapse)[0], dtype=float)
    return values - values.mean() if has_offset(attribution) else values


def has_offset(attribution: Attribution) -> bool:
    """Whether only differences between the values mean anything (RISE)."""
    return bool(getattr(getattr(attribution.method, "card", None), "offset", False))


def constant(values: np.ndarray) -> bool:
    """Whether a map says the same everywhere and therefore nothing."""
    return bool(np.ptp(values) <= _FLAT * np.abs(values).max())


def limit_of(values: np.ndarray, limit: float | None) -> tuple[float, bool]:
    """The colour limit, and whether values lie beyond it."""
    if limit is not None and not 0 < limit < np.inf:
        raise InputError(f"limit={limit!r}: the value of full colour is a positive number, or None for the map's own.")
    largest = float(np.abs(values).max())
    if limit is None:
        rest = _FEW ** (max(values.ndim, 2) / 2)  # the same share of each side: a spot fills less of a volume
        high = float(np.quantile(np.abs(values), 1 - rest)) if values.size > _MANY else largest
        limit = high if largest > 2 * high > 0 else largest
    return limit, largest > limit * (1 + 1e-9)


def paint(values: np.ndarray, limit: float, shade: np.ndarray | None = None) -> np.ndarray:
    """values (h, w), shade (h, w) in [0, 1] -> pixels (H, W, 3), every place a block of its own."""
    colours = DIVERGING(symmetric(limit)(np.clip(values, -limit, limit)))[..., :3]  # (h, w, 3)
    if shade is not None:
        colours = colours * (0.75 + 0.25 * shade[..., None])
    return _striped(block(colours), block(values < -limit / 8))


def block(values: np.ndarray) -> np.ndarray:
    """values (h, w, ...) -> (H, W, ...), every place a block, fine enough for stripes."""
    size = max(1, -(-_PIXELS // max(values.shape[:2])))
    return values.repeat(size, axis=0).repeat(size, axis=1)


def _striped(pixels: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Thin diagonal stripes, halfway to white, over the negative places."""
    return np.where(stripes(negative)[..., None], 0.5 + 0.5 * pixels, pixels)


def stripes(negative: np.ndarray) -> np.ndarray:
    """(h, w): the part of the negative places that thin diagonal stripes cover."""
    down, across = np.indices(negative.shape)
    period = max(6, max(negative.shape) // 32)
    covered: np.ndarray = negative & ((down + across) % period < max(1, period // 5))
    return covered


def picture_of(attribution: Attribution | Rules, row: int) -> np.ndarray:
    """The input as a picture in [0, 1]: (*space), or (*space, 3) in colours. Min-max here and nowhere else."""
    data = np.asarray(attribution.data[row], dtype=float)
    if attribution.layout == "channels-first":
        data = np.moveaxis(data, 0, -1)
    if attribution.layout in ("channels-first", "channels-last"):
        data = data[..., :3] if data.shape[-1] in (3, 4) and data.ndim == 3 else data.mean(axis=-1)
    known = data[np.isfinite(data)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if high == low:
        return np.ones_like(data)  # nothing to see: white paper
    return np.clip(np.nan_to_num((data - low) / (high - low)), 0, 1)


def grey(picture: np.ndarray, space: int) -> np.ndarray:
    """Brightness of a picture: (*space) in [0, 1]."""
    return picture if picture.ndim == space else picture @ np.array([0.299, 0.587, 0.114])
