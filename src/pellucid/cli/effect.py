"""`pellucid effect`: how does the score move with a column, or with two?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import Source, doubting, takes_data, takes_label, takes_model
from pellucid.cli.options import ANY_TARGET, MethodCommand, takes_method, takes_target
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost

if TYPE_CHECKING:
    from pathlib import Path

    from pellucid.core.effect import Effect


@click.command(cls=MethodCommand, short_help="How does the score move with a column?")
@takes_model()
@takes_data
@takes_label("no feature, and not used")
@click.option(
    "--feature", "features", multiple=True, required=True, metavar="COLUMN", help="A column; give two for a surface."
)
@takes_method("PartialDependence", "As in AccumulatedLocalEffects; its fields are options.")
@takes_target(ANY_TARGET)
@takes_answer("the curve, over the curves of single rows")
def effect(
    source: Source,
    data: Path,
    label: str | None,
    features: tuple[str, ...],
    answer: Answer,
    method: Any,
    target: Any,
) -> None:
    """Show how a model's score moves with one column of a file, or with two.

    \b
    pellucid effect --model model.skops --data rows.csv --label kind --feature age --plot age.png
    pellucid effect --model model.skops --data rows.csv --label kind --feature age --method AccumulatedLocalEffects
    """
    with own_stdout():
        record = _found(source, data, label, features, method, target)
        keep(record, answer)
    if answer.as_json:
        print_json(plain(record))
        return
    from pellucid.cli import screen

    screen.show_frame(record.to_frame())
    tell_cost(record, answer)


def _found(
    source: Source, data: Path, label: str | None, features: tuple[str, ...], method: Any, target: Any
) -> Effect:
    import dataclasses

    from pellucid.cli import screen
    from pellucid.cli.data import read_rows, suited
    from pellucid.core.registry import resolve

    table, model = read_rows(data, label), source.load()
    with doubting(table), screen.waiting("asking the model"):
        x, names = suited(model, table.x)
        places = [_place(feature, names) for feature in features]
        asked = places[0] if len(places) == 1 else places
        record: Effect = resolve("effect")(model, x, asked, method, target=target)
    return record if names is None else dataclasses.replace(record, features=features)


def _place(feature: str, names: tuple[str, ...] | None) -> str | int:
    """A column as the model's rows know it: its name, or where it stands in an array."""
    if names is not None and feature in names:
        return names.index(feature)
    return int(feature) if feature.isdigit() else feature
