"""The tables of the documentation, written from the methods' own cards.

python docs/tables.py          rewrite the tables between the markers of README.md and docs/taxonomy.md
"""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.core.method import PACES
from pellucid.core.registry import ESTIMATORS, METHODS, METRICS, resolve

README = Path(__file__).parents[1] / "README.md"
TAXONOMY = Path(__file__).parent / "taxonomy.md"


def methods() -> str:
    """One line per public method, and per model that can be read."""
    lines = ["| method | question | needs | inputs | adds up | error bar |", "|---|---|---|---|---|---|"]
    for name in (*METHODS, *ESTIMATORS):
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


def taxonomy() -> str:
    """A section per question, and in it a line per method: scope, access, output, cost, strengths, weaknesses."""
    parts: list[str] = []
    head = "| method | scope | any model | needs | hands back | cost | strengths | weaknesses |"
    for verb in dict.fromkeys(resolve(name).card.verb for name in METHODS):
        asked = (resolve(verb).__doc__ or "").partition("?")[0] + "?"
        parts += [f"## `{verb}`: {asked}", "", head, "|---" * 8 + "|"]
        parts += [_taxon(name) for name in METHODS if resolve(name).card.verb == verb] + [""]
    parts += ["## Models that need no explaining", "", head, "|---" * 8 + "|", *map(_taxon, ESTIMATORS)]
    return "\n".join(parts)


def _taxon(name: str) -> str:
    card = resolve(name).card
    scope = f"{card.scope}, {'intrinsic' if card.intrinsic else 'post-hoc'}"
    failed = f"fails {card.fails}; " if card.fails and "fails" not in card.weaknesses else ""
    cells = [f"`{name}`", scope, "yes" if card.agnostic else "no", card.access, card.output]
    cells += [PACES[card.rows], card.strengths, failed + card.weaknesses]
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def filled(text: str) -> str:
    """The text with the tables between its markers made anew."""
    for name, table in (("methods", methods()), ("metrics", metrics()), ("taxonomy", taxonomy())):
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        text = re.sub(pattern, lambda m, table=table: f"{m[1]}{table}\n{m[2]}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    for page in (README, TAXONOMY):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
