"""Which number of the model's output is explained, and on which scale.

A target is bound once to the model's outputs on x; what comes out, a `Pick`, turns any later outputs `(b, k)` and
the rows `(b,)` of x that they belong to into `(b,)` numbers. No method tiles targets by hand. Picks only index and
subtract, so NumPy arrays and torch tensors both work.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core.errors import TargetError

Label = int | str | tuple[int | str, ...]


@dataclass(frozen=True)
class Pick:
    """A target made definite for n rows: `columns (n,)`, less `minus (n,)` where the question is contrastive; the squared
    distance from `truth (n,)` where it is about an error."""

    target: Target
    columns: np.ndarray
    minus: np.ndarray | None = None
    truth: np.ndarray | None = None

    def __call__(self, outputs: Any, rows: np.ndarray) -> Any:
        """outputs (b, k), rows (b,) -> (b,)"""
        picked = _taken(outputs, self.columns, rows)
        if self.minus is not None:
            picked = picked - _taken(outputs, self.minus, rows)
        if self.truth is None:
            return picked
        truth = self.truth[rows]
        return (picked - (picked.new_tensor(truth) if hasattr(picked, "new_tensor") else truth)) ** 2

    def take(self, rows: slice | np.ndarray) -> Pick:
        minus = None if self.minus is None else self.minus[rows]
        truth = None if self.truth is None else self.truth[rows]
        return replace(self, columns=self.columns[rows], minus=minus, truth=truth)


def _taken(outputs: Any, columns: np.ndarray, rows: np.ndarray) -> Any:
    """outputs (b, k), columns (n,), rows (b,) -> (b,); a column that all rows have in common is a slice, which costs nothing"""
    if (columns == columns[:1]).all() and len(columns):
        return outputs[:, int(columns[0])]
    return outputs[np.arange(len(rows)), columns[rows]]


@dataclass(frozen=True)
class FunctionPick:
    """A user's own function of the outputs, `(b, ...) -> (b,)`."""

    target: Custom

    def __call__(self, outputs: Any, rows: np.ndarray) -> Any:
        picked = self.target.function(outputs)
        if tuple(picked.shape) != (len(rows),):
            raise TargetError(
                f"the target function returned shape {tuple(picked.shape)} for {len(rows)} rows; "
                f"it must return one number a row, shape ({len(rows)},)."
            )
        return picked

    def take(self, rows: slice | np.ndarray) -> FunctionPick:
        return self


class Target(ABC):
    """A frozen value; `scale` None means the model kind's default."""

    scale: str | None

    @abstractmethod
    def bind(self, outputs: np.ndarray) -> Pick | FunctionPick:
        """outputs (n, k) of the model on x -> Pick"""

    def named(self, classes: Sequence[Any] | None) -> Target:
        """This target with class names turned into columns."""
        return self

    def take(self, rows: np.ndarray) -> Target:
        """This target for a selection of the rows it was bound to."""
        return self

    def at(self, scale: str) -> Target:
        """This target on a definite scale."""
        return replace(self, scale=scale)  # type: ignore[type-var]


@dataclass(frozen=True)
class Class(Target):
    """One output column: an int is the column, a str a class name, a tuple gives one of them per row."""

    label: Label
    scale: str | None = None

    def named(self, classes: Sequence[Any] | None) -> Class:
        return replace(self, label=_columns(self.label, classes))

    def bind(self, outputs: np.ndarray) -> Pick:
        columns = _per_row(self.label, outputs)
        return Pick(replace(self, label=_compact(columns)), columns)

    def take(self, rows: np.ndarray) -> Class:
        return self if not isinstance(self.label, tuple) else replace(self, label=_select(self.label, rows))


@dataclass(frozen=True)
class Margin(Target):
    """Why a *rather than* b: the difference of two output columns."""

    a: Label
    b: Label
    scale: str | None = None

    def named(self, classes: Sequence[Any] | None) -> Margin:
        return replace(self, a=_columns(self.a, classes), b=_columns(self.b, classes))

    def bind(self, outputs: np.ndarray) -> Pick:
        columns, minus = _per_row(self.a, outputs), _per_row(self.b, outputs)
        if (columns == minus).any():
            raise TargetError(f"{self} contrasts a class with itself: give two different classes.")
        return Pick(replace(self, a=_compact(columns), b=_compact(minus)), columns, minus)

    def take(self, rows: np.ndarray) -> Margin:
        a = _select(self.a, rows) if isinstance(self.a, tuple) else self.a
        b = _select(self.b, rows) if isinstance(self.b, tuple) else self.b
        return replace(self, a=a, b=b)


@dataclass(frozen=True)
class Predicted(Target):
    """Each row's predicted class, fixed at x: it does not change when x is perturbed."""

    scale: str | None = None

    def bind(self, outputs: np.ndarray) -> Pick:
        columns = outputs.argmax(axis=1)
        return Pick(Class(_compact(columns), self.scale), columns)


