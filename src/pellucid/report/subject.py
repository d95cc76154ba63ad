"""What is audited: a model, the user's rows, what the model says of them, and what is true.

Everything the rest of the audit asks of a model goes through here, so that rows are counted once and a class has one name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import narwhals as nw
import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError
from pellucid.core.frames import is_frame
from pellucid.core.inputs import plain_array
from pellucid.core.maskers import space_of
from pellucid.methods.difficulty.base import check_classes
from pellucid.models.prepare import Prepared, prepare

Task = Literal["classification", "regression"]
Shape = Literal["table", "signal", "picture", "volume"]

MOST_ROWS = 2000  # rows that are looked at; of more, evenly spread ones


@dataclass(frozen=True, eq=False)
class Subject:
    """`numbers (n,)` are the rows' places in the user's X; `outputs (n, k)`; `truth (n,)` columns of classes, or values."""

    model: Any
    X: Any
    ready: Prepared
    outputs: np.ndarray
    task: Task
    classes: tuple[str, ...]
    truth: np.ndarray | None
    labels: np.ndarray | None  # (n,) the true answers as the user gave them
    numbers: np.ndarray
    given: int  # rows that the user gave
    columns: int  # of the model's own output
    threshold: float | None  # of a classifier's single number
    meter: Meter = field(repr=False)

    def __len__(self) -> int:
        return len(self.outputs)

    @property
    def x(self) -> np.ndarray:
        """(n, *features) the rows, encoded."""
        return self.ready.inputs.x

    @property
    def kind(self) -> str:
        return self.ready.adapter.kind

    @property
    def scale(self) -> str:
        return self.ready.adapter.scales[0]

    @property
    def channels(self) -> int | None:
        return self.ready.inputs.form.channels

    @property
    def space(self) -> tuple[int, ...]:
        """The shape of a row without its channels."""
        return space_of(self.x, self.channels)

    @property
    def wide(self) -> tuple[int, ...]:
        """The axes of x that have space, without those of length 1."""
        skipped = None if self.channels is None else self.channels % self.x.ndim
        return tuple(axis for axis in range(1, self.x.ndim) if axis != skipped and self.x.shape[axis] > 1)

    @property
    def shape(self) -> Shape:
        if self.x.ndim == 2:
            return "table"
        return {0: "signal", 1: "signal", 2: "picture"}.get(len(self.wide), "volume")  # type: ignore[return-value]

    @property
    def predicted(self) -> np.ndarray:
        """(n,) the column of the predicted class, or the predicted value."""
        return self.outputs.argmax(axis=1) if self.task == "classification" else self.outputs[:, 0]

    @property
    def wrong(self) -> np.ndarray:
        """(n,) True where a class is predicted and another one is true."""
        if self.truth is None or self.task == "regression":
            return np.zeros(len(self), bool)
        return np.asarray(self.predicted != self.truth)

    def ask(self, x: np.ndarray) -> np.ndarray:
        """x (b, *features), encoded -> outputs (b, k)"""
        adapter = self.ready.adapter
        with adapter.session():
            return sides(adapter.outputs(x, self.scale, {}, self.meter, None), self.threshold)

    def take(self, rows: Sequence[int] | np.ndarray) -> Any:
        """Some of the rows as the user gave them."""
        return take(self.X, rows)

    def called(self, column: int) -> str:
        """A class by its name."""
        return self.classes[column]


def subject(model: Any, X: Any, y: Any, classes: Sequence[Any] | None, names: Sequence[str] | None) -> Subject:
    """Ask the model once about (at most 2,000 of) the rows, and find out what kind of question it answers."""
    X = X if is_frame(X) else plain_array(X)
    labels = None if y is None else _labels(y, len(X))
    numbers = np.linspace(0, len(X) - 1, min(len(X), MOST_ROWS)).astype(int)
    rows = X if len(numbers) == len(X) else take(X, numbers)
    ready = prepare(model, rows, names=names)
    check_classes(ready.adapter)
    meter = Meter()
    with ready.adapter.session():
        raw = ready.adapter.outputs(ready.inputs.x, ready.adapter.scales[0], {}, meter, None)
    if raw.ndim != 2:
        raise InputError(
            f"the model's output has shape {raw.shape}: audit takes models that give (n,) or (n, k); wrap it in a function."
        )
    labels = None if labels is None else labels[numbers]
    task = _task(ready, raw, labels)
    threshold = _threshold(ready, raw) if task == "classification" and raw.shape[1] == 1 else None
    outputs = sides(raw, threshold)
    called = _classes(ready, outputs, labels, classes) if task == "classification" else ()
    truth = None if labels is None else _truth(labels, called, ready.adapter.classes, task)
    return Subject(
        model, rows, ready, outputs, task, called, truth, labels, numbers, len(X), raw.shape[1], threshold, meter
    )


def take(X: Any, rows: Sequence[int] | np.ndarray) -> Any:
    """Some rows of an array or a frame, as the same kind."""
    index = np.asarray(rows)
    if not is_frame(X):
        return X[index]
    return nw.from_native(X, eager_only=True)[index.tolist()].to_native()


def sides(outputs: np.ndarray, threshold: float | None) -> np.ndarray:
    """outputs (n, k); a classifier's single number (n, 1) becomes a column for each side of its threshold (n, 2)."""
    return outputs if threshold is None else np.hstack([threshold - outputs, outputs - threshold])


