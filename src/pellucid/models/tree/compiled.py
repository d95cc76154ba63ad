"""How every kernel is compiled: cached on disk, without the interpreter's lock, dividing as NumPy does.

No parallel=True (it hangs after a fork) and no fast-math (answers are the same to the bit on any number of threads). The cache
knows a kernel by the time stamp of its own file: after a change to what it calls from another file, delete `__pycache__`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.core import event

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """A compiled function."""
    how: Any = {
        "cache": True,
        "nogil": True,
        "error_model": "numpy",
        "no_cfunc_wrapper": True,
    }  # no kernel is a callback in C
    made: Any = njit(**how)(function)
    plain = made.compile

    def compile_(signature: Any) -> Any:
        with event.install_listener("numba:compile", _ANNOUNCER):
            return plain(signature)

    made.compile = compile_
    return cast(F, made)


def inlined(function: F) -> F:
    """A compiled function that disappears into those that call it."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy", inline="always")(function))


class _Announcer(event.Listener):
    """One line when compiling begins, which happens once a machine: to the log, and to a terminal."""

    said = False

    def on_start(self, event: Any) -> None:
        if not self.said:
            self.said = True
            line = "pellucid: compiling the tree kernels, once on this machine (some ten seconds)"
            logging.getLogger(__name__).info(line)
            if sys.stderr is not None and sys.stderr.isatty():
                print(line, file=sys.stderr, flush=True)

    def on_end(self, event: Any) -> None:
        pass


_ANNOUNCER = _Announcer()
