"""One row's largest values as bars that the page draws itself: sharp at every width, legible on a phone, quick to make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.core.records import Attribution
from pellucid.report.words import number, signed

_ROUNDING = 1e-9  # of the largest value
_Z95 = 1.96  # half width of a 95 % interval in standard errors


@dataclass(frozen=True)
class Bar:
    """A name, a value in words, and where the bar and its whisker begin and how long they are, in per cent of the width."""

    name: str
    text: str
    negative: bool
    start: float
    length: float
    whisker: tuple[float, float] | None = None


def bars(record: Attribution, row: int, k: int = 8) -> tuple[list[Bar], float]:
    """The k largest by magnitude, the sum of the others, and where zero is."""
    values = record.values[row].ravel()
    errors = np.full(values.shape, np.nan) if record.stderr is None else _Z95 * record.stderr[row].ravel()
    order = np.argsort(-np.abs(values), kind="stable")
    first, rest = order[:k], order[k:]
    names = [_named(record, row, int(j)) for j in first]
    lengths, whiskers = values[first], errors[first]
    lengths = np.where(np.abs(lengths) < _ROUNDING * np.abs(lengths).max(initial=0), 0.0, lengths)
    if len(rest):
        names.append(f"{len(rest)} others together")
        lengths, whiskers = np.append(lengths, values[rest].sum()), np.append(whiskers, np.nan)
    reach = np.nan_to_num(whiskers)
    low, high = float(min(0, (lengths - reach).min())), float(max(0, (lengths + reach).max()))
    wide = 100 / ((high - low) or 1.0)
    made = [
        _bar(name, float(value), float(error), low, wide)
        for name, value, error in zip(names, lengths, whiskers, strict=True)
    ]
    return made, -low * wide


def _bar(name: str, value: float, error: float, low: float, wide: float) -> Bar:
    whisker = ((value - error - low) * wide, 2 * error * wide) if np.isfinite(error) and error > 0 else None
    return Bar(
        name, signed(value) if value else "0", value < 0, (min(0.0, value) - low) * wide, abs(value) * wide, whisker
    )


def _named(record: Attribution, row: int, j: int) -> str:
    name = f"x{j}" if record.feature_names is None else record.feature_names[j]
    value = record.data[row].ravel()[j]
    return f"{name} = {'missing' if value is None else number(value)}"
