"""One row of a record -> what a participant sees of the input, and of its explanation.

Tables become facts and bars, texts become prose and coloured words, pictures become PNGs drawn by `pellucid.plot`.
"""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid import plot
from pellucid.core.errors import InputError
from pellucid.studies.human.blocks import Bars, Block, Facts, Picture, Prose, Words

if TYPE_CHECKING:
    from pellucid.core.records import Attribution

_SIDE, _DOTS = 3.2, 110  # inches of a picture, dots an inch: sharp on a phone, small in the page
_LARGEST = 10  # bars shown
_ROUNDING = 1e-9  # of the largest value


def seen(record: Attribution, row: int, title: str = "", marked: tuple[str, ...] = ()) -> tuple[Block, ...]:
    """The input alone."""
    if record.layout == "table":
        return (Facts(_facts(record, row), title, marked),)
    if record.layout == "tokens":
        return (Prose(_text(record, row), title or "Text"),)
    uri = png(lambda ax: plot.picture(record, row, ax=ax), record.spatial)
    return (Picture(uri, alt=title or "the input", caption=title),)


def explained(record: Attribution, row: int, speaks_for: str = "", title: str = "Explanation") -> tuple[Block, ...]:
    """The explanation alone; `speaks_for` says what positive values argue for."""
    if not record.done[row]:
        raise InputError(f"row {row} was left out by a budget: explain it, or take other rows.")
    caption = _caption(record.layout, speaks_for or "the answer that is explained")
    if record.layout == "table":
        return (Bars(tidy(record.top(_LARGEST, row)), title, caption),)
    if record.layout == "tokens":
        return (Words(tidy(_parts(record, row)), title, caption),)
    uri = png(lambda ax: plot.image(record, row, ax=ax, key="none"), record.spatial)
    return (Picture(uri, alt=f"{title}: {caption}", caption=f"{title}. {caption}"),)


def tidy(rows: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Values without the rounding that would give nothing a sign."""
    largest = max((abs(value) for _, value in rows), default=0.0)
    return tuple((name, value if abs(value) > _ROUNDING * largest else 0.0) for name, value in rows)


def _caption(layout: str, what: str) -> str:
    kinds = {
        "table": "Bars to the right (red) speak for {}, bars to the left (blue, hatched) against.",
        "tokens": "Red words with a solid line speak for {}, blue words with a dashed line against; stronger colour, stronger say.",
    }
    return kinds.get(layout, "Red places speak for {}, blue, hatched places against.").format(what)


def _facts(record: Attribution, row: int) -> tuple[tuple[str, str], ...]:
    """Names and values as a person knows them: levels by name."""
    cells = record.data[row : row + 1]
    values = cells if record.schema is None or cells.dtype == object else record.schema.readable(cells)
    names = record.feature_names or tuple(f"x{j}" for j in range(cells.shape[1]))
    return tuple((name, written(value)) for name, value in zip(names, values[0].tolist(), strict=True))


def written(value: Any) -> str:
    """A value in four digits; what is missing is called so."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "missing"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _text(record: Attribution, row: int) -> str:
    return record.texts[row] if record.texts is not None else "".join(word for word, _ in _parts(record, row))


def _parts(record: Attribution, row: int) -> tuple[tuple[str, float], ...]:
    """The text cut where its parts begin and end, each piece with the value of its part, 0 between parts."""
    if record.texts is None or record.players is None or record.players.labels is None:
        return _joined(record, row)
    text, (_, values, _) = record.texts[row], record.players.row(row)
    runs = itertools.groupby(zip(text, record.players.labels[row].tolist(), strict=False), key=lambda pair: pair[1])
    return tuple(("".join(letter for letter, _ in run), float(values[k]) if k >= 0 else 0.0) for k, run in runs)


def _joined(record: Attribution, row: int) -> tuple[tuple[str, float], ...]:
    """The record's parts in reading order with spaces between, where nobody knows the text itself."""
    values, cells = record.values[row], record.data[row]
    present = np.ones(len(values), bool) if record.mask is None else record.mask[row].astype(bool)
    pairs = zip(cells[present], values[present], strict=True)
    return tuple(piece for word, value in pairs for piece in ((str(word), float(value)), (" ", 0.0)))


def png(draw: Any, space: tuple[int, ...]) -> str:
    """What `draw(ax)` draws, without words, as a PNG in a data URI."""
    height = _SIDE * space[0] / space[1] if len(space) == 2 else _SIDE / 2
    figure = Figure(figsize=(_SIDE, float(np.clip(height, 0.8, 2 * _SIDE))))
    _undressed(draw(figure.add_axes((0.01, 0.01, 0.98, 0.98))))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _undressed(ax: Axes) -> None:
    ax.set_title("")
    ax.set_title("", loc="left")
    ax.set_xlabel("")
