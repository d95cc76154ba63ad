"""Soft masks told by few numbers: 0 or 1 on a coarse grid of nodes, linear in between, grown where the model is.

Petsiuk, Das & Saenko, "RISE" (BMVC 2018), section 3.2: a coarse random grid is enlarged bilinearly and shifted by a random
part of a cell, because masks drawn place by place are noise that a network hardly notices, and a fixed grid would be seen
in the map. Here nodes lie `cell` places apart and the grid reaches far enough for every shift, so that every place is shown
with the same probability, also at the edges (the authors enlarge h x w nodes to (h + 1) x (w + 1) cells and crop).

    mask[y] = (1 - t) node[i] + t node[i + 1]    with  i + t = (y + shift) / cell,    along each axis

Everything here is plain arithmetic, so the same code grows masks in NumPy and on a torch device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np


@dataclass(frozen=True, eq=False)
class SoftMasks:
    """m masks: `nodes` (m, *grid) in {0, 1}; `spread` one (m, side, grid side) for each axis, none where nodes are places."""

    nodes: Any
    spread: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitem__(self, part: slice | np.ndarray) -> SoftMasks:
        return SoftMasks(self.nodes[part], tuple(weights[part] for weights in self.spread))

    def on(self, place: Callable[[np.ndarray], Any]) -> SoftMasks:
        """The same masks where `place` puts arrays."""
        return SoftMasks(place(self.nodes), tuple(map(place, self.spread)))

    def grown(self) -> Any:
        """(m, *space) in [0, 1]"""
        m, made = len(self), self.nodes
        for axis, weights in enumerate(self.spread):
            shape = made.shape
            if axis == len(self.spread) - 1:
                return (made.reshape(m, -1, shape[-1]) @ weights.swapaxes(1, 2)).reshape(*shape[:-1], -1)
            before, after = int(np.prod(shape[1 : axis + 1])), int(np.prod(shape[axis + 2 :]))
            made = weights[:, None] @ made.reshape(m, before, shape[axis + 1], after)
            made = made.reshape(*shape[: axis + 1], -1, *shape[axis + 2 :])
        return made


@dataclass(frozen=True, eq=False)
class MaskLaw:
    """How masks are drawn over a space: nodes `cell` places apart along each axis, shown with probability p."""

    space: tuple[int, ...]
    cell: tuple[int, ...]
    p: float

    @classmethod
    def of(cls, space: tuple[int, ...], cells: tuple[int, ...], p: float) -> Self:
        """About `cells` along each side; a side with fewer places has one node a place."""
        return cls(space, tuple(-(-side // count) for side, count in zip(space, cells, strict=True)), p)

    @property
    def grid(self) -> tuple[int, ...]:
        """Nodes along each axis."""
        sides = zip(self.space, self.cell, strict=True)
        return tuple(side if cell == 1 else (side + cell - 2) // cell + 2 for side, cell in sides)

    @property
    def numbers(self) -> int:
        """Random numbers that one mask takes."""
        return int(np.prod(self.grid)) + len(self.grid)

    def masks(self, u: np.ndarray, dtype: Any = float) -> SoftMasks:
        """u (m, numbers) uniform on [0, 1) -> m masks; m masks take the same numbers however they are split into calls."""
        d = len(self.grid)
        nodes = (u[:, d:] < self.p).reshape(len(u), *self.grid).astype(dtype)
        if max(self.cell) == 1:
            return SoftMasks(nodes)
        shift = (u[:, :d] * self.cell).astype(int)
        return SoftMasks(nodes, tuple(self._spread(axis, dtype)[shift[:, axis]] for axis in range(d)))

    def _spread(self, axis: int, dtype: Any) -> np.ndarray:
        """(cell, side, grid side) what each node adds to each place, for every shift."""
        cell, side, nodes = self.cell[axis], self.space[axis], self.grid[axis]
        at = (np.arange(side) + np.arange(cell)[:, None]) / cell  # (cell, side)
        return np.maximum(0, 1 - np.abs(at[..., None] - np.arange(nodes))).astype(dtype)


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over masks m_k (P places) and scores v_k (n rows), less a number a row that keeps them small."""

    count: int
    v: Any  # (n,)
    m: Any  # (P,)
    vm: Any  # (n, P)
    mm: Any  # (P,) of m^2
    vmm: Any  # (n, P) of v m^2
    vvmm: Any  # (n, P) of v^2 m^2

    @classmethod
    def of(cls, masks: Any, v: np.ndarray, place: Callable[[np.ndarray], Any]) -> Self:
        """masks (m, *space), which are used up; v (n, m), brought to them by `place`: two passes over the masks"""
        flat, ones, n = masks.reshape(len(masks), -1), np.ones((1, v.shape[1])), len(v)
        once = place(np.concatenate([ones, v])) @ flat
        flat *= flat
        twice = place(np.concatenate([ones, v, v * v])) @ flat
        return cls(len(flat), v.sum(1), once[0], once[1:], twice[0], twice[1 : n + 1], twice[n + 1 :])

    def __add__(self, other: Moments) -> Moments:
        return Moments(*(a + b for a, b in zip(self._parts(), other._parts(), strict=True)))

    def on(self, place: Callable[[Any], Any]) -> Moments:
        """The same sums where `place` puts arrays."""
        count, *sums = self._parts()
        return Moments(count, *map(place, sums))

    def _parts(self) -> tuple[Any, ...]:
        return self.count, self.v, self.m, self.vm, self.mm, self.vmm, self.vvmm
