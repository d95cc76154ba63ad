"""An explanation before the judge: the record, the function that it explains, and the ways to explain anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array
from pellucid.core.maskers import space_of
from pellucid.core.method import Method
from pellucid.core.records import Attribution
from pellucid.metrics.memo import Memo
from pellucid.models.adapter import BlackBox

Explain = Callable[[Any, Any, Method], Attribution]  # (model, x, method)
Again = Callable[[Any, Any], Attribution]  # (model, x)
_CELLS = 2**20  # numbers of input that are explained at once when rows are explained in several versions
FLAT = 1e-6  # a map whose values differ by less than this share of the largest is constant: single precision


@runtime_checkable
class Repeat(Protocol):
    """A way to explain anew that knows its method, so that it can explain some of the rows, several times over, or reseeded."""

    @property
    def method(self) -> Method: ...

    def __call__(self, model: Any, x: Any) -> Attribution: ...

    def of(self, rows: np.ndarray) -> Again:
        """The same for a selection of the rows, which may repeat."""

    def seeded(self, seed: int) -> Again | None:
        """The same with another seed; None for a method that draws nothing."""

    def elsewhere(self) -> Again:
        """The same for rows that are not the record's: a target that names a class per row becomes the predicted class."""


@dataclass(frozen=True, eq=False)
class Case:
    """An explanation before the judge: n rows, all of them done and finite."""

    record: Attribution
    f: BlackBox  # counts on this metric's own meter
    scores: np.ndarray  # (n,) the model's numbers on the data
    model: Any
    explain: Explain
    again: Again | None = None
    truth: Any = None
    train: Any = None
    retrain: Callable[[Any, Any], Any] | None = None
    memo: Memo | None = None  # of this metric, where other explanations of the same rows are judged beside this one

    @property
    def x(self) -> np.ndarray:
        """(n, *features) the data, encoded."""
        return self.f.inputs.x

    @property
    def background(self) -> np.ndarray | None:
        """(b, *features)"""
        return self.f.inputs.background

    @property
    def channels(self) -> int | None:
        """The axis of x that holds channels: the model's word, else the record's."""
        if self.f.channels is not None:
            return self.f.channels
        return {"channels-first": 1, "channels-last": self.x.ndim - 1}.get(self.record.layout)

    @cached_property
    def places(self) -> np.ndarray:
        """(n, *space) one signed value per place, channels summed; of texts (n, t)."""
        return self.on_places(self.record.values)

    def on_places(self, values: np.ndarray) -> np.ndarray:
        """values in the shape of the record's -> (n, *space), channels summed"""
        return values if self.record.texts is not None else places(values, self.x, self.channels)

    @cached_property
    def degenerate(self) -> np.ndarray:
        """(n,) True where all places have the same value, so that their ranking says nothing."""
        if self.record.texts is not None and self.record.mask is not None:
            parts = (row[there] for row, there in zip(self.record.values, self.record.mask, strict=True))
            return np.array([not part.size or np.ptp(part) <= FLAT * np.abs(part).max() for part in parts])
        flat, cells = (a.reshape(len(a), -1) for a in (self.places, self.record.values))
        return np.asarray(np.ptp(flat, axis=1) <= FLAT * np.abs(cells).max(axis=1))

    def given(self, x: np.ndarray) -> Any:
        """Encoded rows as the user's own kind of data."""
        codec = self.f.inputs.codec
        return x if codec is None else codec.decode(x)

    def encoded(self, rows: Any) -> np.ndarray:
        """The user's own kind of data as encoded rows (m, *features)."""
        codec = self.f.inputs.codec
        made = plain_array(rows) if codec is None else codec.encode(rows)
        if made.shape[1:] != self.x.shape[1:]:
            raise InputError(f"train= has rows of shape {made.shape[1:]}, the record's are {self.x.shape[1:]}.")
        return made

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """x (m, *features) -> all that the model says of it (m, ...), counted"""
        if self.f.inputs.extra:
            raise InputError("this model takes extra= inputs, which other rows than the record's do not have.")
        return self.f.adapter.outputs(x, self.f.scale, {}, self.f.meter, self.f.inputs.batch_size)

    def elsewhere(self, x: np.ndarray) -> np.ndarray:
        """The same explanation of other rows (m, *features): values (m, ...), counted"""
        assert self.again is not None
        again = self.again.elsewhere() if isinstance(self.again, Repeat) else self.again
        made = again(self.model, self.given(x))
        self.count(made, "again")
        return np.asarray(made.values)

    def explained(self, x: np.ndarray, model: Any = None) -> np.ndarray:
        """The same explanation of other inputs (n, *features), or of another model: values as the record's, counted."""
        assert self.again is not None
        return self.counted(self.again(self.model if model is None else model, self.given(x))).values

    def versions(self, xs: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """xs, each (n, *features) -> each with its explanation; as many in one go as fit, where the way to explain anew can"""
        left = iter(xs)
        together = max(1, _CELLS // self.x.size) if isinstance(self.again, Repeat) else 1
        while part := list(islice(left, together)):
            yield from zip(part, self._together(part) if len(part) > 1 else [self.explained(part[0])], strict=True)

    def _together(self, xs: list[np.ndarray]) -> np.ndarray:
        """k versions of the rows (n, *features) -> (k, n, ...), explained as k n rows"""
        assert isinstance(self.again, Repeat)
        many = self.again.of(np.tile(np.arange(len(self.x)), len(xs)))
        made = self.counted(many(self.model, self.given(np.concatenate(xs))), times=len(xs))
        return made.values.reshape(len(xs), *self.record.values.shape)

    def by(self, method: Method) -> Attribution:
        """Another method's explanation of the same rows and target, counted."""
        made = self.explain(self.model, self.given(self.x), method)
        self.count(made, repr(method))
        return made

    def counted(self, made: Any, times: int = 1) -> Attribution:
        """What `again` returned, if it is a repetition of the record (of each row so many times), on this metric's meter."""
        self.count(made, "again")
        expected = (times * len(self.x), *self.record.values.shape[1:])
        if made.values.shape != expected:
            raise InputError(
                f"again returned values of shape {made.values.shape} where the record's are {expected}: "
                "it has to repeat the explanation that is evaluated."
            )
        repeated: Attribution = made
        return repeated

    def count(self, made: Any, who: str) -> None:
        """Refuse what is no finite explanation, and count what it cost."""
        if not isinstance(made, Attribution):
            raise InputError(
                f"{who} returned a {type(made).__name__}: expected an Attribution (Attribution.from_arrays makes one of arrays)."
            )
        if not np.isfinite(made.values).all():
            raise InputError(f"{who} returned values that are NaN or infinite: a metric needs finite maps.")
        self.f.meter.absorb(made.receipt)


def places(values: np.ndarray, x: np.ndarray, channels: int | None) -> np.ndarray:
    """values (n, *features) or (n, *space) -> (n, *space): channels summed, because a place is hidden with all of them."""
    if values.shape == x.shape:
        return values if channels is None else values.sum(axis=channels)
    space = space_of(x, channels)
    if values.shape != (len(x), *space):
        raise InputError(
            f"values of shape {values.shape} fit neither data of shape {x.shape} nor its places {(len(x), *space)}."
        )
    return values
