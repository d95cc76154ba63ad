"""Frames <-> float matrices: pandas, polars and pyarrow in, the same kind with the same dtypes out.

A `Codec` is learned from the frames of one question (x and background). Numbers stand for themselves, missing is NaN,
and any other value is coded by its position among the column's values, so that decoding only ever *takes* values that
the user's frame held: categories, dates and identifiers come back bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.schema import Column, Kind, Schema

_EXACT = 2**53  # integers beyond this do not fit a float
_WORDS = 4  # of a usual text, at least
_DIFFERENT = 0.8  # of the rows, at least, where a column holds texts
_ROWS = 10  # below which it cannot be told


def is_frame(x: Any) -> bool:
    """Whether x is a data frame of a library that narwhals knows."""
    return not isinstance(x, np.ndarray) and nw.dependencies.is_into_dataframe(x)


@dataclass(frozen=True, eq=False)
class Codec:
    """What is needed to turn frames of one kind into matrices and back."""

    schema: Schema
    dtypes: tuple[Any, ...]  # pandas' own dtype objects, narwhals' for other libraries
    vocabularies: tuple[Any, ...]  # narwhals Series of a coded column's values (null last, if any), None for numbers

    @classmethod
    def learn(cls, x: Any, *others: Any, columns: Sequence[str] | None = None) -> Codec:
        """From the frame x, with more values seen in the other frames; `columns` restricts to those the model uses."""
        frame = _checked(x)
        names = [name for name in frame.columns if columns is None or name in columns]
        rest = [_select(_checked(other), names) for other in others]
        found = [_column([frame[name], *[other[name] for other in rest]]) for name in names]
        native = frame.to_native()
        library = frame.implementation.name.lower()
        dtypes = tuple(native[name].dtype if library == "pandas" else frame.schema[name] for name in names)
        schema = Schema(tuple(column for column, _ in found), library)
        return cls(schema, dtypes, tuple(vocabulary for _, vocabulary in found))

    @classmethod
    def recall(cls, schema: Schema, readable: np.ndarray) -> Codec:
        """From a saved record: its schema and readable data (n, p)."""
        return cls.learn(build(schema, readable))

    def encode(self, x: Any) -> np.ndarray:
        """frame of n rows -> (n, p) floats; columns are found by name, whatever their order."""
        frame = _select(_checked(x), list(self.schema.names))
        matrix = np.empty((len(frame), len(self.schema.columns)))
        for j, (column, vocabulary) in enumerate(zip(self.schema.columns, self.vocabularies, strict=True)):
            matrix[:, j] = _codes(frame[column.name], column, vocabulary)
        return matrix

    def decode(self, matrix: np.ndarray, order: Sequence[str] | None = None) -> Any:
        """(n, p) floats -> a frame as the user's own, its columns in `order`."""
        columns = {column.name: self._series(j, matrix[:, j]) for j, column in enumerate(self.schema.columns)}
        return _assemble({name: columns[name] for name in order or columns}, self.schema.library)

    def _series(self, j: int, values: np.ndarray) -> Any:
        column, vocabulary = self.schema.columns[j], self.vocabularies[j]
        if vocabulary is not None:
            codes = np.where(np.isnan(values), len(vocabulary) - 1, values).astype(np.int64)
            return vocabulary[codes.tolist()].to_native()
        if column.kind == "integer":
            values = np.rint(values)
        return _number_series(column.name, values, self.dtypes[j], self.schema.library)


def build(schema: Schema, readable: np.ndarray) -> Any:
    """A frame from readable values (n, p) and what the schema spells of its dtypes."""
    made = {}
    for j, column in enumerate(schema.columns):
        values = readable[:, j].tolist()
        made[column.name] = _spelled_series(column, values, schema.library)
    return _assemble(made, schema.library)


def _checked(x: Any) -> nw.DataFrame[Any]:
    names = list(map(str, getattr(x, "columns", [])))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the frame has more than one column {twice[0]!r}: give every column its own name.")
    frame = nw.from_native(x, eager_only=True)
    if not all(isinstance(name, str) for name in frame.columns):
        raise InputError(
            "the frame's column names are not all text: rename them, as in frame.columns = frame.columns.map(str)."
        )
    return frame


def _select(frame: nw.DataFrame[Any], names: list[str]) -> nw.DataFrame[Any]:
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise InputError(f"the frame has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns[:20]))}.")
    return frame.select(names)


