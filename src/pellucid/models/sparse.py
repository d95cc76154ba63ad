"""Sparse matrices stay sparse: a row is its cells that are not zero, and only those can be a part of the reason.

x (n, p) of scipy.sparse, most of it zero (counts of words, user by item), becomes slots (n, t), t the largest number of
such cells in a row: their values, and beside them which column each one is. Methods see the slots, `Nonzero` makes them
players, and each batch of the model is put together as a sparse matrix again. Nothing of size n x p is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy import sparse

from pellucid.core.errors import InputError
from pellucid.core.maskers import Nonzero
from pellucid.core.masking import Form
from pellucid.core.target import Target
from pellucid.models.adapter import Adapter, Extra

_PLACES = "columns of the slots"  # the key beside the user's own extra inputs


class SparseAdapter(Adapter):
    """A model of sparse rows of `width` columns, asked about their slots."""

    def __init__(self, inner: Adapter, width: int, kind: type) -> None:
        if inner.kind == "torch":
            raise InputError("a torch network takes dense arrays: give x.toarray(), or wrap the network in a function.")
        self.inner, self.width, self.matrix = inner, width, kind
        self.kind, self.packages, self.classes, self.scales = inner.kind, inner.packages, inner.classes, inner.scales

    def channels(self, x: np.ndarray) -> None:
        return None

    def default_target(self, outputs: np.ndarray) -> Target:
        return self.inner.default_target(outputs)

    def scale_of(self, target: Target) -> str:
        return self.inner.scale_of(target)

    def forward(self, x: np.ndarray, scale: str, extra: Extra) -> Any:
        """x (b, t) -> outputs on the sparse matrix (b, width)"""
        others = {name: value for name, value in extra.items() if name != _PLACES}
        columns = extra[_PLACES]
        kept = (columns >= 0) & (x != 0)
        ends = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        rows = self.matrix((x[kept], columns[kept], ends), shape=(len(x), self.width))
        return self.inner.forward(rows, scale, others)

    @contextmanager
    def session(self) -> Iterator[None]:
        with self.inner.session():
            yield


def slots(x: Any, names: Sequence[str] | None) -> tuple[np.ndarray, Extra, Form]:
    """x (n, p) sparse -> values (n, t), filled up with 0; the column of each slot (n, t), -1 for none; and their names."""
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"x has shape {x.shape}: give a sparse matrix with at least one row and one column.")
    if names is not None and len(names) != x.shape[1]:
        raise InputError(f"{len(names)} names for {x.shape[1]} features.")
    tidy = sparse.csr_array(x, copy=True)
    tidy.sum_duplicates()
    tidy.eliminate_zeros()
    if tidy.dtype.kind not in "fiub":
        raise InputError(f"a sparse matrix of dtype {tidy.dtype} is not numbers.")
    if tidy.dtype.kind == "f" and not np.isfinite(tidy.data).all():
        raise InputError("x holds NaN or infinity: a sparse matrix has numbers, or zeros that it leaves out.")
    count = np.diff(tidy.indptr)
    full = np.arange(max(1, int(count.max()))) < count[:, None]  # (n, t)
    values, columns = np.zeros(full.shape, tidy.dtype), np.full(full.shape, -1)
    values[full], columns[full] = tidy.data, tidy.indices
    words = np.full(full.shape, "", dtype=object)
    words[full] = [f"x{j}" if names is None else str(names[j]) for j in tidy.indices.tolist()]
    return values, {_PLACES: columns}, Form(masker=Nonzero(), own=words)


def matrix_kind(x: Any) -> type:
    """The class that the model is fed, arrays for arrays and matrices for matrices, always by rows."""
    return sparse.csr_array if isinstance(x, sparse.sparray) else sparse.csr_matrix
