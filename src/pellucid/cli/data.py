"""Rows from what a user writes after `--data`: a table (`.csv`, `.tsv`, `.parquet`) or an array (`.npy`, `.npz`).

pandas mends a broken CSV in silence (a short line gets missing values, a repeated column a new name), so the lines are
counted first and the first that does not fit its header is named. A column of numbers that holds a few words is no
broken file, since it may hold codes; it is a *doubt*, told at once and again if the model refuses the rows.
"""

from __future__ import annotations

import csv
import difflib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pellucid.core.errors import InputError, MissingDependency
from pellucid.core.frames import Codec, is_frame
from pellucid.core.pairs import pair
from pellucid.core.store import appearing

ACCEPTED = ".csv, .tsv or .parquet for a table, .npy or .npz for an array"
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_FEW = 0.01  # a column is one of numbers when all but this share of its values are


@dataclass(frozen=True, eq=False)
class Rows:
    """What a file held: features `x` (a frame, or an array (n, *features)), labels `y` (n,) or None, doubts about it."""

    x: Any
    y: np.ndarray | None
    source: str
    doubts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: np.ndarray) -> Rows:
        """Some of the rows, by position."""
        x = self.x.iloc[index] if is_frame(self.x) else self.x[index]
        return replace(self, x=x, y=None if self.y is None else self.y[index])


def read_rows(path: Path, label: str | None = None) -> Rows:
    """Read a file; `label` is the column (of a table) or the array (of an `.npz`) with the true labels."""
    suffix = path.suffix.lower()
    if suffix not in (*_SEPARATORS, ".parquet", ".npy", ".npz"):
        raise InputError(f"{path.name} is no data that can be read: give {ACCEPTED}.")
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    if suffix in _SEPARATORS:
        rows = _read_text(path, _SEPARATORS[suffix], label)
    elif suffix == ".parquet":
        rows = _split(_read_parquet(path), label, path.name)
    else:
        rows = _read_arrays(path, label)
    if len(rows) == 0:
        raise InputError(f"{path.name} has no rows below its header: give at least one.")
    return rows


def read_features(path: Path, label: str | None, names: Sequence[str] | None = None) -> Rows:
    """Reference rows: without the label column if there is one, and with only `names` where all of them are there."""
    rows = read_rows(path)
    if not is_frame(rows.x):
        return rows
    kept = rows.x.drop(columns=[label] if label in rows.x.columns else [])
    if names is not None and set(names) <= set(kept.columns):
        kept = kept[list(names)]
    return replace(rows, x=kept)


def _read_text(path: Path, separator: str, label: str | None) -> Rows:
    rows = _split(read_csv(path, separator), label, path.name)
    found = [(column, row) for column in rows.x.columns if (row := _odd_row(rows.x[column])) is not None]
    doubts = (
        f"{path.name}, line {_line(path, separator, row)}: column {column!r} holds {rows.x[column].iloc[row]!r}, "
        "and almost every other row a number"
        for column, row in found
    )
    return replace(rows, doubts=tuple(doubts))


