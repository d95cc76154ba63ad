"""`pellucid distill`: what would a model that can be read say in its place? Its rules in words, with their fidelity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.common import NewFile, Source, doubting, takes_data, takes_label, takes_model
from pellucid.cli.options import takes_target
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost

_KINDS = ("tree", "linear", "rules", "set", "points")


@click.command(short_help="What would a model that can be read say in its place?")
@takes_model()
@takes_data
@takes_label("no feature, and not used")
@click.option("--into", type=click.Choice(_KINDS), default="tree", show_default=True, help="What is fitted.")
@takes_target("A score to be learned by a tree or a linear model.")
@click.option(
    "--fresh",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.25,
    show_default=True,
    metavar="SHARE",
    help="Rows kept from the fit, to measure fidelity.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the rows that are kept.")
@click.option("--page", type=NewFile((".html",)), metavar="FILE.html", help="The card as a page to be printed.")
@takes_answer("the card")
def distill(
    source: Source,
    data: Path,
    label: str | None,
    into: str,
    target: Any,
    fresh: float,
    seed: int,
    page: Path | None,
    answer: Answer,
) -> None:
    """Fit a model that can be read to what a model says of the rows of a file.

    \b
    pellucid distill --model model.skops --data rows.csv --label kind --into rules
    pellucid distill --model model.skops --data rows.csv --into points --page card.html
    """
    from pellucid.cli.data import read_rows, suited
    from pellucid.core.registry import resolve

    with own_stdout():
        table, model = read_rows(data, label), source.load()
        with doubting(table):
            x, names = suited(model, table.x)
            made = resolve("distill")(model, x, into, target=target, fresh=fresh, seed=seed, names=names)
        card = resolve("model_card")(made)
        keep(card, answer)
        if page is not None:
            resolve("card_page")(card, page)
    _tell(made.fidelity_, card, answer, page)


def _tell(fidelity: Any, card: Any, answer: Answer, page: Path | None) -> None:
    if answer.as_json:
        print_json({"fidelity": plain(fidelity), "card": plain(card), "sentences": card.sentences()})
        return
    from rich.text import Text

    from pellucid.cli import screen

    console = screen.out()
    console.print(Text(card.kind, style=screen.LOUD))
    console.print(Text(str(card)))
    console.print(Text(f"\n{fidelity.sentence}\n"))
    tell_cost(fidelity, answer, [("written", str(page))] if page is not None else [])
