"""`pellucid probe`: can a label be read off the layers of a network, and is that the layers' merit?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import Source, doubting, takes_data, takes_label, takes_model
from pellucid.cli.options import MethodCommand, takes_method
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, takes_layers, tell_cost
from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.core.probe_result import ProbeResult


@click.command(cls=MethodCommand, short_help="Can this label be read off a layer?")
@takes_model()
@takes_data
@takes_label("what is to be read off the layers", required=True)
@takes_layers
@click.option(
    "--control", metavar="COLUMN", help="A column of the table with each row's type, for control tasks; no input."
)
@takes_method("LinearProbe", "Its fields are options; see below.")
@takes_answer("accuracy, control accuracy and selectivity over layers")
def probe(
    source: Source,
    answer: Answer,
    data: Path,
    label: str,
    layers: tuple[str, ...],
    control: str | None,
    method: Any,
) -> None:
    """Read a label off inner layers of a network, beside control labels that only memory can read.

    \b
    pellucid probe --model app.models:build --data pictures.npz --label kind --layer "blocks.*"
    pellucid probe --model app.models:reader --data reviews.csv --label liked --layer "encoder.layer.*" --plot curve.png
    """
    from pellucid.cli import screen
    from pellucid.cli.data import read_rows, suited
    from pellucid.core.registry import resolve

    with own_stdout():
        model, table = source.load(), read_rows(data, label)
        x, types = _without(table.x, control, table.source)
        with doubting(table), screen.progress("looking") as heard:
            record = resolve("probe")(
                model, suited(model, x)[0], table.y, method, layer=list(layers), control=types, progress=heard
            )
        keep(record, answer)
    if answer.as_json:
        print_json({**plain(record), "words": record.words()})
    else:
        _tell(record, answer)


def _without(x: Any, control: str | None, source: str) -> tuple[Any, list[Any] | None]:
    """The inputs, and the column of types that is none of them."""
    if control is None:
        return x, None
    if control not in getattr(x, "columns", []):
        raise InputError(f"{source} has no column {control!r}: --control names a column of a table.")
    return x.drop(columns=control), x[control].tolist()


def _tell(record: ProbeResult, answer: Answer) -> None:
    from pellucid.cli import screen

    columns = ("layer", "right", "95 % interval", "control", "selectivity", "learned", "by heart")
    made = screen.table(*columns, right=("right", "control", "selectivity", "learned", "by heart"))
    for line in record.to_frame().to_dict("records"):
        known = [f"{line[name]:.1%}" if line[name] == line[name] else "" for name in ("control", "selectivity")]
        ends = f"{line['low']:.1%} to {line['high']:.1%}"
        rest = [f"{line[name]:.1%}" if line[name] == line[name] else "" for name in ("trained", "memorised")]
        made.add_row(line["layer"], f"{line['accuracy']:.1%}", ends, *known, *rest)
    console = screen.out()
    console.print(made)
    for sentence in record.words():
        console.print(sentence, markup=False, highlight=False)
    tell_cost(record, answer)