def read_csv(path: Path, separator: str = ",") -> pd.DataFrame:
    """A frame, or an error that names the line that does not fit."""
    try:
        _check_lines(path, separator)
        return pd.read_csv(path, sep=separator, encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as error:
        raise InputError(f"{path.name} cannot be read as a table: {str(error).strip()}.") from error


def _check_lines(path: Path, separator: str) -> None:
    """Every line has as many fields as the header, and the header names every column once."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator, strict=True)
        header = next((line for line in reader if line), None)
        if header is None:
            raise InputError(f"{path.name} is empty: the first line must name the columns.")
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise InputError(f"{path.name} has more than one column {twice[0]!r}: give every column its own name.")
        for fields in reader:
            if fields and len(fields) != len(header):
                raise InputError(
                    f"{path.name}, line {reader.line_num}: {count(len(fields), 'field')}, the header has {len(header)}: "
                    "correct that line (text that holds the separator needs quotes)."
                )


def _odd_row(column: pd.Series) -> int | None:
    """The first row whose value is a word, in a column that holds numbers otherwise."""
    if pd.api.types.is_numeric_dtype(column):
        return None
    words = column.notna() & pd.to_numeric(column, errors="coerce").isna()
    known = int(column.notna().sum())
    if known < 3 or not 0 < words.sum() <= max(1, _FEW * known):
        return None
    return int(np.flatnonzero(words)[0])


def _line(path: Path, separator: str, row: int) -> int:
    """The line of the file that ends this row (rows count from 0 below the header)."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        ends = (reader.line_num for fields in reader if fields)
        return next(itertools.islice(ends, row + 1, None))


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        raise MissingDependency(f"{path.name} needs pyarrow: pip install pyarrow, or give a .csv file.") from error
    except Exception as error:
        raise InputError(f"{path.name} cannot be read as a table: {str(error).strip()}.") from error


def _split(frame: pd.DataFrame, label: str | None, name: str) -> Rows:
    """Features and labels of one frame."""
    if label is None:
        return Rows(frame, None, name)
    if label not in frame.columns:
        raise InputError(f"{name} has no column {label!r}{_instead(label, list(map(str, frame.columns)))}")
    labels = frame[label]
    if labels.isna().any():
        row = int(np.flatnonzero(labels.isna())[0])
        raise InputError(f"{name}, row {row}: the label column {label!r} is empty there: fill it or drop the row.")
    return Rows(frame.drop(columns=label), labels.to_numpy(), name)


def _read_arrays(path: Path, label: str | None) -> Rows:
    try:
        arrays = _arrays(np.load(path, allow_pickle=False))
    except Exception as error:
        said = str(error).strip().splitlines()[0]
        raise InputError(f"{path.name} is not an array that can be read without unpickling ({said}).") from error
    if label is not None and label not in arrays:
        where = "a .npy file holds one array" if len(arrays) == 1 else f"it holds {', '.join(arrays)}"
        raise InputError(f"{path.name} has no array {label!r}: {where}. An .npz can hold x and the labels.")
    y = None if label is None else arrays.pop(label)
    x = arrays.get("x", next(iter(arrays.values())) if len(arrays) == 1 else None)
    if x is None:
        raise InputError(f"{path.name} holds {', '.join(arrays)}: name the one with the rows x.")
    if x.ndim < 2 or (y is not None and y.shape != (len(x),)):
        labels = "" if y is None else f", and labels of shape {y.shape}"
        raise InputError(f"{path.name} has rows of shape {x.shape}{labels}: expected (n, *features) and labels (n,).")
    return Rows(x, y, path.name)


def as_classes(known: np.ndarray, *labels: np.ndarray, model: Any = None) -> tuple[list[np.ndarray], list[str] | None]:
    """Labels as the numbers of a network's outputs: numbers stay, words become their place among the model's names of its classes,
    or else among the known ones, sorted."""
    if known.dtype.kind in "iufb":
        return list(labels), None
    names = sorted({str(label) for label in known.tolist()})
    own = _class_names(model)
    names = own if set(names) <= set(own) else names
    place = {name: number for number, name in enumerate(names)}
    for label in (str(label) for lot in labels for label in lot.tolist()):
        if label not in place:
            raise InputError(f"no training row has the label {label!r}{_instead(label, names)}")
    return [np.array([place[str(label)] for label in lot.tolist()], dtype=int) for lot in labels], names


def _class_names(model: Any) -> list[str]:
    """What a transformers network calls its outputs."""
    named = getattr(getattr(getattr(model, "model", None), "config", None), "id2label", None) or {}
    return [str(named[place]) for place in sorted(named)]


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """The table in the format that the file's name says, whole or not at all."""
    suffix = path.suffix.lower()
    with appearing(path) as partial:
        if suffix == ".parquet":
            frame.to_parquet(partial, index=False)
        else:
            frame.to_csv(partial, sep=_SEPARATORS[suffix], index=False)


def _arrays(held: Any) -> dict[str, np.ndarray]:
    """What a file held, by name; the one array of an `.npy` is x."""
    if isinstance(held, np.ndarray):
        return {"x": held}
    with held:
        return dict(held)


def choose(picks: Sequence[int | slice], n: int, source: str) -> np.ndarray:
    """Positions of the rows that are picked among n, each once, in the order of the picks."""
    rows = [row for pick in picks for row in (range(n)[pick] if isinstance(pick, slice) else [pick])]
    wrong = [row for row in rows if not -n <= row < n]
    if wrong or not rows:
        what = f"--rows: there is no row {wrong[0]}" if wrong else "--rows picks no row"
        raise InputError(f"{what}; {source} has {count(n, 'row')}, numbered 0 to {n - 1}.")
    return np.array(list(dict.fromkeys(row % n for row in rows)))


def reference(model: Any, rows: Rows, explained: Any, size: int) -> Rows:
    """Reference rows as this model takes them, none of which is explained."""
    x = suited(model, rows.x)[0]
    drawn = others(x, explained, size)
    return Rows(x.iloc[drawn] if is_frame(x) else x[drawn], None, rows.source)


def others(x: Any, explained: Any, size: int) -> np.ndarray:
    """Positions of at most `size` rows of x that are none of the explained ones: the same draw every time, in file order.

    Rows are told apart by what they hold, so the draw can be repeated from a record, which knows no positions.
    """
    shown = set(_keys(explained))
    rest = np.array([i for i, key in enumerate(_keys(x)) if key not in shown], dtype=int)
    if len(rest) <= size:
        return rest
    return np.sort(np.random.default_rng(0).choice(rest, size, replace=False))


def _keys(x: Any) -> list[Any]:
    """One hashable key per row, of a frame or of an array (n, *features) of a record."""
    if is_frame(x):
        codec = Codec.learn(x)
        x = codec.schema.readable(codec.encode(x))
    if x.dtype == object:
        return [tuple(None if value != value else value for value in row) for row in x.tolist()]
    return [row.tobytes() for row in x.astype(float) + 0.0]  # -0.0 is 0.0


def suited(model: Any, x: Any) -> tuple[Any, tuple[str, ...] | None]:
    """The rows as this model takes them, and their names: a frame, or its numbers where the model knows no columns."""
    if not is_frame(x):
        return x, None
    if _wants_texts(model, x):
        columns = [x.iloc[:, k].tolist() for k in range(x.shape[1])]
        texts = np.empty(len(x), dtype=object)
        texts[:] = columns[0] if len(columns) == 1 else [pair(str(a), str(b)) for a, b in zip(*columns, strict=True)]
        return texts, None
    if not _wants_array(model):
        return _used(model, x), None
    words = [name for name in x.columns if not pd.api.types.is_numeric_dtype(x[name])]
    if words:
        raise InputError(
            f"column {words[0]!r} holds no numbers, and the model takes an array of numbers: encode it first."
        )
    return x.to_numpy(dtype=float), tuple(map(str, x.columns))


def _used(model: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Without the columns that the model was not fitted with; where one is missing, the model's adapter names it."""
    from pellucid.models.tabular import used_columns

    wanted = used_columns(model)
    if wanted is None or not set(wanted) <= set(frame.columns):
        return frame
    return frame[[name for name in frame.columns if name in wanted]]


def _wants_texts(model: Any, frame: pd.DataFrame) -> bool:
    """A single column of words, and a model of texts, or an estimator that knows neither columns nor how many: a pipeline."""
    from pellucid.models.language import CausalLM
    from pellucid.models.tabular import is_estimator, used_columns
    from pellucid.models.text import TextModel

    if isinstance(model, TextModel | CausalLM):
        if len(frame.columns) > (2 if isinstance(model, TextModel) else 1):
            raise InputError(
                f"a model of texts reads one column, or question and context, and there are {count(len(frame.columns), 'column')}: "
                "give a file with the texts alone, beside the --label column."
            )
        return True
    alone = len(frame.columns) == 1 and not pd.api.types.is_numeric_dtype(frame.iloc[:, 0])
    if isinstance(model, TextModel):
        return alone
    return alone and is_estimator(model) and used_columns(model) is None and not hasattr(model, "n_features_in_")


def _wants_array(model: Any) -> bool:
    """Networks, and estimators that were fitted on arrays."""
    from pellucid.models.tabular import is_estimator, used_columns

    if is_estimator(model):
        return used_columns(model) is None and hasattr(model, "n_features_in_")
    return any(cls.__module__.partition(".")[0] == "torch" for cls in type(model).__mro__)


def _instead(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; it has {', '.join(known[:20])}{' ...' if len(known) > 20 else '.'}"


def count(number: int, thing: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
