"""Training examples as batches of tensors: a tuple of arrays with equal first axes, or a torch `Dataset`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from pellucid.core.errors import InputError
from pellucid.core.inputs import plain_array

Batch = tuple[Tensor, ...]
Read = Callable[[np.ndarray], Batch]


class Samples:
    """n examples; `take` hands some of them out on the model's device, floats in the model's dtype."""

    def __init__(self, given: Any, who: str, dtype: torch.dtype | None, device: torch.device) -> None:
        self._dtype, self._device = dtype, device
        self._read, self.n = _of_dataset(given) if isinstance(given, Dataset) else _of_arrays(given, who)
        if self.n == 0:
            raise InputError(f"{who} has no examples: give at least one.")

    def take(self, rows: np.ndarray) -> Batch:
        """rows (b,) -> one tensor (b, ...) for each part of an example"""
        return tuple(self._placed(part) for part in self._read(rows))

    def _placed(self, values: Tensor) -> Tensor:
        placed = values.to(self._device)
        return placed.to(self._dtype) if placed.is_floating_point() and self._dtype is not None else placed


def _of_dataset(given: Any) -> tuple[Read, int]:
    def read(rows: np.ndarray) -> Batch:
        made = default_collate([given[int(row)] for row in rows])
        return tuple(made) if isinstance(made, tuple | list) else (made,)

    return read, len(given)


def _of_arrays(given: Any, who: str) -> tuple[Read, int]:
    arrays = _checked(given, who)
    return lambda rows: tuple(torch.from_numpy(array[rows]) for array in arrays), len(arrays[0])


def _checked(given: Any, who: str) -> tuple[np.ndarray, ...]:
    made = tuple(plain_array(array) for array in (given if isinstance(given, tuple | list) else (given,)))
    if not made or any(part.ndim == 0 for part in made):
        raise InputError(
            f"{who} holds a single number or nothing: give arrays with examples first, as in (X, y), or a Dataset."
        )
    if len({len(part) for part in made}) > 1:
        shapes = ", ".join(str(part.shape) for part in made)
        raise InputError(f"the arrays of {who} have shapes {shapes}: their first axes, the examples, must be equal.")
    for i, part in enumerate(made):
        bad = ~np.isfinite(part.reshape(len(part), -1)).all(axis=1)
        if bad.any():
            raise InputError(
                f"array {i} of {who} holds NaN or infinite values in {int(bad.sum())} of {len(part)} examples (the first is "
                f"example {int(bad.argmax())}): leave them out or fill them in."
            )
    return made
