"""Concept scores: a bar from one half to each score, its interval, and what random sets score against each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.concept_scores import ConceptScores
from pellucid.core.errors import InputError
from pellucid.plot._bar import height_of, step
from pellucid.plot._labels import target_name
from pellucid.plot._style import FAINT, GREY, INK, SMALL, dress, name_rows, paper


def concepts(record: ConceptScores, k: int = 24, ax: Axes | None = None) -> Axes:
    """One line per concept and layer, the first k: red where the concept raises the score of most inputs, hatched blue of few.

    The grey band holds 95 % of the scores of random sets against each other at that layer, its line their mean. A star marks what
    is not one half after correction; where nothing is reported the line says why.
    """
    if k < 1:
        raise InputError(f"k={k}: show at least one line.")
    cells = [(i, j) for i in range(len(record.concepts)) for j in range(len(record.layers))][:k]
    ax = paper(ax, height_of(len(cells)) + 0.35)
    for place, (i, j) in enumerate(cells):
        _random(ax, record, place, j)
        if record.reported[i, j]:
            _bar(ax, record, place, i, j)
        else:
            _nothing(ax, record, place, i, j)
    ax.axvline(0.5, color=GREY, linewidth=0.8)
    name_rows(ax, [_name(record, i, j) for i, j in cells])
    ax.set_xlim(-0.02, 1.12)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1])
    return dress(ax, _title(record), _footer(record, len(cells)))


def _name(record: ConceptScores, i: int, j: int) -> str:
    return record.concepts[i] if len(record.layers) == 1 else f"{record.concepts[i]} · {record.layers[j]}"


def _random(ax: Axes, record: ConceptScores, place: int, j: int) -> None:
    if record.reference is None or not np.isfinite(record.reference[j]).all():
        return
    low, high = np.quantile(record.reference[j], [0.025, 0.975])
    ax.barh(place, high - low, left=low, height=0.92, color=FAINT, linewidth=0, zorder=0)
    mean = record.reference[j].mean()
    ax.vlines(mean, place - 0.46, place + 0.46, color=GREY, linewidth=1.2, linestyle=(0, (1, 1.3)), zorder=1)


def _bar(ax: Axes, record: ConceptScores, place: int, i: int, j: int) -> None:
    score, low, high = record.scores[i, j], record.low[i, j], record.high[i, j]
    step(ax, place, 0.5, score - 0.5)
    look: dict[str, Any] = {"fmt": "none", "ecolor": INK, "elinewidth": 1.2, "capsize": 2.5}
    # a mean may lie outside the middle 95 % of its runs
    ax.errorbar(score, place, xerr=[[max(score - low, 0)], [max(high - score, 0)]], **look)
    star = " *" if record.significant[i, j] else ""
    ax.text(1.02, place, f"{score:.2f}{star}", va="center", fontsize=SMALL, color=INK)


def _nothing(ax: Axes, record: ConceptScores, place: int, i: int, j: int) -> None:
    known = record.accuracy[i, j]
    chance = "probe" in record.reasons[i][j]
    words = f"not reported: its probe is right {known:.0%} of the time" if chance else "not reported: no gradient here"
    ax.text(0.5, place, words, ha="center", va="center", fontsize=SMALL, color=INK, style="italic")


def _title(record: ConceptScores) -> str:
    where = f" · {record.layers[0]}" if len(record.layers) == 1 else ""
    return f"TCAV · {_about(record)}{where}"


def _about(record: ConceptScores) -> str:
    if record.target is None:
        return "the predicted class, or the only output"
    own = isinstance(getattr(record.target, "label", None), tuple)
    return "a class of each input's own" if own else target_name(record, 0)


def _footer(record: ConceptScores, shown: int) -> str:
    left = record.scores.size - shown
    more = f"; {left} more not shown" if left else ""
    band = "\ngrey: 95\u00a0% of the scores of random sets" if record.reference is not None else ""
    return (
        f"share of {record.sensitivity.shape[2]} inputs whose score the concept raises{band}\n"
        f"whiskers: 95\u00a0% of {record.runs.shape[2]} runs; * not one half (Holm, {record.level:g}){more}"
    )
