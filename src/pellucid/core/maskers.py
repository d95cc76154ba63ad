"""What a player is, and what its absence looks like."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from pellucid.core.baseline import BaselineLike, check_baseline, references
from pellucid.core.errors import InputError, MethodError
from pellucid.core.fills import check_fill, filled
from pellucid.core.masking import Bound, Form, Masker

Size = int | tuple[int, ...]


@dataclass(frozen=True)
class Columns(Masker):
    """Players are the columns of a table; an absent one takes its values from every background row (marginal)."""

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        if x.ndim != 2:
            _not_texts(self, x)
            raise MethodError(
                f"Columns() is for tables (n, p); x has shape {x.shape}: use Grid() for pictures and volumes."
            )
        drawn = references("background", x, background)
        return Cells(x, drawn, np.arange(x.shape[1]), column_names(x, form))


@dataclass(frozen=True)
class Baseline(Masker):
    """Players are columns (tables) or places (everything else); an absent one takes a fixed value."""

    value: BaselineLike = "zeros"

    def __post_init__(self) -> None:
        check_baseline(self.value)

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        _not_texts(self, x)
        drawn = references(self.value, x, background, channels=form.channels, schema=form.schema)
        space = space_of(x, form.channels)
        labels = np.arange(int(np.prod(space))).reshape(space)
        names = column_names(x, form) if x.ndim == 2 else _place_names(space)
        return Cells(x, drawn, labels, names, form.channels)


@dataclass(frozen=True)
class Nonzero(Masker):
    """Players are the columns that are not zero in a row, each row's own; an absent one is zero. For counts, and sparse rows."""

    apart: ClassVar[bool] = True
    reads_sparse: ClassVar[bool] = True

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        if x.ndim != 2 or (form.schema is not None and form.schema.coded.any()):
            raise MethodError("Nonzero() is for tables of numbers (n, p): use Columns() or Grid().")
        there = x[0] != 0
        labels = np.where(there, np.cumsum(there) - 1, -1)
        known = column_names(x, form) if form.own is None else form.own[0]
        return Cells(x, np.zeros_like(x)[None], labels, tuple(str(known[j]) for j in np.flatnonzero(there)))


@dataclass(frozen=True)
class Grid(Masker):
    """Players are windows over space (1-, 2- or 3-D), `stride` apart; None lays about 7 windows along each side.

    `fill` is any baseline, or, where windows share the places out, `"own-mean"` or `"inpaint"` (`fills.py`).
    """

    window: Size | None = None
    stride: Size | None = None
    fill: BaselineLike = None

    def __post_init__(self) -> None:
        check_fill(self.fill)
        for name in ("window", "stride"):
            size = getattr(self, name)
            if size is not None and min(np.atleast_1d(size)) < 1:
                raise MethodError(f"Grid({name}={size!r}): a size is at least 1 cell.")

    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        _not_texts(self, x)
        space = space_of(x, form.channels)
        window = sizes(self.window or tuple(max(1, round(side / 7)) for side in space), space, "window")
        stride = sizes(self.stride or window, space, "stride")
        if any(w > side for w, side in zip(window, space, strict=True)):
            raise InputError(f"a window of {window} does not fit an input of {space}: choose a smaller one.")
        corners = list(
            itertools.product(*(_starts(side, w, s) for side, w, s in zip(space, window, stride, strict=True)))
        )
        apart = stride == window and all(side % w == 0 for side, w in zip(space, window, strict=True))
        labels = _tiles(space, window) if apart else None
        drawn = filled(self.fill, x, background, form, labels)
        if labels is not None:
            return Cells(x, drawn, labels, _corner_names(corners), form.channels)
        spans = [tuple(slice(c, c + w) for c, w in zip(corner, window, strict=True)) for corner in corners]
        return Windows(x, drawn, spans, _corner_names(corners), form.channels)