def _threshold(ready: Prepared, outputs: np.ndarray) -> float:
    """A half for functions that give probabilities, zero for scores."""
    return 0.5 if ready.adapter.kind == "callable" and outputs.min() >= 0 and outputs.max() <= 1 else 0.0


def lead(outputs: np.ndarray, column: int | np.ndarray) -> np.ndarray:
    """outputs (b, k), column: one or (b,) -> (b,) how far a class is ahead of the best other class."""
    here = np.arange(len(outputs))
    others = outputs.copy()
    others[here, column] = -np.inf
    return np.asarray(outputs[here, column] - others.max(axis=1))


def _labels(y: Any, n: int) -> np.ndarray:
    labels = y.to_numpy() if hasattr(y, "to_numpy") else y
    labels = np.asarray(labels.detach().cpu() if hasattr(labels, "detach") else labels).reshape(-1)
    if len(labels) != n:
        raise InputError(f"y has {len(labels)} entries, X has {n} rows: give one true answer a row.")
    return labels


def _task(ready: Prepared, outputs: np.ndarray, labels: np.ndarray | None) -> Task:
    if ready.adapter.classes is not None or outputs.shape[1] > 1:
        return "classification"
    two = labels is not None and len(set(labels.tolist())) == 2
    return "classification" if two and ready.adapter.kind != "estimator" else "regression"


def _classes(
    ready: Prepared, outputs: np.ndarray, labels: np.ndarray | None, given: Sequence[Any] | None
) -> tuple[str, ...]:
    """A name for every column."""
    k = outputs.shape[1]
    if given is not None:
        if len(given) != k:
            raise InputError(f"classes= has {len(given)} names for a model with {k} classes.")
        return tuple(map(str, given))
    if ready.adapter.classes is not None:
        return tuple(map(str, ready.adapter.classes))
    known = [] if labels is None else sorted(set(labels.tolist()), key=str)
    text = any(isinstance(label, str) for label in known)
    return tuple(map(str, known)) if text and len(known) == k else tuple(map(str, range(k)))


def _truth(labels: np.ndarray, classes: tuple[str, ...], fitted: Sequence[Any] | None, task: Task) -> np.ndarray:
    """(n,) labels -> columns of classes, or values."""
    if task == "regression":
        return np.asarray(labels, dtype=float)
    whole = labels.dtype.kind in "iub" or (labels.dtype.kind == "f" and np.all(labels == np.rint(labels)))
    if fitted is None and whole and labels.min() >= 0 and labels.max() < len(classes):
        return np.asarray(labels, dtype=int)
    named = list(classes if fitted is None else fitted)
    # by value first, so that 1 is True and 1.0 is 1; by text for labels that a file turned into text
    place = {str(name): column for column, name in enumerate(named)} | {
        name: column for column, name in enumerate(named)
    }
    found = [place.get(label, place.get(str(label))) for label in labels.tolist()]
    unknown = [label for label, column in zip(labels.tolist(), found, strict=True) if column is None]
    if unknown:
        raise InputError(
            f"y holds {unknown[0]!r}, which is none of the model's classes ({', '.join(classes[:20])}): "
            "give y as the model's classes or columns, or classes= with their names in the order of the columns."
        )
    return np.array(found)
