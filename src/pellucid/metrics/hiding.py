"""What a metric hides, and what is seen in its place: parts of each row, and fills of the metric's own.

A part is what comes and goes at once: a record's own players (superpixels, windows, groups), windows of a size that all
methods share, or single places. A fill is a baseline by name, number or value, `"own-mean"` or `"inpaint"` of each part
(`core/fills.py`), or `NoisyLinear()`, which paints all hidden places together. Several fills are a tuple of them: everything is
measured under each and the mean is taken, because what one fill makes of a picture may look like evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.baseline import BaselineLike, Together, check_baseline, references
from pellucid.core.errors import MethodError
from pellucid.core.fills import BY_PART, filled
from pellucid.core.maskers import Size, sizes
from pellucid.core.noisy_linear import NoisyLinear
from pellucid.core.records import Players
from pellucid.core.text_maskers import NAMED
from pellucid.metrics.base import Case

FILLS = ("delete", "mask", *NAMED)  # of texts
FillLike = BaselineLike | NoisyLinear | tuple[BaselineLike | NoisyLinear, ...]
Painter = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(x (n, *features), gone (s, n, *space), the rows' numbers (n,)) -> (s, n, *features)"""


def apart(fill: Any) -> tuple[Any, ...]:
    """The fills of a field, one after the other; a tuple of numbers is one fill."""
    if isinstance(fill, Together):
        return fill.of
    if isinstance(fill, tuple) and not all(isinstance(v, int | float) for v in fill):
        return fill
    return (fill,)


def check_fills(who: str, fill: Any) -> None:
    """Refuse what is no fill, when the metric is made."""
    for one in apart(fill):
        if one in BY_PART or isinstance(one, NoisyLinear) or (one in FILLS and one is fill):
            continue
        if one in FILLS:
            raise MethodError(f"{who}(fill={fill!r}): {one!r} is for texts, and stands alone.")
        if one is None and one is not fill:
            raise MethodError(f"{who}(fill={fill!r}): name every fill of several.")
        check_baseline(one)


def check_window(who: str, window: Size | None) -> None:
    if window is not None and min(np.atleast_1d(window)) < 1:
        raise MethodError(f"{who}(window={window!r}): a size is at least 1 place.")


@dataclass(frozen=True, eq=False)
class Cut:
    """Every row in its parts."""

    labels: np.ndarray  # (n, *space) the part of each place, -1 where it is never hidden
    values: np.ndarray  # (n, p) what the explanation says of each part, NaN where a row has fewer
    total: np.ndarray  # (n,) parts of each row

    def placed(self, rows: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """positions (n, k, p) of the parts -> of the places (n, k, *space); NaN, which compares as false, where never hidden."""
        wide = np.concatenate([positions, np.full((*positions.shape[:2], 1), np.nan)], axis=2).astype(np.float32)
        return np.stack([wide[i][:, self.labels[row]] for i, row in enumerate(rows)])


def cut(case: Case, window: Size | None, absolute: bool, who: str) -> Cut:
    """The record's own players where it has them and no window is asked for; else windows, or single places."""
    if window is not None and case.x.ndim == 2:
        raise MethodError(f"{who}(window={window}) is for inputs with space; columns of a table are hidden one by one.")
    places, players = case.places, case.record.players
    if window is None and players is not None and _shares_out(players, places):
        values, labels = players.values, players.labels
        assert labels is not None
        total = np.isfinite(values).sum(axis=1) if players.own is None else np.array(list(map(len, players.own)))
    else:
        tiled = tiles(places.shape[1:], window)
        labels, total = np.broadcast_to(tiled, places.shape), np.full(len(places), int(tiled.max()) + 1)
        values = _means(np.abs(places) if absolute else places, tiled)
    return Cut(labels, np.abs(values) if absolute else values, total)


def _shares_out(players: Players, places: np.ndarray) -> bool:
    """Whether it is known which place belongs to which player: overlapping windows do not say."""
    return players.labels is not None and players.labels.shape == places.shape


def _means(values: np.ndarray, tiled: np.ndarray) -> np.ndarray:
    """values (n, *space) -> (n, parts) the mean value of each part's places."""
    labels, size = tiled.ravel(), np.bincount(tiled.ravel())
    if len(size) == labels.size:
        return values.reshape(len(values), -1)
    return np.stack([np.bincount(labels, row.ravel()) / size for row in values])


def tiles(space: tuple[int, ...], window: Size | None) -> np.ndarray:
    """(*space) the number of the window that each place is in; windows at the far edges may be smaller."""
    if window is None:
        return np.arange(int(np.prod(space))).reshape(space)
    size = sizes(window, space, "window")
    grid = np.meshgrid(*(np.arange(side) // w for side, w in zip(space, size, strict=True)), indexing="ij")
    return np.ravel_multi_index(tuple(grid), tuple(-(-side // w) for side, w in zip(space, size, strict=True)))


@dataclass(frozen=True, eq=False)
class Fills:
    """What a metric shows in place of what it hides: for each fill one painter per reference."""

    names: tuple[str, ...]
    painters: tuple[tuple[Painter, ...], ...]
    warnings: tuple[str, ...] = ()


def fills(fill: Any, usual: str, case: Case, labels: np.ndarray) -> Fills:
    """The fills of a field; None is the background's mean or zeros for tables, and `usual` for anything with space."""
    said: list[str] = []
    if fill in FILLS:
        raise MethodError(f"fill={fill!r} is for texts: give 'mean', 'blur' or a number.")
    if fill is None and case.x.ndim > 2:
        fill = usual
    elif fill is None and case.background is not None:
        fill = "mean"
    elif fill is None:
        fill = "zeros"
        said.append("hidden columns were set to zero, for want of background rows")
    each = apart(fill)
    painters = tuple(_painters(one, case, labels, said) for one in each)
    return Fills(tuple(one if isinstance(one, str) else repr(one) for one in each), painters, tuple(said))


def _painters(fill: Any, case: Case, labels: np.ndarray, said: list[str]) -> tuple[Painter, ...]:
    channels = case.channels
    if isinstance(fill, NoisyLinear):
        return (lambda x, gone, rows: fill.paint(x, gone, channels),)
    if fill in BY_PART:
        form = case.f.inputs.form
        rows = range(len(case.x))
        made = np.concatenate([filled(fill, case.x[[i]], case.background, form, labels[i]) for i in rows], axis=1)
    else:
        made = references(fill, case.x, case.background, channels=channels, schema=case.f.schema)
    same = (made == case.x).reshape(*made.shape[:2], -1).all(axis=2).all(axis=0)
    if same.any():
        said.append(f"the fill equals the data in {int(same.sum())} of {len(same)} rows, so hiding changes nothing")
    return tuple(Shows(reference, channels) for reference in made)


@dataclass(frozen=True, eq=False)
class Shows:
    """A painter of one reference, shown where a place is hidden."""

    reference: np.ndarray  # (n, *features)
    channels: int | None

    def __call__(self, x: np.ndarray, gone: np.ndarray, rows: np.ndarray) -> np.ndarray:
        wide = gone if self.channels is None else np.expand_dims(gone, self.channels + 1)
        return np.where(wide, self.reference[rows], x)
