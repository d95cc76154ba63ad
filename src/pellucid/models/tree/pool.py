"""Blocks of rows and parts of the trees on a pool of threads, added up in a fixed order.

Work is cut by the numbers of rows and trees alone, so an answer is the same to the bit on any number of threads, and
memory does not grow with the rows beyond the answer itself.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from pellucid.core.scalar import pieces

_PARTS = 16  # of the trees, whatever the number of threads
_CELLS = 2**17  # numbers of one task's answer
_SMALL = 2**21  # nodes times rows that are not worth a thread

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]  # rows (r, columns), trees (k,) -> (r, ...)


def threads() -> int:
    """How many threads to use: OMP_NUM_THREADS, or as many as this process may."""
    said = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if said.isdigit() and int(said) > 0:
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(
    kernel: Kernel, x: np.ndarray, chosen: np.ndarray, *, nodes: int, cells: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """The chosen trees (k,), of `nodes` nodes in all, on rows x, block by block: (rows, the sum over trees).

    `cells` is how many numbers a row's answer has.
    """
    if len(chosen) == 0:
        return
    blocks = pieces(len(x), max(16, min(1024, _CELLS // cells)))
    if nodes * len(x) < _SMALL:
        yield from ((rows, kernel(x[rows], chosen)) for rows in blocks)
        return
    parts = [chosen[part] for part in pieces(len(chosen), -(-len(chosen) // _PARTS))]
    workers = threads()
    with ThreadPoolExecutor(workers) as pool:
        ahead = -(-2 * workers // len(parts)) + 1
        waiting: deque[tuple[slice, list[Future[np.ndarray]]]] = deque()
        for rows in blocks:
            waiting.append((rows, [pool.submit(kernel, x[rows], part) for part in parts]))
            if len(waiting) > ahead:
                yield _summed(*waiting.popleft())
        while waiting:
            yield _summed(*waiting.popleft())


def _summed(rows: slice, found: list[Future[np.ndarray]]) -> tuple[slice, np.ndarray]:
    total = found[0].result()
    for more in found[1:]:
        total += more.result()
    return rows, total
