"""Where the numbers of a column are cut: at quantiles of the background, said in as few digits as keep the two sides apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_FEW = 2  # a column with at most this many values per bin is cut between all of them


def cuts(column: np.ndarray, bins: int, whole: bool) -> np.ndarray:
    """column (b,), NaN where missing -> cuts c in rising order, each with values <= c and values > c on its sides."""
    known = column[~np.isnan(column)]
    values = np.unique(known)
    if len(values) < 2:
        return np.empty(0)
    if len(values) <= _FEW * bins:
        places = np.arange(len(values) - 1)
    else:
        quantiles = np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf")
        places = np.unique(np.minimum(np.searchsorted(values, quantiles), len(values) - 2))
    return np.array([values[k] if whole else short(values[k], values[k + 1]) for k in places])


def short(low: float, high: float) -> float:
    """The number with the fewest digits in [low, high); `low` itself where both are whole."""
    if low == round(low) and high == round(high):
        return float(low)
    for digits in range(-int(np.floor(np.log10(max(abs(low), abs(high))))), 17):
        made = float(np.ceil(low * 10.0**digits) / 10.0**digits) + 0.0  # no minus before a zero
        if low <= made < high:
            return float(f"{made:.15g}") if low <= float(f"{made:.15g}") < high else made
    return float(low)


def spelled(number: float) -> str:
    """All digits that matter and no more, without an exponent where that is short."""
    text = np.format_float_positional(number, trim="-")
    return text if len(text) <= 12 else f"{number:.6g}"


def between(name: str, low: float | None, high: float | None, spell: Callable[[float], str]) -> str:
    """An interval in words: "age <= 40", "age > 25", "25 < age <= 40"; one of its ends at least is given."""
    if low is None:
        assert high is not None
        return f"{name} <= {spell(high)}"
    return f"{name} > {spell(low)}" if high is None else f"{spell(low)} < {name} <= {spell(high)}"
