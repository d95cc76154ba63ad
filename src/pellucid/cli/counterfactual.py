"""`pellucid counterfactual`: what would change this output? The nearest rows with another answer, for some rows of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.asking import Question, Told, answered, row_title, tell_sentences
from pellucid.cli.common import Source, takes_model
from pellucid.cli.options import MethodCommand, takes_budget, takes_masker, takes_method, takes_target
from pellucid.cli.shared import Answer, Material, takes_answer, takes_rows

if TYPE_CHECKING:
    from pellucid.core.counterfactuals import Counterfactuals


@click.command(cls=MethodCommand, short_help="What would change it? The nearest other rows.")
@takes_model()
@takes_rows(size=1000, usual_help="the other rows of the file are the default")
@takes_method("Wachter", "As in 'Recourse(answers=3)'; see below.")
@takes_target("The wanted class, or 'Between(0.7, 1)'; else any other.")
@click.option(
    "--constraint",
    "constraints",
    multiple=True,
    metavar="RULE",
    help="\"Immutable('sex')\", \"Range('hours', 0, 60)\" or 'debt <= income'; may be given again.",
)
@click.option("--density", type=click.Choice(["neighbours", "lof"]), help="Draw answers to where the data are.")
@takes_masker()
@takes_budget
@takes_answer("the answers")
def counterfactual(
    source: Source,
    material: Material,
    answer: Answer,
    method: Any,
    target: Any,
    masker: Any,
    budget: float | None,
    constraints: tuple[str, ...],
    density: str | None,
) -> None:
    """Find the smallest changes of single rows that give another output, checked on the model.

    \b
    pellucid counterfactual --model model.skops --data rows.csv --label kind --target good
    pellucid counterfactual --model model.skops --data rows.csv --method Recourse --constraint "Immutable('sex')"
    pellucid counterfactual --model app.models:build --data photos.npy --method SEDC --masker "Superpixels()"
    pellucid counterfactual --model reader.skops --data reviews.csv --label loved --method Substitution --background more.csv
    """
    more = {"constraints": list(constraints) or None, "density": density}
    question = Question(method, target, masker, budget, verb="counterfactual", more=more)
    record, told = answered(source, material, question, answer)
    tell_sentences(record, told, answer, _show_row)


def _show_row(record: Counterfactuals, i: int, told: Told) -> None:
    """The answers of one row in words, and below them what the first one comes to."""
    from rich.text import Text

    from pellucid.cli import screen

    console = screen.out()
    console.print(row_title(told, i))
    for k in range(max(1, sum(cost == cost for cost in record.costs[i].tolist()))):
        console.print(Text(record.sentence(i, k)))
    if record.valid[i]:
        moved = f"{record.scores[i]:.4g} to {record.new_scores[i]:.4g}"
        console.print(screen.facts([("score", moved), ("cost", f"{record.cost[i]:.4g}")]))
    console.print()
