"""Numbers and places as a person says them."""

from __future__ import annotations

from typing import Any

import numpy as np

Box = tuple[int, int, int, int]  # top, left, height, width

_NOTHING = 1e-9  # rounding


def percent(share: float) -> str:
    """68 %; below one per cent with a decimal."""
    if not np.isfinite(share):
        return "unknown"
    points = 100 * float(share)
    return f"{points:.1f} %" if 0 < abs(points) < 1 else f"{points:.0f} %"


def signed(value: float | None) -> str:
    """A number with its sign, three digits."""
    return "unknown" if value is None or not np.isfinite(value) else f"{value:+.3g}".replace("-", "−")


def number(value: Any) -> str:
    """Three digits; a dash for what is not known."""
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(number, value))
    if isinstance(value, str | int | bool):
        return str(value)
    return "0" if abs(value) < _NOTHING else f"{value:.3g}".replace("-", "−")


def place_name(box: Box, space: tuple[int, int]) -> str:
    """Where a window is; a gap of a tenth of the side still counts as touching."""
    near = [side // 10 for side in space]
    down = [
        word
        for word, touches in (("top", box[0] <= near[0]), ("bottom", box[0] + box[2] >= space[0] - near[0]))
        if touches
    ]
    across = [
        word
        for word, touches in (("left", box[1] <= near[1]), ("right", box[1] + box[3] >= space[1] - near[1]))
        if touches
    ]
    if len(down) == len(across) == 1:
        return f"the {down[0]} {across[0]} corner"
    edges = down + across
    return f"a place at the {edges[0]} edge" if len(edges) == 1 else "one small place"
