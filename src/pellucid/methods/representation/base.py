"""What compares representations: two sets of layers seen over the same inputs go in, a similarity for every pair comes out.

A layer is a matrix (n, p): inputs by features. All axes behind the first are features, so a convolution's output (n, c, h, w) is
flattened to (n, c h w), as in Kornblith et al. (2019); who wants to compare channels alone pools over space before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.method import Method
from pellucid.core.scalar import pieces

Side = list[np.ndarray]  # one matrix (b, p) per layer, in double precision
ROOM = 2**30  # bytes that sums or activations may take
_STILL = 1e-14  # of a layer's mean square: a variance this small is rounding


class Source(ABC):
    """Some layers over the same n inputs; `take` is the one way to see them."""

    names: tuple[str, ...]
    widths: tuple[int, ...]  # features of each
    n: int
    step: int  # inputs that are well taken at a time
    held: bool  # whether all inputs may be asked for at once
    notes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    @abstractmethod
    def take(self, rows: np.ndarray) -> Side:
        """rows (b,) -> what each layer makes of these inputs, (b, p)"""


class Layers:
    """Two sets of layers over the same inputs; the second may be the first once more."""

    def __init__(self, first: Source, second: Source) -> None:
        self.sources, self.same, self.n = (first, second), second is first, first.n
        self.names, self.widths = (first.names, second.names), (first.widths, second.widths)
        self.held, self.step = first.held and second.held, min(first.step, second.step)

    def whole(self) -> tuple[Side, Side]:
        """All inputs at once."""
        return next(self.blocks(self.n))

    def blocks(self, size: int | None = None, order: np.ndarray | None = None) -> Iterator[tuple[Side, Side]]:
        """All inputs once, `size` at a time (the last block may be smaller), in an order (n,) or as they come.

        Where both sets are one, both lists are the same object.
        """
        size, rows = min(size or self.step, self.n), np.arange(self.n) if order is None else order
        wide = sum(map(sum, self.widths[: 1 if self.same else 2]))
        if not self.held and 8 * size * wide > ROOM:
            raise InputError(
                f"{size:,} inputs of layers with {wide:,} features in all would be held at once: pool over space (pool=True), name "
                "fewer layers, give fewer inputs, or average over small batches, as in CKA(unbiased=True, batch=32)."
            )
        for part in pieces(self.n, size):
            first = self.sources[0].take(rows[part])
            yield first, first if self.same else self.sources[1].take(rows[part])


@dataclass(frozen=True, eq=False)
class Compared:
    """matrix, chance, stderr (a, b), NaN where a layer does not vary; which do not, (a,) and (b,); what a reader must know."""

    matrix: np.ndarray
    chance: np.ndarray
    still: tuple[np.ndarray, np.ndarray]
    stderr: np.ndarray | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class SimilarityMethod(Method):
    """Says how alike two representations are, whatever their features."""

    @abstractmethod
    def compare(self, layers: Layers) -> Compared:
        """-> (a, b) for every layer of the one set and every layer of the other"""


def is_still(variation: Any, size: Any) -> np.ndarray:
    """Sums of squares about the mean and about zero -> whether there is nothing but rounding in the first"""
    return np.asarray(variation <= _STILL * size)
