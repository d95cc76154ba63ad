"""What things are called: names with their data values, numbers as a person writes them, what a record explains.

A `$` in a user's text is escaped, because matplotlib reads a pair of them as mathematics.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pellucid.core.concept_scores import ConceptScores
from pellucid.core.effect import Effect
from pellucid.core.errors import InputError
from pellucid.core.records import Attribution
from pellucid.core.target import Class, Custom, Margin, Output

LONGEST = 30  # letters of a name
_ROUNDING = 1e-12  # of the largest value


class Named(NamedTuple):
    """One row's values by name; `stderr` is NaN where there is none."""

    names: list[str]
    values: np.ndarray  # (p,)
    stderr: np.ndarray  # (p,)


def named(attribution: Attribution, row: int) -> Named:
    """The players of one row where there are players, else its cells; a table's names carry their data value."""
    row = row_of(attribution, row)
    if attribution.players is not None:
        names, values, stderr = attribution.players.row(row)
        return Named([_place(name) for name in names], unrounded(values), _known(stderr, values))
    values = attribution.values[row].ravel()
    stderr = None if attribution.stderr is None else attribution.stderr[row].ravel()
    return Named(_names(attribution, row), unrounded(values), _known(stderr, values))


def unrounded(values: np.ndarray) -> np.ndarray:
    """Zero where a value is nothing but rounding beside the others."""
    size = np.abs(values)
    return np.where(size <= _ROUNDING * size.max(initial=0), 0.0, values)


def _known(stderr: np.ndarray | None, values: np.ndarray) -> np.ndarray:
    return np.full(values.shape, np.nan) if stderr is None else stderr


def feature_names(attribution: Attribution) -> list[str]:
    """The columns of a table, or the players of anything else, without data values: what all rows have in common."""
    if attribution.players is not None:
        if attribution.players.own is not None:
            raise InputError(
                "each row of this record has players of its own, so rows have no common axis: draw one row, as a bar, "
                "waterfall, image or text."
            )
        return [_place(name) for name in attribution.players.names]
    given = attribution.feature_names
    shape = attribution.values.shape[1:]
    if given is not None and len(given) == int(np.prod(shape)):
        return [shorten(name) for name in given]
    if len(shape) == 1:
        return [f"x{j}" for j in range(shape[0])]
    return [_place(str(place)) for place in np.ndindex(*shape)]


def _names(attribution: Attribution, row: int) -> list[str]:
    names = feature_names(attribution)
    if attribution.layout == "table":
        return [f"{name} = {cell(value)}" for name, value in zip(names, attribution.data[row], strict=True)]
    return names


def _place(name: str) -> str:
    """Windows and places are named by their corner: say so."""
    return f"at {name}" if name.startswith("(") else shorten(name)


def row_of(attribution: Attribution, row: int) -> int:
    """A row's number, counted from the front."""
    n = len(attribution)
    if not -n <= row < n:
        raise InputError(f"row {row} of a record that has {n} rows: give a row from 0 to {n - 1}.")
    return row % n


def shorten(text: Any, longest: int = LONGEST) -> str:
    """One line, its middle left out where it is too long; safe for matplotlib."""
    return plain(cut(" ".join(str(text).split()), longest))


def cut(line: str, longest: int) -> str:
    """A line without its middle, where it is longer than this."""
    if len(line) <= longest:
        return line
    head, tail = longest // 2, (longest - 1) // 2
    return f"{line[:head].rstrip()}…{line[-tail:].lstrip()}"


def plain(text: Any) -> str:
    """One line in which matplotlib sees no mathematics."""
    return " ".join(str(text).split()).replace("$", r"\$")


def cell(value: Any) -> str:
    """A data value as a label shows it."""
    if value is None:
        return "missing"
    if isinstance(value, float | np.floating):
        return number(float(value))
    return shorten(value, 18)


def number(value: float) -> str:
    """Three significant digits, whole numbers whole, a real minus sign."""
    if not np.isfinite(value):
        return "missing" if np.isnan(value) else f"{value}".replace("-", "−")
    whole = value == round(value) or abs(value) >= 1000
    return (f"{value:.0f}" if whole and abs(value) < 1e6 else f"{value:.3g}").replace("-", "−")


def signed(value: float) -> str:
    return f"+{number(value)}" if value > 0 else number(value)


def method_name(attribution: Attribution) -> str:
    """The method's name, also where a file could not keep the method itself."""
    name = attribution.receipt.method.partition("(")[0]
    return "imported values" if name == "from_arrays" else shorten(name, 40)


def target_name(record: Attribution | Effect | ConceptScores, row: int) -> str:
    """What is explained in this row, in words, with its scale."""
    match record.target:
        case Class(label=label):
            what = f"class {shorten(_of_row(label, row))}"
        case Margin(a=a, b=b):
            what = f"class {shorten(_of_row(a, row))} rather than {shorten(_of_row(b, row))}"
        case Output(index=index):
            what = f"output {index}"
        case Custom():
            what = "a function of the output"
        case _:
            return ""
    scale = record.receipt.scale
    return f"{what} ({scale})" if scale else what


def _of_row(label: Any, row: int) -> Any:
    return label[row] if isinstance(label, tuple) else label


def title(attribution: Attribution, row: int | None = None) -> str:
    """Method, target and, where there are several, the row."""
    words = [method_name(attribution)]
    label = getattr(attribution.target, "label", None)
    if row is not None or not isinstance(label, tuple):
        words.append(target_name(attribution, row or 0))
    if row is not None and len(attribution) > 1:
        words.append(f"row\u00a0{row}")
    return " · ".join(word for word in words if word)


def equation(attribution: Attribution, row: int) -> str:
    """`base value 0.37 → score 0.92`, and the gap where it is more than 1 % of the way."""
    base, score, gap = (float(v[row]) for v in (attribution.base_values, attribution.scores, attribution.gap))
    if not np.isfinite(score):
        return ""
    if not np.isfinite(base):
        return f"score {number(score)}, no base value"
    words = f"base value {number(base)} → score {number(score)}"
    return f"{words}, gap\u00a0{signed(gap)}" if noticeable(attribution, row) else words


def noticeable(attribution: Attribution, row: int) -> bool:
    """Whether the values miss the way from base value to score by more than 1 % (and more than rounding)."""
    base, score, gap = (float(v[row]) for v in (attribution.base_values, attribution.scores, attribution.gap))
    return bool(np.isfinite(gap) and abs(gap) > 0.01 * max(abs(score - base), 1e-3 * max(abs(score), 1)))
