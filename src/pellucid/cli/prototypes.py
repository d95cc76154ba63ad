"""`pellucid prototypes`: which few rows of a file stand for the others, and which do they not stand for?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import doubting, takes_data, takes_label
from pellucid.cli.options import MethodCommand, takes_method
from pellucid.cli.output import plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost

if TYPE_CHECKING:
    from pellucid.cli.data import Rows
    from pellucid.core.examples import Examples


@click.command(cls=MethodCommand, short_help="Which rows stand for the others?")
@takes_data
@takes_label("to say how often the nearest picked row has it")
@takes_method("MMDCritic", "As in 'ProtoDash(prototypes=8)'; see below.")
@takes_answer("where the picked rows lie among the others")
def prototypes(data: Path, label: str | None, method: Any, answer: Answer) -> None:
    """Pick a few real rows that stand for all rows of a file; no model is needed.

    \b
    pellucid prototypes --data rows.csv --label kind
    pellucid prototypes --data rows.csv --method ProtoDash --prototypes 8 --plot picked.png
    """
    from pellucid import api
    from pellucid.cli import screen
    from pellucid.cli.data import read_rows

    table = read_rows(data, label)
    with doubting(table), screen.progress("summing similarities", len(table)) as heard:
        record = api.prototypes(table.x, method, labels=table.y, progress=heard)
    keep(record, answer, lambda made: _drawn(made, table))
    if answer.as_json:
        print_json(plain(record))
    else:
        _tell(record, table, answer)


def _drawn(record: Examples, table: Rows) -> Any:
    from pellucid import plot
    from pellucid.core.frames import is_frame

    return plot.show(record) if is_frame(table.x) else plot.projection(record, table.x)


def _tell(record: Examples, table: Rows, answer: Answer) -> None:
    from pellucid.cli import screen

    screen.show_frame(record.to_frame())
    said: list[tuple[str, Any]] = [("rows", f"{len(table):,}")]
    if record.criticisms is not None:
        said.append(("criticisms", "rows " + (", ".join(map(str, record.criticisms.tolist())) or "none")))
    if record.accuracy is not None:
        said.append(
            ("nearest label", f"{record.accuracy:.1%} of the other rows have the label of their nearest prototype")
        )
    tell_cost(record, answer, said)
