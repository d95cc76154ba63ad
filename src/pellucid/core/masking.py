"""Removal is one idea: how features are hidden, which number is watched, how it is summed up (Covert et al., JMLR 2021).

A `Masker` says what the players are and what absence looks like; bound to rows it becomes a `Bound`; a `Game` watches
the model's number while players come and go, `v(z): (m, p) coalitions -> (n, m)`, for all rows with the same coalitions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from pellucid.core.scalar import Scalar, cells_of, pieces
from pellucid.core.schema import Schema

_CELLS = 2**22  # numbers per block of filled inputs: 32 MB of float64


class Bound(Protocol):
    """A masker bound to n rows."""

    @property
    def names(self) -> tuple[str, ...]:
        """(p,) the players"""

    @property
    def draws(self) -> int:
        """references averaged per coalition"""

    @property
    def labels(self) -> np.ndarray | None:
        """(*space) the player of each place, -1 for none, where players do not overlap"""

    def fill(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) bool, True = present -> inputs (m, draws, n, *features)"""

    def lift(self, values: np.ndarray) -> np.ndarray:
        """values (n, p) -> (n, *features), each player's value divided over its cells"""


@runtime_checkable
class Covering(Protocol):
    """A `Bound` whose places show either x or a reference: it can be blended on the model's device."""

    @property
    def x(self) -> np.ndarray:
        """(n, *features)"""

    @property
    def drawn(self) -> np.ndarray:
        """(draws, n, *features) the references"""

    def shown(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) bool -> (m, *space) bool, True where x shows"""


def _all_of(text: str) -> tuple[int, int]:
    return 0, len(text)


@dataclass(frozen=True)
class TextForm:
    """What a model of texts tells of itself: its mask token, its tokenizer's pieces, the part of a text that it sees, and what
    is written where a hidden part is filled by name ("pad")."""

    mask: str | None = None
    pieces: Callable[[str], tuple[tuple[int, int], ...]] | None = None  # spans of characters
    seen: Callable[[str], tuple[int, int]] = _all_of  # from which character to which
    fills: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """What a masker may know of the inputs beyond their numbers."""

    channels: int | None = None
    schema: Schema | None = None
    names: tuple[str, ...] | None = None
    text: TextForm | None = None  # where the inputs are texts, x (n,)
    masker: Masker | None = None  # what hides parts of these inputs, where the caller does not say
    own: np.ndarray | None = None  # (n, t) the column of each cell, where x holds only those of a sparse row
    spots: np.ndarray | None = None  # (n, k, 2) characters of each text that the model is asked about

    def take(self, rows: slice | np.ndarray) -> Form:
        """What is known of some of the rows."""
        if self.own is None and self.spots is None:
            return self
        parts = {name: None if (known := getattr(self, name)) is None else known[rows] for name in ("own", "spots")}
        return replace(self, **parts)


class Masker(ABC):
    """A frozen value without data. `apart` where each row has players of its own (superpixels, words): it is bound row by row."""

    apart: ClassVar[bool] = False
    reads_sparse: ClassVar[bool] = False  # whether it knows rows that hold only their cells that are not zero

    @abstractmethod
    def bind(self, x: np.ndarray, background: np.ndarray | None, form: Form = Form()) -> Bound:
        """x (n, *features), background (b, *features)"""

    def of(self, rows: slice | np.ndarray) -> Masker:
        """This masker for some of the rows: itself, unless it was given something for each row."""
        return self


@dataclass(frozen=True, eq=False)
class Game:
    """A masked model over n rows; every explainer by removal only ever sees this."""

    f: Scalar
    bound: Bound
    rows: int

    @property
    def players(self) -> int:
        return len(self.bound.names)

    @property
    def model_rows(self) -> int:
        """Model rows that one coalition costs."""
        return self.bound.draws * self.rows

    @property
    def spent(self) -> bool:
        return self.f.meter.spent

    def affordable(self, coalitions: int) -> int:
        """How many of these coalitions the budget still pays for."""
        left = self.f.meter.rows_left() / self.model_rows
        return coalitions if left >= coalitions else int(left)

    def cut_short(self) -> None:
        """Note that the budget ends the sampling, though not all of it is spent: the next round is too dear."""
        self.f.meter.short = True

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """z (m, p) bool -> v (n, m)"""
        bound = self.bound
        if isinstance(bound, Covering) and len(bound.drawn) == 1 and bound.x.ndim > 2:
            return self._blend(bound, z)
        probe = bound.fill(z[:1])
        block = max(1, _CELLS // max(1, cells_of(probe)))
        values = [self._play(z[part]) for part in pieces(len(z), block)]
        return np.concatenate(values, axis=1) if values else np.empty((self.rows, 0))

    def _blend(self, bound: Covering, z: np.ndarray) -> np.ndarray:
        """Pictures with one reference are put together where the model is: only masks travel."""
        places = bound.shown(z[:1]).size
        parts = pieces(len(z), max(1, _CELLS // places))
        values = [self.f.blend(bound.x, bound.shown(z[part]), bound.drawn[0]) for part in parts]
        return np.concatenate(values, axis=1) if values else np.empty((self.rows, 0))

    def _play(self, z: np.ndarray) -> np.ndarray:
        return self.f(self.bound.fill(z)).mean(axis=1).T  # (m, draws, n) -> (n, m)
