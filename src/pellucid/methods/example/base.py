"""What a method that picks prototypes is: a kernel on the rows in, rows and their weights out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid.core.errors import InputError, MethodError
from pellucid.core.method import Method
from pellucid.methods.example.kernels import Bound, Kernel

Progress = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Found:
    """Prototypes `indices (m,)` with `weights (m,)`; `curve (m,)` the squared discrepancy of the first 1, 2, ... m."""

    indices: np.ndarray
    weights: np.ndarray
    curve: np.ndarray
    witness: np.ndarray  # (n,)
    criticisms: np.ndarray | None = None  # (c,)
    warnings: tuple[str, ...] = ()


class PrototypeMethod(Method):
    """Has fields `prototypes`, how many, and `kernel`, how alike rows are; with `per_class` only rows of one class are alike."""

    prototypes: int
    kernel: Kernel
    per_class: bool

    @abstractmethod
    def find(self, kernel: Bound, progress: Progress | None = None) -> Found:
        """kernel on n rows -> the rows that stand for them"""


def check_fields(method: PrototypeMethod, **counts: tuple[int, int]) -> None:
    """Refuse what is no kernel, and counts `{name: (value, least)}` that are no whole numbers, when the method is made."""
    name = type(method).__name__
    if not isinstance(method.kernel, Kernel):
        raise MethodError(f"{name}(kernel={method.kernel!r}): expected RBF(gamma=...) or Precomputed().")
    for field, (value, least) in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise MethodError(f"{name}({field}={value!r}): expected a whole number from {least} on.")


def check_room(method: PrototypeMethod, n: int, criticisms: int = 0) -> None:
    """Refuse to pick more rows than there are."""
    if method.prototypes + criticisms > n:
        also = f" and {criticisms} criticisms" if criticisms else ""
        raise InputError(
            f"{method.prototypes} prototypes{also} cannot be picked from {n} rows: ask for fewer, or give more rows."
        )
