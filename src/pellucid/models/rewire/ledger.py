"""Who kept relevance: what biases and stabilisers absorb on the way back, summed for each row.

A layer's sums run over whatever axes it has, so the axis of the rows must be told from the others by its length: the first
axis of convolutions, any but the last (which holds features) elsewhere. Where two axes have that length, or rows are folded
into another axis, it cannot be told, and the rows have to be propagated one by one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pellucid.core.errors import PellucidError


class RowsUnclear(PellucidError):
    """Never leaves the library: no axis of a layer is plainly that of the rows."""


class Ledger:
    """Absorbed relevance (rows,)."""

    def __init__(self, rows: int) -> None:
        self.absorbed = torch.zeros(rows, dtype=torch.float64)

    def axis(self, shape: torch.Size, *, spatial: bool = False) -> int:
        """The axis of the rows; asked for in the forward pass, so that nothing is lost where it is unclear."""
        rows = len(self.absorbed)
        if rows == 1:
            return 0
        found = [axis for axis in range(1 if spatial else max(1, len(shape) - 1)) if shape[axis] == rows]
        if len(found) != 1 or (found[0] > 0 and shape[0] % rows == 0):
            raise RowsUnclear(f"{rows} rows in shape {tuple(shape)}")
        return found[0]

    def add(self, relevance: Tensor, axis: int, sign: int = 1) -> None:
        """relevance, rows along `axis`: what came to a layer, or with sign -1 what left it"""
        rows = len(self.absorbed)
        by_row = relevance.detach() if rows == 1 else relevance.detach().movedim(axis, 0)
        sums = by_row.reshape(rows, -1).sum(1, dtype=torch.promote_types(by_row.dtype, torch.float32))
        self.absorbed += sign * sums.double().cpu()
