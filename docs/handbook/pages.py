"""The pages: one per method and metric, their overviews, and how to read a receipt; all of it Markdown."""

from __future__ import annotations

import importlib
import json
from typing import Any

from handbook.figures import Drawn
from handbook.prose import bullets, fields, headline, markdown, plain
from pellucid.core.registry import METHODS, METRICS, resolve

# What a family of methods is called; a new one is called after its folder.
FAMILIES = {
    "gradient": "Gradients",
    "cam": "Class activation maps",
    "removal": "Removal",
    "anchor": "Rules",
    "shapley": "Shapley values",
    "effect": "Importance and effects",
    "example": "Examples",
    "influence": "Influence of training data",
    "label": "Wrong labels",
    "counterfactual": "Counterfactuals",
    "concept": "Concepts",
    "representation": "Representations",
    "vision": "What a unit looks for",
    "glassbox": "Models that need no explaining",
}


def family(name: str) -> str:
    """The family that a public method's module lies in."""
    folder = METHODS[name].split(".")[2]
    return FAMILIES.get(folder, folder.capitalize())


def families() -> dict[str, list[str]]:
    """Methods by family, in the order of the public table."""
    found: dict[str, list[str]] = {}
    for name in METHODS:
        found.setdefault(family(name), []).append(name)
    return found


def method(name: str, drawn: Drawn | None) -> str:
    """The page of one method."""
    cls = resolve(name)
    card = cls.card
    facts = {
        "asked by": f"`{card.verb}`",
        "asks about": {"local": "single rows", "global": "the model as a whole"}.get(card.scope, card.scope),
        "needs": f"{card.access}{' (any model)' if card.agnostic else ''}",
        "inputs": ", ".join(card.inputs),
        "hands back": card.output,
        "cost": card.cost,
        "adds up": "yes: values sum to the score less a base value, and `gap` says how nearly"
        if card.complete
        else "no",
        "error bar": "yes: `stderr`, one for each value" if card.sampled else "no random numbers",
        "known to fail": card.fails,
        "paper": card.paper,
    }
    both = [f"## Strengths\n\n{bullets(card.strengths)}", f"## Weaknesses\n\n{bullets(card.weaknesses)}"]
    line = f"On the command line: `pellucid methods {name}` prints this card."
    return _page(name, METHODS[name], card.question, drawn, facts, both, line)


def metric(name: str, drawn: Drawn | None) -> str:
    """The page of one metric."""
    card = resolve(name).card
    facts = {
        "better": card.direction,
        "range": f"{card.range[0]:g} to {card.range[1]:g}",
        "what chance gets": card.chance,
        "passes beyond": f"{card.bar:g}, a convention" if card.bar is not None else "",
        "needs besides the values": ", ".join(card.needs),
        "reads if given": ", ".join(getattr(card, "takes", ())),
        "does not tell from the truth": ", ".join(card.blind),
        "cost": card.cost,
        "paper": card.paper,
    }
    weak = f"## Weaknesses\n\n{bullets(card.weaknesses)}"
    return _page(name, METRICS[name], card.question, drawn, facts, [weak], "")


def _page(
    name: str, module: str, question: str, drawn: Drawn | None, facts: dict[str, str], more: list[str], line: str
) -> str:
    lead, idea = headline(importlib.import_module(module).__doc__ or "")
    parts = [
        f"# {name}",
        f"**{plain(question)}**",
        plain(lead),
        *([_figure(name, drawn)] if drawn else []),
        "## At a glance",
        table(["", ""], [[key, plain(value)] for key, value in facts.items() if value]),
        f"## The idea\n\n{markdown(idea)}",
        "## What can be set",
        _settings(resolve(name)),
        *more,
        *([line] if line else []),
        f"Source: `src/{module.replace('.', '/')}.py`",
    ]
    return "\n\n".join(parts) + "\n"


def _figure(name: str, drawn: Drawn) -> str:
    """The picture, the call that made it, and its receipt behind a fold."""
    receipt = drawn.receipt
    told = [f"{receipt.rows_forward:,} model rows forward and {receipt.rows_backward:,} backward"]
    if receipt.gap is not None:
        told.append(f"largest gap {receipt.gap:.2g}")
    if receipt.stderr is not None:
        told.append(f"largest standard error {receipt.stderr:.2g}")
    if receipt.layer is not None:
        told.append(f"layer {receipt.layer}")
    code = json.dumps({k: v for k, v in json.loads(receipt.to_json()).items() if v not in (None, [], {})}, indent=2)
    folded = "\n".join(f"    {text}" for text in ["```json", *code.split("\n"), "```"])
    seen = f"![What {name} says of {drawn.world}]({drawn.file.name})" if drawn.file else f"```text\n{drawn.words}\n```"
    return (
        f"{seen}\n\n*Asked when this page was made, of {plain(drawn.world)}: {plain(', '.join(told))}.*\n\n"
        f"```python\n{drawn.call}\n```\n\n"
        f'??? note "The whole receipt"\n\n{folded}'
    )


def _settings(cls: Any) -> str:
    known = fields(cls)
    if not known:
        return "Nothing."
    rows = [[f"`{f.name}`", f"`{f.kind}`", f"`{f.default}`", plain(f.meaning)] for f in known]
    return table(["field", "type", "default", "meaning"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def overview(title: str, lead: str, groups: dict[str, list[str]]) -> str:
    """Every method or metric in a line of its own, by family: its question, and the way to its page."""
    parts = [f"# {title}", lead]
    for group, names in groups.items():
        rows = [[f"[{name}]({name}.md)", plain(resolve(name).card.question)] for name in names]
        parts += [*([f"## {group}"] if group else []), table(["name", "question"], rows)]
    return "\n\n".join(parts) + "\n"
