"""What a user may hand in as data, coerced once at the border: arrays, tensors, lists of numbers, frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.frames import Codec, is_frame
from pellucid.core.schema import Schema


def plain_array(x: Any, dtype: type | None = None) -> np.ndarray:
    """A NumPy array of an array, a list of numbers or a torch tensor (detached, on the CPU)."""
    if hasattr(x, "detach"):
        x = _on_cpu(x.detach())
        x = x.float() if str(x.dtype) == "torch.bfloat16" else x  # NumPy has no bfloat16
    try:
        array = np.asarray(x, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise InputError(f"cannot make an array of a {type(x).__name__}: {error}") from error
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"an array of dtype {array.dtype} is not numbers: give numbers, or a data frame whose columns have names and types."
        )
    return array


def _on_cpu(tensor: Any) -> Any:
    try:
        return tensor.cpu()
    except (NotImplementedError, RuntimeError) as error:
        raise InputError(
            f"a tensor on device {str(tensor.device)!r} cannot be brought to the CPU ({str(error).splitlines()[0]}): "
            "give one that holds data, such as tensor.to('cpu') of it."
        ) from error


def plain_data(x: Any) -> tuple[np.ndarray, Schema | None, tuple[str, ...] | None]:
    """Data as a record keeps it: readable cells (n, *features), the schema of a frame, the names of its columns."""
    if not is_frame(x):
        return plain_array(x), None, None
    codec = Codec.learn(x)
    return codec.schema.readable(codec.encode(x)), codec.schema, codec.schema.names


def take_rows(data: Any, rows: np.ndarray) -> Any:
    """Some rows of anything that has rows, as the same kind of thing: a frame, a column, an array, a tensor, a list."""
    if hasattr(data, "iloc"):
        return data.iloc[rows]
    if is_frame(data):
        return data[rows.tolist()]
    return data[rows] if hasattr(data, "shape") else [data[i] for i in rows]


def checked(x: np.ndarray, what: str = "x") -> np.ndarray:
    """Refuse what no method can explain: no rows, no features."""
    if x.ndim < 2:
        raise InputError(
            f"{what} has shape {x.shape}: expected rows first, (n, *features); for one row write {what}[None]."
        )
    if x.size == 0:
        raise InputError(
            f"{what} has shape {x.shape}, which is empty: give at least one row with at least one feature."
        )
    return x
