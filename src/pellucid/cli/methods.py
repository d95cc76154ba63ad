"""`pellucid methods`: what can be asked, from the cards of the methods and metrics themselves."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import click

from pellucid.cli.fields import about, described, hints_of
from pellucid.cli.kinds import unknown
from pellucid.cli.output import plain, print_json
from pellucid.core.registry import ESTIMATORS, MASKERS, METHODS, METRICS, TARGETS, VERBS, resolve

_KINDS = {"method": METHODS, "estimator": ESTIMATORS, "metric": METRICS, "masker": MASKERS, "target": TARGETS}
_SPELLED = {name: kind for kind, table in _KINDS.items() for name in table}


@click.command(short_help="What can be asked: all methods, or one in full.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def methods(name: str | None, as_json: bool) -> None:
    """List the methods with their cards; with NAME, one method (metric, masker, target) with its fields.

    \b
    pellucid methods
    pellucid methods IntegratedGradients
    """
    if name is not None and name not in _SPELLED:
        raise click.BadParameter(unknown(name, "method", _SPELLED), param_hint="NAME")
    if as_json:
        print_json([card_of(each) for each in (*METHODS, *ESTIMATORS)] if name is None else card_of(name))
    elif name is None:
        _show_all()
    else:
        _show_one(card_of(name))


def card_of(name: str) -> dict[str, Any]:
    """All that is known of a public value: its kind, docstring, card and fields."""
    cls = resolve(name)
    card, hints = getattr(cls, "card", None), hints_of(cls if dataclasses.is_dataclass(cls) else cls.__init__)
    return {
        "name": name,
        "kind": _SPELLED[name],
        "about": inspect.getdoc(cls) or "",
        "card": {} if card is None else plain(dataclasses.asdict(card)),
        "fields": [
            {
                "name": field.name,
                "type": described(hints[field.name]),
                "default": None if field.default is field.empty else repr(field.default),
                "about": about(cls, field.name),
            }
            for field in inspect.signature(cls).parameters.values()
        ],
    }


def _show_all() -> None:
    """One table per question and access, since those decide which methods come into question at all."""
    from rich.table import Table
    from rich.text import Text

    from pellucid.cli import screen

    console, cards = screen.out(), {name: resolve(name).card for name in (*METHODS, *ESTIMATORS)}
    widest = max(map(len, cards))
    for group in dict.fromkeys((card.verb, card.access) for card in cards.values()):
        console.print(Text(_heading(*group), style=screen.LOUD))
        made = Table.grid(padding=(0, 2))
        made.add_column(min_width=widest, no_wrap=True)
        made.add_column()
        for name, card in cards.items():
            if (card.verb, card.access) == group:
                needs = Text(f"{', '.join(card.inputs)}; {card.cost.replace('`', '')}", style=screen.QUIET)
                made.add_row(Text(name), Text(card.question).append("\n").append(needs))
        console.print(made)
        console.print()
    console.print(screen.facts([("metrics", ", ".join(METRICS)), ("maskers", ", ".join(MASKERS))]))
    console.print(Text("`pellucid methods NAME` shows one of them in full.", style=screen.QUIET))


def _heading(verb: str, access: str) -> str:
    if verb not in VERBS:
        return f"Models that need no explaining.  {verb}, needs: {access}"
    asked = (inspect.getdoc(resolve(verb)) or verb).partition("?")[0]
    return f"{asked}?  {verb}, needs: {access}"


def _show_one(known: dict[str, Any]) -> None:
    from pellucid.cli import screen

    console, card = screen.out(), known["card"]
    console.print(known["name"], style=screen.LOUD, end="")
    console.print(f"  {known['kind']}", style=screen.QUIET)
    console.print(known["about"] + "\n", markup=False)
    words = {True: "yes", False: "no"}
    console.print(
        screen.facts(
            (key.replace("_", " "), ", ".join(map(str, fact)) if isinstance(fact, list) else words.get(fact, fact))
            for key, fact in card.items()
            if fact not in (None, "", [], [None, None])
        )
    )
    if known["fields"]:
        made = screen.table("field", "type", "default", "meaning")
        for field in known["fields"]:
            made.add_row(field["name"], field["type"], field["default"] or "needed", field["about"])
        console.print(made)
    console.print(f"written as  {_example(known)}", style=screen.QUIET, markup=False)


def _example(known: dict[str, Any]) -> str:
    fields = ", ".join(f"{field['name']}={field['default'] or '...'}" for field in known["fields"])
    return f"{known['name']}({fields})"
