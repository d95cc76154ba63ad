"""`pellucid anchor`: what is enough for this output? One rule for each of some rows of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.asking import Question, Told, answered, row_title, tell_sentences
from pellucid.cli.common import Source, takes_model
from pellucid.cli.options import MethodCommand, takes_budget, takes_masker, takes_method, takes_target
from pellucid.cli.shared import Answer, Material, takes_answer, takes_rows

if TYPE_CHECKING:
    from pellucid.core.rules import Rules


@click.command(cls=MethodCommand, short_help="What is enough? A rule for rows of a file.")
@takes_model()
@takes_rows(size=1000)
@takes_method("Anchors", "As in 'Anchors(threshold=0.9)'; see below.")
@takes_target("Whether it is this class, or 'Margin(0, 1)'; else its class.")
@takes_masker("Rules on parts that are there, as in 'Grid(window=16)'.")
@takes_budget
@takes_answer("the rules")
def anchor(
    source: Source, material: Material, answer: Answer, method: Any, target: Any, masker: Any, budget: float | None
) -> None:
    """Find rules that are enough for single outputs of a model, whatever the rest of the row is.

    \b
    pellucid anchor --model model.skops --data rows.csv --label kind
    pellucid anchor --model model.skops --data rows.csv --rows 3 --threshold 0.9 --out rules.npz
    """
    question = Question(method, target, masker, budget, verb="anchor")
    record, told = answered(source, material, question, answer)
    tell_sentences(record, told, answer, _show_rule, parts=record.labels)


def _show_rule(record: Rules, i: int, told: Told) -> None:
    """The rule of one row in words, and below it what is known of the rule."""
    from rich.text import Text

    from pellucid.cli import screen

    where = f"if {record.words(i)}" if record.rules[i] else "whatever the row"
    whole = "perturbed inputs" if record.covered is None else f"{record.background_rows:,} background rows"
    held = f"{record.precision[i]:.1%} of {record.samples[i]:,} perturbed rows, {record.low[i]:.1%} to {record.high[i]:.1%}"
    console = screen.out()
    console.print(row_title(told, i))
    console.print(Text(f"{where}, then {record.answers[i]}"))
    console.print(screen.facts([("precision", held), ("applies to", f"{record.coverage[i]:.1%} of {whole}")]))
    if not record.reached[i]:
        screen.warn(console, ["no rule reached the threshold: this is the most precise one that was found"])
    console.print()
