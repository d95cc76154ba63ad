"""`pellucid counterfactual`: what would change this output? The nearest rows with another answer, for some rows of a file."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.asking import Told, answered, row_title, tell_sentences
from pellucid.cli.common import Source, takes_model
from pellucid.cli.options import METHOD, MethodCommand, TargetType, takes_budget, takes_masker
from pellucid.cli.shared import Answer, Material, takes_answer, takes_rows

if TYPE_CHECKING:
    from pellucid.core.counterfactuals import Counterfactuals


@dataclasses.dataclass(frozen=True)
class Wish:
    """What answer is wanted, by which method, within which constraints."""

    method: Any
    target: Any
    constraints: tuple[str, ...]
    density: str | None
    masker: Any
    seconds: float | None
    verb: str = "counterfactual"

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any:
        from pellucid.api import counterfactual as verb
        from pellucid.core.budget import Budget

        return verb(
            model,
            x,
            self.method,
            target=self.target,
            background=background,
            constraints=list(self.constraints) or None,
            density=self.density,
            masker=self.masker,
            names=names,
            budget=None if self.seconds is None else Budget(seconds=self.seconds),
            progress=progress,
        )


@click.command(cls=MethodCommand, short_help="What would change it? The nearest other rows.")
@takes_model()
@takes_rows(size=1000, usual_help="the other rows of the file are the default")
@click.option(
    "--method", type=METHOD, default="Wachter", metavar="METHOD", help="As in 'Recourse(answers=3)'; see below."
)
@click.option(
    "--target", type=TargetType(), metavar="TARGET", help="The wanted class, or 'Between(0.7, 1)'; else any other."
)
@click.option(
    "--constraint",
    "constraints",
    multiple=True,
    metavar="RULE",
    help="\"Immutable('sex')\", \"Range('hours', 0, 60)\" or 'debt <= income'; may be given again.",
)
@click.option("--density", type=click.Choice(["neighbours", "lof"]), help="Draw answers to where the data are.")
@takes_masker
@takes_budget
@takes_answer("the answers")
def counterfactual(source: Source, material: Material, answer: Answer, budget: float | None, **asked: Any) -> None:
    """Find the smallest changes of single rows that give another output, checked on the model.

    \b
    pellucid counterfactual --model model.skops --data rows.csv --label kind --target good
    pellucid counterfactual --model model.skops --data rows.csv --method Recourse --constraint "Immutable('sex')"
    pellucid counterfactual --model app.models:build --data photos.npy --method SEDC --masker "Superpixels()"
    """
    record, told = answered(source, material, Wish(**asked, seconds=budget), answer)
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
