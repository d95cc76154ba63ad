"""`pellucid summarize`: which few explained rows show what matters? Of a record that `explain` or `counterfactual` kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.common import FILE
from pellucid.cli.options import MethodCommand, takes_method
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost
from pellucid.core.errors import StoreError
from pellucid.core.registry import resolve


@click.command(cls=MethodCommand, short_help="Which few explanations show what matters? Of a kept record.")
@click.argument("record", type=FILE)
@takes_method("SubmodularPick", "As in 'SubmodularPick(k=5)', or CounterfactualSummary for counterfactuals.")
@takes_answer("the rows picked, or the changes that flip most rows")
def summarize(record: Path, method: Any, answer: Answer) -> None:
    """Pick the rows of RECORD, an .npz that `--out` kept, that together show most of what matters.

    \b
    pellucid explain --model model.skops --data rows.csv --rows : --out why.npz
    pellucid summarize why.npz --k 3
    """
    if not record.is_file():
        raise StoreError(f"there is no file {record}.")
    with own_stdout():
        made = resolve("summarize")(resolve("load")(record), method)
        keep(made, answer)
    if answer.as_json:
        print_json(plain(made))
        return
    from pellucid.cli import screen

    screen.show_frame(made.to_frame())
    tell_cost(made, answer)
