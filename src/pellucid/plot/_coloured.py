"""Texts on grounds coloured by their values, as HTML and for the terminal: red raises the score, blue and underlined lowers it.

The text is written whole, with what stands between its parts; whatever it holds is put in as text, never as markup. A question and
its context stand on lines of their own, and the answer whose number is explained in brackets.
"""

from __future__ import annotations

import html
from itertools import groupby

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.pairs import BREAK
from pellucid.core.records import Attribution
from pellucid.core.span import Span
from pellucid.plot._labels import equation, row_of, title
from pellucid.plot._paint import limit_of
from pellucid.plot._style import DIVERGING, INK, symmetric

Segment = tuple[str, float | None]  # a run of characters, and the value of its part; None between parts


def text_html(attribution: Attribution, row: int = 0, *, join: str | None = None, limit: float | None = None) -> str:
    """One row's text as a piece of HTML that needs nothing else; `join="words"` adds subwords up."""
    segments, limit = _prepared(attribution, row, join, limit)
    pieces = [_span(said, value, limit) for said, value in segments]
    key = "; red raises, blue over a dashed line lowers" if any((value or 0) < 0 for _, value in segments) else ""
    head = html.escape(f"{title(attribution, row)}: {equation(attribution, row)}{key}")
    style = f"margin:0;font-family:sans-serif;color:{INK}"
    body = f'<p style="line-height:1.9;white-space:pre-wrap">{"".join(pieces)}</p>'
    return f'<figure style="{style}"><figcaption>{head}</figcaption>{body}</figure>'


def text_terminal(
    attribution: Attribution, row: int = 0, *, join: str | None = None, limit: float | None = None
) -> str:
    """One row's text with the terminal's colours."""
    segments, limit = _prepared(attribution, row, join, limit)
    return "".join(_painted(said, value, limit) for said, value in segments)


def _prepared(attribution: Attribution, row: int, join: str | None, limit: float | None) -> tuple[list[Segment], float]:
    """The runs of one row's text, and the value of full colour."""
    row = row_of(attribution, row)
    record = attribution[np.array([row])]
    record = record if join is None else record.joined(join)
    players = record.players
    if record.texts is None or players is None or players.labels is None:
        raise InputError("a text is coloured by the characters of its parts: explain a list of strings.")
    values = np.where(np.isfinite(players.values[0]), players.values[0], 0.0)
    text, at = record.texts[0], 0
    segments: list[Segment] = []
    start, stop = answer_of(record)
    inside = [start <= place < stop for place in range(len(text))]
    for (player, answers), run in groupby(zip(players.labels[0, : len(text)].tolist(), inside, strict=True)):
        first, at = at, at + len(list(run))
        said = text[first:at].replace(BREAK, "\n")
        segments += [("[", None)] if answers and first == start else []
        segments.append((said, float(values[player]) if player >= 0 else None))
        segments += [("]", None)] if answers and at == stop else []
    return segments, limit_of(values if values.size else np.zeros(1), limit)[0]


def answer_of(record: Attribution) -> tuple[int, int]:
    """Which characters of a record of one row are the answer that it explains; none where it explains no answer's place."""
    if not (isinstance(record.target, Span) and record.texts is not None):
        return 0, 0
    start, stop = record.target.places(list(record.texts))[0].tolist()
    return start, stop


def _ground(value: float, limit: float) -> tuple[int, int, int]:
    """The colour behind a value, as three bytes."""
    share = np.clip(value, -limit, limit)
    red, green, blue, _ = DIVERGING(symmetric(limit)(share)) if limit > 0 else (1.0, 1.0, 1.0, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _dark(ground: tuple[int, int, int]) -> bool:
    return bool(np.dot(ground, (0.299, 0.587, 0.114)) < 128)


def _span(said: str, value: float | None, limit: float) -> str:
    if value is None:
        return html.escape(said)
    ground = _ground(value, limit)
    ink = "#ffffff" if _dark(ground) else INK
    below = "border-bottom:2px dashed;" if value < -limit / 8 else ""
    style = f"background:rgb({','.join(map(str, ground))});color:{ink};{below}border-radius:3px;padding:1px"
    return f'<span title="{value:+.4g}" style="{style}">{html.escape(said)}</span>'


def _painted(said: str, value: float | None, limit: float) -> str:
    shown = "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in said)
    if value is None:
        return shown
    ground = _ground(value, limit)
    ink = "255;255;255" if _dark(ground) else "0;0;0"
    below = "4;" if value < -limit / 8 else ""
    return f"\x1b[{below}38;2;{ink};48;2;{ground[0]};{ground[1]};{ground[2]}m{shown}\x1b[0m"
