"""How every kernel is compiled: cached on disk, without the interpreter's lock, dividing as NumPy does.

No parallel=True (it hangs after a fork) and no fast-math (answers are the same to the bit on any number of threads). The cache
knows a kernel by the time stamp of its own file: after a change to what it calls from another file, delete `__pycache__`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """A compiled function."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """A compiled function that disappears into those that call it."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy", inline="always")(function))
