"""A result -> one HTML page that needs nothing else: the finding, two orders side by side, tables, remedies, every answer.

Whatever a plan or a model said is put in as text, escaped; the page runs no script and its style is allowed by its hash.
"""

from __future__ import annotations

import base64
import io
import json
import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pellucid import plot
from pellucid.core.positional import BiasLine, Combination, PositionalBias, p_text
from pellucid.core.records import Attribution
from pellucid.core.sealed import environment, policy
from pellucid.core.store import appearing
from pellucid.studies.human.report import three

_SHOWN = 3  # combinations in full
_LEVELS = 8  # shades of a colour


@dataclass(frozen=True)
class Token:
    """A token as it is shown: its text, its value, its shade, and whether a space stands before it."""

    text: str
    value: float
    shade: str
    spaced: bool


def write_page(result: PositionalBias, path: str | Path) -> Path:
    """Write the page of a result."""
    with appearing(Path(path)) as partial:
        partial.write_text(render(result), encoding="utf-8")
    return Path(path)


def render(result: PositionalBias) -> str:
    """The whole page as text."""
    style = _style()
    env = environment("pellucid.studies.positional_bias")
    env.filters |= {"three": three, "signed": signed, "share": share, "p": p_text}
    figures = [_png(plot.orders(result))] + ([_png(plot.roles(result))] if result.roles else [])
    page: str = env.get_template("positional_bias.html").render(
        result=result,
        whole=result.line("all", "all"),
        lines=[line for line in result.lines if line.by in ("all", "category", "style")],
        pairs=[line for line in result.lines if line.by == "pair"],
        control=next((line for line in result.lines if line.by == "control"), None),
        shown=[_side_by_side(result, place) for place in _largest(result)],
        roles=[line for line in result.roles if line.order == "both"],
        figures=figures,
        side=side,
        policy=policy(style),
        style=Markup(style),
        plan=json.dumps(result.plan, indent=1, ensure_ascii=False),
        receipt=result.receipt.to_json(),
    )
    return page


def _style() -> str:
    shared = files("pellucid.studies.human") / "templates" / "study.css"
    own = files("pellucid.studies.positional_bias") / "templates" / "positional_bias.css"
    shades = "".join(
        f".tokens .{sign}{level} {{ background: rgb({colour} / {0.75 * level / _LEVELS:.2f}); }}\n"
        for sign, colour in (("p", "193 39 45"), ("m", "33 102 172"))
        for level in range(1, _LEVELS + 1)
    )
    return shared.read_text(encoding="utf-8") + own.read_text(encoding="utf-8") + shades


def _largest(result: PositionalBias) -> list[int]:
    """Places among the explained combinations, the largest swings first."""
    swings = [abs(result.combinations[number].swing) for number in result.explained]
    return sorted(range(len(swings)), key=lambda place: -swings[place])[:_SHOWN]


def _side_by_side(result: PositionalBias, place: int) -> dict[str, Any]:
    """One combination: the words of both orders on one scale of colours."""
    one, record = result.combinations[result.explained[place]], result.attributions[place]
    assert record.players is not None
    limit = float(max(max(abs(record.players.row(row)[1]), default=0.0) for row in (0, 1)))
    orders = [
        {
            "reply": reply,
            "tokens": tokens(record, row, limit),
            "base": float(record.base_values[row]),
            "error": _error(record, row),
        }
        for row, reply in enumerate((one.a_first, one.b_first))
    ]
    return {"one": one, "orders": orders}


def tokens(record: Attribution, row: int, limit: float) -> list[Token]:
    """The tokens of one row in order of reading; shades go from p8 (towards a) to m8 (towards b)."""
    assert record.players is not None and record.players.labels is not None and record.texts is not None
    names, values, _ = record.players.row(row)
    labels, text = record.players.labels[row].tolist(), record.texts[row]
    made = []
    for player, (name, value) in enumerate(zip(names, values.tolist(), strict=True)):
        start = labels.index(player)
        level = 0 if not limit else math.ceil(_LEVELS * abs(value) / limit - 0.5)
        shade = f"{'p' if value > 0 else 'm'}{level}" if level else "none"
        made.append(Token(name, value, shade, start > 0 and text[start - 1].isspace()))
    return made


def _error(record: Attribution, row: int) -> float:
    """The largest standard error of a token's value; zero where all coalitions were asked."""
    assert record.players is not None
    _, _, stderr = record.players.row(row)
    return 0.0 if stderr is None or not len(stderr) else float(stderr.max())


def side(one: Combination | BiasLine) -> str:
    """Which position is favoured, in words."""
    kind = one.outcome if isinstance(one, Combination) else "first" if one.first > one.second else "second"
    return {
        "same": "same answer",
        "first": "the one named first",
        "second": "the one named second",
        "unclear": "no clear answer",
    }[kind]


def signed(value: float) -> str:
    """Two digits behind the point, and the sign; a dash for what is not known."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "\u2212") if math.isfinite(value) else "\u2013"


def share(value: float) -> str:
    """A share in per cent."""
    return f"{100 * value:.0f}\u00a0%" if math.isfinite(value) else "\u2013"


def _png(axes: Any) -> str:
    buffer = io.BytesIO()
    axes.figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