def _column(parts: list[nw.Series[Any]]) -> tuple[Column, nw.Series[Any] | None]:
    """What a column is, and its vocabulary when it holds no numbers."""
    first = parts[0]
    kind = _kind(parts)
    native = first.to_native()
    dtype = str(getattr(native, "dtype", first.dtype))
    if kind != "level":
        return Column(first.name, kind, dtype), None
    if hasattr(getattr(native, "dtype", None), "categories"):
        return _categorical(first.name, native, dtype)
    joined = nw.concat([part.to_frame() for part in parts], how="vertical")[first.name] if len(parts) > 1 else first
    vocabulary = _distinct(joined)
    vocabulary = vocabulary[np.argsort(vocabulary.is_null().to_numpy().astype(bool), kind="stable").tolist()]
    levels = tuple(_plain(value) for value in vocabulary.drop_nulls().to_list())
    rows = max(len(part.drop_nulls()) for part in parts)
    return Column(first.name, kind, dtype, levels, text=_are_texts(levels, rows)), vocabulary


def _are_texts(levels: Sequence[Any], rows: int) -> bool:
    """Whether the values of so many rows are texts: nearly all different, of several words."""
    if len(levels) < max(_ROWS, _DIFFERENT * rows) or not all(isinstance(level, str) for level in levels):
        return False
    return bool(np.median([len(level.split()) for level in levels]) >= _WORDS)


def _distinct(series: nw.Series[Any]) -> nw.Series[Any]:
    """The values in order of appearance; pandas' own way keeps object columns as they are."""
    native = series.to_native()
    if hasattr(native, "drop_duplicates"):
        return nw.from_native(native.drop_duplicates(), series_only=True)
    return series.unique(maintain_order=True)


def _categorical(name: str, native: Any, dtype: str) -> tuple[Column, nw.Series[Any]]:
    """A pandas categorical keeps all its categories in their order, since models may read the codes."""
    import pandas as pd

    known = native.dtype
    vocabulary = pd.Series(pd.Categorical([*known.categories, None], dtype=known), name=name)
    levels = tuple(_plain(value) for value in known.categories)
    return Column(name, "level", dtype, levels, bool(known.ordered)), nw.from_native(vocabulary, series_only=True)


def _kind(parts: list[nw.Series[Any]]) -> Kind:
    dtypes = [part.dtype for part in parts]
    if all(dtype.is_integer() for dtype in dtypes):
        known = [part.drop_nulls() for part in parts]  # pandas answers NA of a column that holds nothing else
        ends = [abs(int(end)) for part in known if len(part) for end in (part.min(), part.max())]
        return "integer" if max(ends, default=0) < _EXACT else "level"
    return "number" if all(dtype.is_numeric() for dtype in dtypes) else "level"


def _plain(value: Any) -> Any:
    """A level as JSON can hold it; dates and the like by their text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, bool | int | float | str) else str(value)


def _codes(series: nw.Series[Any], column: Column, vocabulary: nw.Series[Any] | None) -> np.ndarray:
    null = series.is_null().to_numpy().astype(bool)
    if vocabulary is None:
        if not series.dtype.is_numeric():
            raise InputError(
                f"column {column.name!r} held numbers ({column.dtype}) before and now {series.dtype}: give the same dtypes."
            )
        return np.array(series.cast(nw.Float64).to_numpy(), dtype=float)
    place = {value: code for code, value in enumerate(vocabulary.to_list())}
    values = series.to_list()
    unseen = [value for value, missing in zip(values, null, strict=True) if not missing and value not in place]
    if unseen:
        raise InputError(
            f"column {column.name!r} holds {unseen[0]!r}, which is none of the values that x's column knows."
        )
    return np.array(
        [np.nan if missing else place[value] for value, missing in zip(values, null, strict=True)],
        dtype=float,
    )


def _number_series(name: str, values: np.ndarray, dtype: Any, library: str) -> Any:
    if library == "pandas":
        import pandas as pd

        return pd.Series(values).astype(dtype)
    listed = [None if np.isnan(value) else value for value in values.tolist()]
    made = nw.new_series(name, listed, nw.Float64, backend=library)  # type: ignore[arg-type]
    return made.cast(dtype).to_native()


def _spelled_series(column: Column, values: list[Any], library: str) -> Any:
    if library == "pandas":
        import pandas as pd

        if column.dtype == "category":
            return pd.Series(pd.Categorical(values, categories=list(column.levels), ordered=column.ordered))
        return pd.Series(values).astype(column.dtype)
    dtype = getattr(nw, column.dtype.partition("(")[0], None)
    return nw.new_series(column.name, values, dtype, backend=library).to_native()  # type: ignore[arg-type]


def _assemble(columns: dict[str, Any], library: str) -> Any:
    if library == "pandas":  # at once: this is paid on every call of the model
        import pandas as pd

        return pd.DataFrame({name: series.reset_index(drop=True) for name, series in columns.items()})
    made = [nw.from_native(series, series_only=True).alias(name).to_frame() for name, series in columns.items()]
    return nw.concat(made, how="horizontal").to_native()