@dataclass(frozen=True)
class Output(Target):
    """One column of a regressor's output."""

    index: int = 0
    scale: str | None = None

    def bind(self, outputs: np.ndarray) -> Pick:
        columns = _per_row(self.index, outputs)
        return Pick(replace(self, index=int(columns[0])), columns)


@dataclass(frozen=True)
class Loss(Target):
    """How wrong is it? `y` holds each row's true label or value: log loss of a classifier, squared error of a regressor."""

    y: tuple[Any, ...]
    scale: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "y", tuple(np.atleast_1d(np.asarray(self.y)).tolist()))

    def named(self, classes: Sequence[Any] | None) -> Target:
        """For a classifier: the column of each row's true class on the scale "log loss"."""
        if classes is None:
            return self
        known = [one.item() if isinstance(one, np.generic) else one for one in classes]
        for label in self.y:
            if label not in known:
                raise TargetError(
                    f"Loss: {label!r} is none of the model's classes {', '.join(map(str, known[:20]))}: give true labels."
                )
        return Class(tuple(known.index(label) for label in self.y), "log loss")

    def bind(self, outputs: np.ndarray) -> Pick:
        n, k = outputs.shape
        if k != 1 or len(self.y) != n:
            raise TargetError(
                f"Loss: {len(self.y)} true values for {n} rows of {k} outputs: a squared error needs one value a row and a model "
                "with one output."
            )
        truth = _numbers(self.y)
        return Pick(self, np.zeros(n, np.int64), truth=truth)

    def take(self, rows: np.ndarray) -> Loss:
        return replace(self, y=tuple(self.y[i] for i in np.arange(len(self.y))[rows]))


@dataclass(frozen=True)
class Custom(Target):
    """Any function of the model's outputs, `(b, ...) -> (b,)`: detection, segmentation, several heads."""

    function: Callable[[Any], Any]
    scale: str | None = None

    def bind(self, outputs: np.ndarray) -> FunctionPick:
        return FunctionPick(self)

    def __repr__(self) -> str:
        # deliberately no spelling: a function cannot be read back from a file
        return f"Custom(<{getattr(self.function, '__name__', type(self.function).__name__)}>, scale={self.scale!r})"


def as_target(target: Any, default: Target) -> Target:
    """Coerce what a user may give: None, an int, a class name (True is one), an array `(n,)`, a callable or a target."""
    match target:
        case None:
            return default
        case Target():
            return target
        case bool():  # the name of a class: scikit-learn keeps truth values as they are
            return Class(str(target))
        case float():
            raise TargetError(f"target {target!r} is no class: give a column number, a class name or a target value.")
        case int() | np.integer():
            return Class(int(target))
        case str():
            return Class(target)
        case _ if callable(target):
            return Custom(target)
    labels = np.asarray(target)
    if labels.ndim == 0:
        return as_target(labels.item(), default)
    if labels.ndim != 1 or labels.dtype.kind not in "iubUSO":
        raise TargetError(
            f"a target of shape {labels.shape} and dtype {labels.dtype} is not one class a row: "
            "give a column number, a class name, an array (n,) of either, or a function of the outputs."
        )
    return Class(tuple(labels.astype(str).tolist() if labels.dtype.kind == "b" else labels.tolist()))


def _numbers(y: tuple[Any, ...]) -> np.ndarray:
    try:
        truth = np.array(y, dtype=float)
    except ValueError as error:
        raise TargetError(f"Loss: true values of a regressor are numbers, not {y[0]!r}.") from error
    if not np.isfinite(truth).all():
        raise TargetError("Loss: some true values are NaN or infinite: leave those rows out.")
    return truth


def _columns(label: Label, classes: Sequence[Any] | None) -> Label:
    if isinstance(label, tuple):
        return tuple(_column(one, classes) for one in label)
    return _column(label, classes)


def _column(label: int | str, classes: Sequence[Any] | None) -> int:
    if isinstance(label, int | np.integer):
        return int(label)
    names = [str(name) for name in classes] if classes is not None else []
    if label not in names:
        known = f"its classes are {', '.join(names[:20])}" if names else "it has no class names: give a column number"
        raise TargetError(f"the model has no class {label!r}; {known}.")
    return names.index(label)


def _per_row(label: Label, outputs: np.ndarray) -> np.ndarray:
    n, k = outputs.shape
    columns = np.asarray(label, dtype=np.int64)
    if columns.ndim and len(columns) != n:
        raise TargetError(f"{len(columns)} targets for {n} rows: give one, or one a row.")
    columns = np.broadcast_to(columns, (n,))
    if n and not (columns.min() >= 0 and columns.max() < k):
        wrong = int(columns[(columns < 0) | (columns >= k)][0])
        raise TargetError(f"target {wrong} is out of range: the model has {k} output columns, 0 to {k - 1}.")
    return columns


def _compact(columns: np.ndarray) -> int | tuple[int, ...]:
    """One int where all rows agree, else one a row."""
    return int(columns[0]) if len(set(columns.tolist())) == 1 else tuple(int(c) for c in columns)


def _select(labels: tuple[Any, ...], rows: np.ndarray) -> Label:
    return tuple(labels[i] for i in np.arange(len(labels))[rows])
