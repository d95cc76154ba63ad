"""Whose training made the model say this: the strongest examples for and against one query, and who is hard to predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from pellucid.core.difficulty import Difficulty
from pellucid.core.errors import InputError
from pellucid.core.influence import Influence
from pellucid.plot._bar import draw_bars, height_of
from pellucid.plot._labels import Named, number
from pellucid.plot._style import GREY, LINES, SMALL, dress, message, paper


def influence(
    record: Influence,
    query: int = 0,
    ax: Axes | None = None,
    *,
    k: int = 5,
    names: Sequence[str] | None = None,
    asked: str | None = None,
) -> Axes:
    """The k examples that helped this query most and the k that harmed it most.

    `names` (n,) says what the examples are, `asked` what the query is.
    """
    if not 0 <= query < len(record):
        raise InputError(f"query {query} is out of range: there are {len(record)}, from 0 to {len(record) - 1}.")
    shown = [(i, score) for i, score in record.proponents(k, query) if score > 0]
    shown += [(i, score) for i, score in record.opponents(k, query)[::-1] if score < 0]
    ax = paper(ax, height_of(len(shown)))
    title = f"{record.receipt.method.partition('(')[0]}, {asked or f'query {query}'}"
    if not shown:
        return message(ax, "no training example has any influence on this query", title)
    order, values = [i for i, _ in shown], np.array([score for _, score in shown])
    stderr = np.full(len(order), np.nan) if record.stderr is None else record.stderr[query, order]
    draw_bars(ax, Named([f"example {i}" if names is None else str(names[i]) for i in order], values, stderr))
    unit = (
        "rise of the query's loss without the example, to first order"
        if record.unit == "loss"
        else "product of gradients"
    )
    said = f"{unit}\npositive: training on it lowers the query's loss, which is {number(float(record.losses[query]))}"
    return dress(ax, title, said)


def difficulty(record: Difficulty, ax: Axes | None = None) -> Axes:
    """How many of the errors lie among the hardest rows; without true classes, the scores from the hardest down."""
    ax = paper(ax, 3.2)
    shares, order = np.arange(len(record) + 1) / len(record), record.order
    title = record.receipt.method.partition("(")[0]
    if record.wrong is None:
        ax.plot(shares[1:], record.scores[order], color=LINES[2], linewidth=1.8)
        return dress(ax, title, "share of the rows, the hardest first", "score")
    wrong = record.wrong[order]
    ax.plot(
        shares, np.concatenate([[0], wrong.cumsum()]) / max(1, wrong.sum()), color=LINES[2], linewidth=1.8, label=title
    )
    ax.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (4, 2)), label="chance")
    ax.legend(fontsize=SMALL, frameon=False)
    said = f"{int(wrong.sum())} of {len(wrong):,} rows are wrong"
    if 0 < wrong.sum() < len(wrong):
        area, low, high = record.auroc()
        said += f"; a wrong row scores above a right one in {area:.0%} of pairs ({low:.0%} to {high:.0%})"
    return dress(ax, title, f"share of the rows, the hardest first\n{said}", "share of the errors found")
