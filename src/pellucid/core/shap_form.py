"""An attribution in the form that the shap package draws: `shap.Explanation`.

Shap keeps pictures channels last and one list of words a row; data of a column without numbers is given as the place among
its sorted values, with the values themselves to display.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError, MissingDependency

if TYPE_CHECKING:
    from pellucid.core.records import Attribution


def explanation(record: Attribution) -> Any:
    """The rows that are done, as a `shap.Explanation`."""
    try:
        made = importlib.import_module("shap").Explanation
    except ImportError as error:
        raise MissingDependency("Attribution.to_shap() needs shap: pip install shap") from error
    done = record if record.done.all() else record[record.done]
    if not len(done):
        raise InputError("no row of this record is done: the budget was spent before the first one.")
    base = None if np.isnan(done.base_values).all() else done.base_values
    return made(base_values=base, **_cells(done))


def _cells(record: Attribution) -> dict[str, Any]:
    """values, data, error_std and names, by layout"""
    if record.layout == "tokens":
        return _words(record)
    if record.layout == "table":
        numbers = _numbers(record.data)
        shown = None if numbers is record.data else record.data
        names = record.feature_names or tuple(f"x{j}" for j in range(record.values.shape[1]))
        return {
            "values": record.values,
            "data": numbers,
            "display_data": shown,
            "error_std": record.stderr,
            "feature_names": list(names),
        }
    last = record.layout == "channels-first"
    parts = {"values": record.values, "data": record.data, "error_std": record.stderr}
    return {key: np.moveaxis(part, 1, -1) if last and part is not None else part for key, part in parts.items()}


def _words(record: Attribution) -> dict[str, Any]:
    """Rows of unequal length, each without its padding."""
    mask = np.ones(record.values.shape, bool) if record.mask is None else record.mask.astype(bool)
    values, words = (_ragged([row[kept] for row, kept in zip(part, mask, strict=True)]) for part in _parts(record))
    return {"values": values, "data": words}


def _parts(record: Attribution) -> tuple[np.ndarray, np.ndarray]:
    return record.values, record.data.astype(str).astype(object)


def _ragged(rows: list[np.ndarray]) -> np.ndarray:
    whole = np.empty(len(rows), dtype=object)
    whole[:] = rows
    return whole


def _numbers(data: np.ndarray) -> np.ndarray:
    """data (n, p) itself where it holds numbers, else with places among sorted values in columns that have none"""
    if data.dtype != object:
        return data
    return np.column_stack([_column(data[:, j]) for j in range(data.shape[1])])


def _column(cells: np.ndarray) -> np.ndarray:
    try:
        return cells.astype(float)
    except (TypeError, ValueError):
        levels = sorted({str(cell) for cell in cells if cell is not None})
        return np.array([np.nan if cell is None else levels.index(str(cell)) for cell in cells], dtype=float)
