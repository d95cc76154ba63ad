"""What a local method sees of a model: one number per row, and its derivatives where there are any.

Shapes: `(*samples, n, *features) -> (*samples, n)`. The n rows are the rows that are explained, each with its own bound
target; leading axes are copies of them (steps of a path, noisy copies, masked versions). Chunking, device, dtype and
counting are the scalar's business; a method never sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, ModelError
from pellucid.core.schema import Schema
from pellucid.core.soft import Moments, SoftMasks


class Scalar(Protocol):
    """A black box: its number per row, what its columns are, and the meter it counts on."""

    meter: Meter

    @property
    def schema(self) -> Schema | None:
        """What the columns of a table are."""

    @property
    def channels(self) -> int | None:
        """The axis of x (n, *features) that holds channels, None without."""

    def __call__(self, x: np.ndarray, /) -> np.ndarray:
        """(*samples, n, *features) -> (*samples, n), float64"""

    def blend(self, x: np.ndarray, masks: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """x, reference (n, *features), masks (m, *space) bool or in [0, 1] -> (n, m): f(reference + mask * (x - reference))"""

    def sweep(self, x: np.ndarray, masks: SoftMasks, reference: np.ndarray, about: np.ndarray) -> Moments:
        """As `blend`, with masks that are grown where the model is, and sums over masks and scores less `about (n,)`"""


class Differentiable(Scalar, Protocol):
    """A scalar with gradients and inner layers."""

    def grad(self, x: np.ndarray) -> np.ndarray:
        """(*samples, n, *features) -> the same shape"""

    def capture(self, x: np.ndarray, layer: str | None, grid: tuple[int, int] | None = None) -> Captured:
        """x (n, *features) -> a layer's activations and the gradients of f there"""

    def take(self, rows: slice | np.ndarray) -> Self:
        """This scalar for a selection of its rows, which may repeat."""

    def rewired(self, x: np.ndarray, reference: np.ndarray | None, table: Any) -> Rewired:
        """x (*samples, n, *features), reference of that shape or (n, *features) -> what the table's backward rules make of f"""


@dataclass(frozen=True, eq=False)
class Rewired:
    """A backward pass with rules of a method's own: values of x's shape, base values (*samples, n), NaN without any."""

    values: np.ndarray
    base_values: np.ndarray
    unruled: tuple[str, ...] = ()  # functions met without a rule
    met: frozenset[str] = frozenset()  # functions that gradients flowed through


@dataclass(frozen=True, eq=False)
class Captured:
    """One layer on n rows: activations and gradients (n, c, *spatial), and how to bring a map to the input's size.

    The gradients are computed when they are first asked for.
    """

    name: str
    activations: np.ndarray
    differentiate: Callable[[], np.ndarray]
    upsample: Callable[[np.ndarray], np.ndarray]  # (n, *spatial) -> (n, *input spatial)

    @cached_property
    def gradients(self) -> np.ndarray:
        return self.differentiate()


@dataclass(frozen=True, eq=False)
class Attended:
    """Attention in one batch: per layer, the first one first, its mean over heads (b, T, T), each row's adding up to one."""

    maps: tuple[np.ndarray, ...]
    real: np.ndarray  # (b, T) which places hold tokens, not padding
    places: np.ndarray  # (b, T) which token of x stands there, -1 for none

    @property
    def backwards(self) -> bool:
        """Whether no token attends to one that comes later."""
        return all(not np.triu(attention, 1).any() for attention in self.maps)


def floats(x: np.ndarray) -> np.ndarray:
    """x, which a gradient is wanted at; whole numbers have none."""
    if x.dtype.kind != "f":
        raise InputError(
            f"x has dtype {x.dtype}, which has no gradient: give floats (for token ids, explain their embeddings)."
        )
    return x


def finite(values: np.ndarray, what: str) -> np.ndarray:
    """Pass finite numbers on; anything else is the model's fault and gets said so."""
    bad = ~np.isfinite(values)
    if bad.any():
        raise ModelError(
            f"the model returned {what} that are NaN or infinite in {int(bad.sum())} of {bad.size} places: "
            "check its weights and whether it accepts these inputs (missing values, ranges)."
        )
    return values


def fold(x: np.ndarray, features: tuple[int, ...], n: int) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """(*samples, n, *features) -> flat (b, *features), the row that each belongs to (b,), and (*samples, n)."""
    lead = x.shape[: x.ndim - len(features)]
    flat = x.reshape(-1, *features)
    return flat, np.tile(np.arange(n), len(flat) // max(1, n)), lead


def pieces(total: int, size: int) -> list[slice]:
    """Consecutive slices of at most `size` that cover `range(total)`."""
    return [slice(start, min(start + size, total)) for start in range(0, total, size)]


def cells_of(x: np.ndarray) -> int:
    """How much there is of x: its numbers, or the characters of texts (*samples, n) if all were as long as the longest."""
    if x.dtype != object:
        return x.size
    return x.size * max((len(text) for text in x.flat), default=0)


def widen(masks: Any, features: tuple[int, ...], channels: int | None) -> Any:
    """masks (m, *space) -> (m, 1, *features), with a singleton for the rows and for the channels (axis of x), if any."""
    shape = list(masks.shape[1:])
    if channels is not None and len(shape) < len(features):
        shape.insert(channels - 1, 1)
    return masks.reshape(len(masks), 1, *shape)
