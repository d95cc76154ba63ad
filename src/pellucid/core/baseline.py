"""What absence looks like when it is one fixed thing: a baseline's name or number -> references for x.

`"zeros"`, a number, a tuple (one number per feature), `"mean"` (of the background, or each picture's own), `"blur"`,
`"background"` (every background row, one after the other). `None` means the background where there is one, else zeros.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from pellucid.core.errors import InputError, MethodError
from pellucid.core.schema import Schema

BaselineLike = str | float | tuple[float, ...] | None

_NAMES = ("zeros", "mean", "blur", "background")


def check_baseline(baseline: BaselineLike) -> None:
    """Refuse a name that is no baseline, when the method is made."""
    if isinstance(baseline, str) and baseline not in _NAMES:
        raise MethodError(f"baseline {baseline!r} is unknown: choose one of {', '.join(_NAMES)}, a number, or None.")


def references(
    baseline: BaselineLike,
    x: np.ndarray,
    background: np.ndarray | None = None,
    *,
    channels: int | None = None,
    schema: Schema | None = None,
) -> np.ndarray:
    """x (n, *features), background (b, *features) -> (r, n, *features): r references for each row."""
    match baseline:
        case None:
            return references(
                "background" if background is not None else "zeros",
                x,
                background,
                channels=channels,
                schema=schema,
            )
        case "background":
            rows = _given(background)
            return np.broadcast_to(rows[:, None], (len(rows), *x.shape))
        case "mean" if background is not None:
            return np.broadcast_to(_center(background, schema)[None, None], (1, *x.shape)).astype(x.dtype)
        case "mean" if x.ndim > 2:
            return np.broadcast_to(x.mean(axis=_space(x, channels), keepdims=True), x.shape)[None].astype(x.dtype)
        case "mean":
            return references("background", x, background)
        case "blur":
            return _blur(x, channels)[None]
        case _ if schema is not None and schema.coded.any():
            raise InputError(
                f"baseline {baseline!r} means nothing for column {schema.names[int(np.argmax(schema.coded))]!r}, which "
                "holds no numbers: give background rows, and baseline=None or 'mean' (which takes the most frequent level)."
            )
        case "zeros":
            return np.zeros_like(x)[None]
        case tuple():
            return np.broadcast_to(np.asarray(baseline, x.dtype), x.shape)[None]
    return np.full_like(x, baseline)[None]


def _given(background: np.ndarray | None) -> np.ndarray:
    if background is None:
        raise InputError(
            "this needs background rows and got none: pass background=, for example 100 rows of the training data."
        )
    return background


def _center(background: np.ndarray, schema: Schema | None) -> np.ndarray:
    """(b, *features) -> (*features): the mean of numbers, the most frequent level of the rest."""
    center = np.nanmean(background, axis=0) if np.isnan(background).any() else background.mean(axis=0)
    for j in np.flatnonzero(schema.coded) if schema is not None else []:
        values, counts = np.unique(background[:, j], return_counts=True)
        center[j] = values[counts.argmax()]
    return np.asarray(center)


def _space(x: np.ndarray, channels: int | None) -> tuple[int, ...]:
    """The spatial axes of x (n, *features)."""
    skipped = None if channels is None else channels % x.ndim
    return tuple(axis for axis in range(1, x.ndim) if axis != skipped)


def _blur(x: np.ndarray, channels: int | None) -> np.ndarray:
    """Gaussian blur over space with a standard deviation of an eighth of each side: local detail is gone, the mean stays."""
    if x.ndim < 3:
        raise MethodError(
            f"baseline 'blur' is for inputs with space (pictures, volumes, signals); x has shape {x.shape}."
        )
    sigma = np.zeros(x.ndim)
    space = _space(x, channels)
    sigma[list(space)] = [x.shape[axis] / 8 for axis in space]
    return np.asarray(gaussian_filter(x, sigma, mode="nearest"))
