"""What absence looks like when it is one fixed thing: a baseline's name or number -> references for x.

`"zeros"`, a number, a tuple (one number per feature), `"mean"` (of the background, or each picture's own), `"blur"`,
`"background"` (every background row, one after the other), `"noise"` (`Noise()`). `None` means the background where there is
one, else zeros. Several at once are one value, `Together(("zeros", "blur"))`: a bare tuple of numbers is one baseline.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from pellucid.core.errors import InputError, MethodError
from pellucid.core.schema import Schema

_NAMES = ("zeros", "mean", "blur", "background", "noise")


@dataclass(frozen=True)
class Noise:
    """References without content: every cell drawn evenly between `low` and `high`, `draws` times.

    None is each row's own smallest or largest value. All rows share one stream of `seed`, so a row's references do not depend on
    its company. Sturmfels, Lundberg & Lee, "Visualizing the Impact of Feature Attribution Baselines" (Distill 2020).
    """

    draws: int = 10
    low: float | None = None
    high: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.draws, bool) or not isinstance(self.draws, int) or self.draws < 1:
            raise MethodError(f"{self!r}: draws is a whole number of at least 1.")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise MethodError(f"{self!r}: low has to be smaller than high.")

    def references(self, x: np.ndarray) -> np.ndarray:
        """x (n, *features) -> (draws, n, *features)"""
        rng = np.random.default_rng((self.seed, zlib.crc32(b"Noise")))
        share = rng.random((self.draws, 1, *x.shape[1:]))
        rows, each = x.reshape(len(x), -1), (len(x), *[1] * (x.ndim - 1))
        low = rows.min(axis=1).reshape(each) if self.low is None else self.low
        high = rows.max(axis=1).reshape(each) if self.high is None else self.high
        return np.asarray(low + share * (high - low)).astype(x.dtype)


@dataclass(frozen=True)
class Together:
    """Several baselines at once, `Together(("zeros", "blur", Noise(draws=5)))`; each reference counts alike."""

    of: tuple[BaselineLike, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.of, tuple) or not self.of:
            raise MethodError(f"{self!r}: give the baselines as a tuple, such as Together(('zeros', 'blur')).")
        for one in self.of:
            check_baseline(one)


BaselineLike = str | float | tuple[float, ...] | Noise | Together | None


def check_baseline(baseline: BaselineLike) -> None:
    """Refuse what is no baseline, when the method is made."""
    if isinstance(baseline, str) and baseline not in _NAMES:
        raise MethodError(
            f"baseline {baseline!r} is unknown: choose one of {', '.join(_NAMES)}, a number, a tuple (a number per feature), "
            "Noise(), Together((...)), or None."
        )
    if isinstance(baseline, list) or (
        isinstance(baseline, tuple) and not all(isinstance(v, int | float) for v in baseline)
    ):
        raise MethodError(
            f"baseline {baseline!r}: a tuple holds one number per feature; several baselines are Together(('zeros', 'blur'))."
        )


def several(baseline: BaselineLike) -> bool:
    """Whether this is more than one reference for a row."""
    match baseline:
        case Noise(draws=draws):
            return draws > 1
        case Together(of=of):
            return len(of) > 1 or several(of[0])
    return baseline in ("background", "noise")


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
        case "noise":
            return references(Noise(), x, background, channels=channels, schema=schema)
        case Together():
            each = [references(one, x, background, channels=channels, schema=schema) for one in baseline.of]
            return np.concatenate(each)
        case _ if schema is not None and schema.coded.any():
            raise InputError(
                f"baseline {baseline!r} means nothing for column {schema.names[int(np.argmax(schema.coded))]!r}, which "
                "holds no numbers: give background rows, and baseline=None or 'mean' (which takes the most frequent level)."
            )
        case "zeros":
            return np.zeros_like(x)[None]
        case Noise():
            return baseline.references(x)
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
