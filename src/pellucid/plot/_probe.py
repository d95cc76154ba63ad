"""Probes over layers: accuracy with its interval, control accuracy, and selectivity, the gap between the two."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.probe_result import ProbeResult
from pellucid.plot._style import DASHES, GREY, LINES, SMALL, dress, paper


def probe(record: ProbeResult, ax: Axes | None = None) -> Axes:
    """A point per layer, in the order of the record; bands are 95 % intervals."""
    names = [_end(name, 16) for name in _short(record.layers)]
    ax = paper(ax, 3.8)
    x = np.arange(len(record.layers))
    _line(ax, x, record.accuracy, (record.low, record.high), 0, "accuracy")
    if record.controlled:
        half = 1.96 * record.selectivity_stderr
        _line(ax, x, record.control, None, 1, "control labels")
        _line(ax, x, record.selectivity, (record.selectivity - half, record.selectivity + half), 2, "selectivity")
    _level(ax, record.majority, "commonest label")
    if np.isfinite(record.by_type):
        _level(ax, record.by_type, "each type's commonest")
    ax.set_xticks(x, names)
    if sum(map(len, names)) > 60:
        ax.tick_params(axis="x", rotation=40)
        for label in ax.get_xticklabels():
            label.set_horizontalalignment("right")
    ax.set_xlim(-0.3, len(x) - 0.7)
    ax.set_ylim(min(0.0, float(np.nanmin([np.nanmin(record.accuracy), *record.selectivity]))) - 0.02, 1.02)
    ax.legend(fontsize=SMALL, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=3)
    return dress(
        ax, f"{record.receipt.method.partition('(')[0]} · {len(record.classes)} classes", _footer(record), "share right"
    )


def _line(
    ax: Axes, x: np.ndarray, y: np.ndarray, band: tuple[np.ndarray, np.ndarray] | None, look: int, label: str
) -> None:
    ax.plot(x, y, color=LINES[look], linestyle=DASHES[look], marker="os^"[look], markersize=4, label=label)
    if band is not None:
        ax.fill_between(x, *band, color=LINES[look], alpha=0.15, linewidth=0)


def _level(ax: Axes, height: float, label: str) -> None:
    dots = (0, (1, 1.3)) if label.startswith("each") else (0, (4, 3))
    ax.axhline(height, color=GREY, linewidth=1, linestyle=dots, label=label)


def _short(layers: tuple[str, ...]) -> list[str]:
    """Names without the parts that all begin with, where there are several."""
    parts = [name.split(".") for name in layers]
    shared = 0
    while len(layers) > 1 and all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return [".".join(p[shared:]) for p in parts]


def _end(name: str, longest: int) -> str:
    """Names of layers differ at their end."""
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def _footer(record: ProbeResult) -> str:
    return (
        f"layer; {record.train:,} {record.unit}s to learn from, {record.test:,} held out"
        "\nbands: 95\u00a0% intervals over held-out rows"
    )
