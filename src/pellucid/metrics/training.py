"""A model trained anew: on other labels, or on some of the rows. What training does with global randomness is repeatable."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from pellucid.core.errors import InputError, ModelError
from pellucid.core.inputs import take_rows


@dataclass(frozen=True, eq=False)
class Training:
    """What `train=(X, y)` and `retrain=` of `evaluate` are, checked; `model` is the one that is being judged."""

    X: Any
    y: Any
    retrain: Callable[[Any, Any], Any]
    model: Any
    rows: int

    @classmethod
    def of(cls, train: Any, retrain: Any, model: Any) -> Self:
        if not isinstance(train, tuple | list) or len(train) != 2:
            raise InputError(
                f"train is a {type(train).__name__}: give a pair (X, y) of training rows and their labels."
            )
        if not callable(retrain):
            raise InputError(f"retrain is a {type(retrain).__name__}: give a function (X, y) -> a new model.")
        X, y = train
        rows, labels = (np.shape(part)[0] if np.ndim(part) else 0 for part in (_sized(X), _sized(y)))
        if rows != labels or rows < 2:
            raise InputError(
                f"train holds {rows} rows of X and {labels} of y: give one label a row, and two rows or more."
            )
        return cls(X, y, retrain, model, rows)

    def on(self, rows: np.ndarray, seed: int) -> Any:
        """A model trained on these rows."""
        return self._trained(take_rows(self.X, rows), take_rows(self.y, rows), len(rows), seed)

    def relabelled(self, order: np.ndarray, seed: int) -> Any:
        """A model trained on all rows, row i with the label of row order[i]."""
        labels = take_rows(self.y, order)
        labels = (
            labels.set_axis(self.y.index) if hasattr(self.y, "set_axis") else labels
        )  # or pandas would align them back
        return self._trained(self.X, labels, self.rows, seed)

    def _trained(self, X: Any, y: Any, rows: int, seed: int) -> Any:
        try:
            with repeatable(seed):
                made = self.retrain(X, y)
        except Exception as error:
            raise ModelError(f"retrain raised {type(error).__name__} on {rows} rows: {error}") from error
        if made is None or made is self.model:
            what = "nothing" if made is None else "the model that is being judged"
            raise ModelError(
                f"retrain returned {what}: it has to return a new model, as in lambda X, y: clone(model).fit(X, y), or train a "
                "copy.deepcopy of a network."
            )
        return made


def _sized(data: Any) -> np.ndarray:
    """An array as long as the data, whatever they are."""
    length = data.shape[0] if hasattr(data, "shape") else len(data) if hasattr(data, "__len__") else 0
    return np.empty(length)


@contextlib.contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Global random states are seeded inside and restored outside."""
    state, python, torch = np.random.get_state(), random.getstate(), sys.modules.get("torch")
    try:
        np.random.seed(seed)
        random.seed(seed)
        with contextlib.nullcontext() if torch is None else _torch_repeatable(torch, seed):
            yield
    finally:
        np.random.set_state(state)
        random.setstate(python)


@contextlib.contextmanager
def _torch_repeatable(torch: Any, seed: int) -> Iterator[None]:
    """As `torch.manual_seed`, which would keep a note of every call for devices that are not there."""
    state, on_devices = torch.get_rng_state(), torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    try:
        torch.default_generator.manual_seed(seed)
        if on_devices is not None:
            torch.cuda.manual_seed_all(seed)
        yield
    finally:
        torch.set_rng_state(state)
        if on_devices is not None:
            torch.cuda.set_rng_state_all(on_devices)


def seed_of(*parts: int) -> int:
    """One number of several, for global random states."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
