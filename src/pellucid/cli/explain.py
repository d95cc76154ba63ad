"""`pellucid explain`: why this output? One record of some rows of a file."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.asking import Question, Told, answered
from pellucid.cli.common import Source, takes_model
from pellucid.cli.options import (
    ANY_TARGET,
    MethodCommand,
    takes_budget,
    takes_masker,
    takes_method,
    takes_target,
    takes_top,
)
from pellucid.cli.output import plain, print_json
from pellucid.cli.shared import Answer, Material, takes_answer, takes_rows

if TYPE_CHECKING:
    from pellucid.core.records import Attribution


@click.command(cls=MethodCommand, short_help="Why this output? Explain rows of a file.")
@takes_model()
@takes_rows()
@takes_method(None, "As in LIME or 'LIME(samples=500)'; its fields are options.")
@takes_target(ANY_TARGET)
@takes_masker()
@takes_budget
@takes_answer("the usual picture of the record")
@takes_top(8, "Features")
def explain(
    source: Source,
    material: Material,
    answer: Answer,
    method: Any,
    target: Any,
    masker: Any,
    budget: float | None,
    top: int,
) -> None:
    """Explain single outputs of a model.

    \b
    pellucid explain --model model.skops --data rows.csv --label kind
    pellucid explain --model app.models:build --data x.npy --method GradCAM --plot map.png
    pellucid explain --model model.skops --data rows.csv --method LIME --samples 500

    With --method, the fields of that method become options: add --help to see them.
    """
    record, told = answered(source, material, Question(method, target, masker, budget), answer)
    _tell(record, told, answer, top)


def _tell(record: Attribution, told: Told, answer: Answer, top: int) -> None:
    if answer.as_json:
        print_json({**dataclasses.asdict(told), **plain(record)})
        return
    from pellucid.cli import screen

    screen.show_attribution(record, screen.Shown(told.rows, told.labels, told.classes, top))
    screen.out().print(screen.facts([("background", told.background), *answer.written]))