@dataclass(frozen=True, eq=False)
class Cells:
    """Players that share out the places among them: `labels` holds the player of each place, -1 for one never hidden."""

    x: np.ndarray  # (n, *features)
    drawn: np.ndarray  # (draws, n, *features)
    labels: np.ndarray  # (*space)
    names: tuple[str, ...]
    channels: int | None = None

    @property
    def draws(self) -> int:
        return len(self.drawn)

    def shown(self, z: np.ndarray) -> np.ndarray:
        return np.pad(z, ((0, 0), (0, 1)), constant_values=True)[:, self.labels]  # label -1 is always shown

    def fill(self, z: np.ndarray) -> np.ndarray:
        return _mixed(self.shown(z), self.x, self.drawn, self.channels)

    def lift(self, values: np.ndarray) -> np.ndarray:
        places = np.bincount(self.labels[self.labels >= 0].ravel(), minlength=len(self.names))
        cells = places * (self.x[0].size // self.labels.size)
        share = np.pad(values / cells, ((0, 0), (0, 1)))[:, self.labels]  # (n, *space)
        return _over_channels(share, self.x, self.channels)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows that may overlap: a place is hidden when any absent window covers it."""

    x: np.ndarray
    drawn: np.ndarray
    spans: list[tuple[slice, ...]]
    names: tuple[str, ...]
    channels: int | None = None
    labels: np.ndarray | None = None

    @property
    def draws(self) -> int:
        return len(self.drawn)

    def shown(self, z: np.ndarray) -> np.ndarray:
        shown = np.ones((len(z), *space_of(self.x, self.channels)), dtype=bool)
        for coalition, player in np.argwhere(~z):
            shown[coalition][self.spans[player]] = False
        return shown

    def fill(self, z: np.ndarray) -> np.ndarray:
        return _mixed(self.shown(z), self.x, self.drawn, self.channels)

    def lift(self, values: np.ndarray) -> np.ndarray:
        """A place gets the mean *undivided* value of the windows that cover it: not additive, by design."""
        space = space_of(self.x, self.channels)
        total, cover = np.zeros((len(values), *space)), np.zeros(space)
        for player, span in enumerate(self.spans):
            total[(slice(None), *span)] += values[:, player].reshape(-1, *[1] * len(space))
            cover[span] += 1
        return _over_channels(total / np.maximum(cover, 1), self.x, self.channels)


def _not_texts(masker: Masker, x: np.ndarray) -> None:
    if x.ndim == 1:
        raise MethodError(f"{masker!r} hides numbers, and x holds texts: use Words(), Sentences() or Tokens().")


def default_masker(x: np.ndarray, form: Form = Form()) -> Masker:
    """What the inputs ask for themselves, else columns for a table and windows for anything with space."""
    return form.masker or (Columns() if x.ndim == 2 else Grid())


def space_of(x: np.ndarray, channels: int | None) -> tuple[int, ...]:
    """The shape of one input without its channels."""
    if channels is None:
        return x.shape[1:]
    skipped = channels % x.ndim
    return tuple(side for axis, side in enumerate(x.shape) if axis not in (0, skipped))


def sizes(size: Size, space: tuple[int, ...], what: str) -> tuple[int, ...]:
    """One size for all sides, or one for each."""
    made = (size,) * len(space) if isinstance(size, int | np.integer) else tuple(size)
    if len(made) != len(space):
        raise MethodError(f"{what}={size!r} has {len(made)} sizes for an input with {len(space)} sides, {space}.")
    return made


def _mixed(shown: np.ndarray, x: np.ndarray, drawn: np.ndarray, channels: int | None) -> np.ndarray:
    """x where shown, else its references, laid out row after row, as the model is fed: any other order would be copied again."""
    shown, drawn = np.ascontiguousarray(shown), np.ascontiguousarray(drawn)
    return np.where(_beside(shown, x, channels), x, drawn)


def _beside(shown: np.ndarray, x: np.ndarray, channels: int | None) -> np.ndarray:
    """(m, *space) -> (m, 1, 1, *features), ready to choose between x and the drawn references."""
    if channels is not None:
        shown = np.expand_dims(shown, channels)
    return shown[:, None, None]


def _over_channels(share: np.ndarray, x: np.ndarray, channels: int | None) -> np.ndarray:
    if channels is None:
        return share
    return np.broadcast_to(np.expand_dims(share, channels), (len(share), *x.shape[1:])).copy()


def _starts(side: int, window: int, stride: int) -> list[int]:
    """Window starts that cover the side; the last window is moved in, so that no window sticks out."""
    starts = list(range(0, side - window + 1, stride))
    return starts if starts[-1] + window == side else [*starts, side - window]


def _tiles(space: tuple[int, ...], window: tuple[int, ...]) -> np.ndarray:
    """(*space) the number of the tile that each place is in, in row-major order of tiles."""
    tiles = [side // w for side, w in zip(space, window, strict=True)]
    index = np.meshgrid(*(np.arange(side) // w for side, w in zip(space, window, strict=True)), indexing="ij")
    return np.ravel_multi_index(tuple(index), tuple(tiles))


def column_names(x: np.ndarray, form: Form) -> tuple[str, ...]:
    """The columns' names of rows x (n, p), or their numbers where they have none."""
    return form.names or tuple(f"x{j}" for j in range(x.shape[1]))


def _place_names(space: tuple[int, ...]) -> tuple[str, ...]:
    return _corner_names(list(itertools.product(*(range(side) for side in space))))


def _corner_names(corners: list[tuple[int, ...]]) -> tuple[str, ...]:
    return tuple("(" + ", ".join(map(str, corner)) + ")" for corner in corners)
