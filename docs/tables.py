"""The tables of the documentation, written from the methods' own cards.

python docs/tables.py          rewrite the tables between the markers of README.md
"""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.core.registry import METHODS, METRICS, resolve

README = Path(__file__).parents[1] / "README.md"


def methods() -> str:
    """One line per public method."""
    lines = ["| method | question | needs | inputs | adds up | error bar |", "|---|---|---|---|---|---|"]
    for name in METHODS:
        card = resolve(name).card
        marks = " | ".join("yes" if flag else "" for flag in (card.complete, card.sampled))
        lines.append(f"| `{name}` | {card.question} | {card.access} | {', '.join(card.inputs)} | {marks} |")
    return "\n".join(lines)


def metrics() -> str:
    """One line per public metric."""
    lines = ["| metric | question | better | what chance gets |", "|---|---|---|---|"]
    for name in METRICS:
        card = resolve(name).card
        lines.append(f"| `{name}` | {card.question} | {card.direction} | {card.chance} |")
    return "\n".join(lines)


def filled(text: str) -> str:
    """The text with the tables between its markers made anew."""
    for name, table in (("methods", methods()), ("metrics", metrics())):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        text = re.sub(pattern, lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
