"""Sums over rows from which the covariances of all pairs of layers follow: rows pass by once, and none is kept.

Layer x, with squared length a = |x|^2 as a last feature, meets layer y, with b = |y|^2: S = sum_r (x, a)_r (y, b)_r'. With means m
and w, the covariance is sum_r x_r y_r' - n m w', and because the centred Gram matrix has the diagonal
k_r = |x_r - m|^2 = (x, a)_r . e + |m|^2 with e = (-2 m, 1), so that

    sum_r k_r l_r = e' S f + |w|^2 sum_r e . (x, a)_r + |m|^2 sum_r f . (y, b)_r + n |m|^2 |w|^2

is read off the same sums. All is shifted by the means of the first block, which no covariance feels and rounding does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pellucid.methods.representation.base import Layers, Side, is_still


def bytes_of(layers: Layers) -> int:
    """What the sums over these layers take."""
    a, b = ([width + 1 for width in widths] for widths in layers.widths)
    own = 0 if layers.same else sum(p * p for p in (*a, *b))
    return 8 * (sum(a) * sum(b) + own)


@dataclass(eq=False)
class Centre:
    """Where one layer's n rows lie: the sums of (x, |x|^2), shifted by `shift (p,)`."""

    shift: np.ndarray
    total: np.ndarray  # (p + 1,)
    n: int = 0

    @property
    def mean(self) -> np.ndarray:
        return np.asarray(self.total[:-1] / self.n)

    @property
    def probe(self) -> np.ndarray:
        """e (p + 1,), so that a row's squared distance from the mean is e . (x, |x|^2) + `offset`"""
        return np.append(-2 * self.mean, 1.0)

    @property
    def offset(self) -> float:
        return float(self.mean @ self.mean)

    @property
    def trace(self) -> float:
        """The sum of squares about the mean: the trace of the centred Gram matrix"""
        return float(self.total[-1] - self.n * self.offset)

    @property
    def still(self) -> bool:
        """Whether the layer does not vary"""
        return bool(is_still(self.trace, self.total[-1] + self.n * (self.shift @ self.shift)))


@dataclass(eq=False)
class Moments:
    """`cross (P, Q)` between all features of the two sides, `own` the (p + 1, p + 1) within each layer, and where they lie."""

    cross: np.ndarray
    centres: tuple[list[Centre], list[Centre]]
    own: tuple[Side, Side]

    def pairs(self, i: int, j: int) -> np.ndarray:
        """(p + 1, q + 1) the sums between layer i of the one side and layer j of the other"""
        return self.cross[self._places[0][i], self._places[1][j]]

    @cached_property
    def _places(self) -> list[list[slice]]:
        return [_side_by_side([len(centre.total) for centre in side]) for side in self.centres]

    def between(self, read: Callable[[np.ndarray, Centre, Centre], float]) -> np.ndarray:
        """(a, b) a number of every pair of layers"""
        a, b = self.centres
        return np.array([[read(self.pairs(i, j), x, y) for j, y in enumerate(b)] for i, x in enumerate(a)])

    def within(self, side: int, read: Callable[[np.ndarray, Centre, Centre], float]) -> np.ndarray:
        """(k,) the same number of every layer with itself"""
        return np.array([read(S, x, x) for S, x in zip(self.own[side], self.centres[side], strict=True)])


def covariance(S: np.ndarray, x: Centre, y: Centre) -> np.ndarray:
    """-> (p, q) sums of products about the means"""
    return np.asarray(S[:-1, :-1] - x.n * np.outer(x.mean, y.mean))


def diagonals(S: np.ndarray, x: Centre, y: Centre) -> float:
    """-> sum_r k_r l_r over the diagonals of the centred Gram matrices"""
    e, f = x.probe, y.probe
    return float(e @ S @ f + y.offset * (e @ x.total) + x.offset * (f @ y.total) + x.n * x.offset * y.offset)


def gather(layers: Layers) -> Moments:
    """All rows, seen once."""
    found: Moments | None = None
    for a, b in layers.blocks():
        found = _empty(a, b) if found is None else found
        first = _extended(a, found.centres[0])
        whole = np.concatenate(first, axis=1)  # (b, P)
        if b is a:
            found.cross += whole.T @ whole
        else:
            second = _extended(b, found.centres[1])
            found.cross += whole.T @ np.concatenate(second, axis=1)
            for own, parts in zip(found.own, (first, second), strict=True):
                for sums, part in zip(own, parts, strict=True):
                    sums += part.T @ part
    assert found is not None
    return found


def _side_by_side(lengths: list[int]) -> list[slice]:
    ends = np.cumsum(lengths).tolist()
    return [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]


def _empty(a: Side, b: Side) -> Moments:
    first = [Centre(x.mean(axis=0), np.zeros(x.shape[1] + 1)) for x in a]
    second = first if b is a else [Centre(x.mean(axis=0), np.zeros(x.shape[1] + 1)) for x in b]
    wide = [sum(len(centre.total) for centre in side) for side in (first, second)]
    made = Moments(np.zeros(wide), (first, second), ([], []))
    if b is a:  # what is within a layer lies on the diagonal of what is between them
        diagonal = [made.pairs(i, i) for i in range(len(a))]
        made.own = (diagonal, diagonal)
    else:
        made.own = tuple([np.zeros((len(c.total),) * 2) for c in side] for side in made.centres)  # type: ignore[assignment]
    return made


def _extended(side: Side, centres: list[Centre]) -> Side:
    """(b, p) -> (b, p + 1) shifted, with the squared length as a last feature; counted in `centres`"""
    made = []
    for x, centre in zip(side, centres, strict=True):
        moved = x - centre.shift
        made.append(np.column_stack([moved, np.einsum("bp,bp->b", moved, moved)]))
        centre.total += made[-1].sum(axis=0)
        centre.n += len(x)
    return made
