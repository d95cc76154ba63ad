"""`pellucid visualize`: what does this unit of a network look for?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import FILE, Source, takes_model
from pellucid.cli.kinds import UnitType
from pellucid.cli.options import MethodCommand, takes_budget, takes_method
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost

if TYPE_CHECKING:
    from pellucid.core.visualization import Visualization


@click.command(cls=MethodCommand, short_help="What does this unit look for? Made pictures.")
@takes_model()
@click.option(
    "--unit",
    type=UnitType(),
    required=True,
    metavar="UNIT",
    help="3, an output; features.4:3, a channel; or 'Unit(...)'.",
)
@click.option(
    "--like", type=FILE, metavar="FILE", help="Real pictures, .npy or .npz: their shape, range and colours are taken."
)
@takes_method("ActivationMaximization", "Its fields are options; see below.")
@takes_budget
@takes_answer("the pictures")
def visualize(source: Source, answer: Answer, unit: Any, like: Path | None, method: Any, budget: float | None) -> None:
    """Make pictures that excite a unit of a network, and say how far beside real ones.

    \b
    pellucid visualize --model app.models:build --unit 3 --like pictures.npy --plot unit.png
    pellucid visualize --model app.models:build --unit features.4:7 --shape 3,64,64 --images 4
    """
    from pellucid.cli import screen
    from pellucid.cli.data import read_rows
    from pellucid.core.registry import resolve

    with own_stdout(), screen.waiting("climbing"):
        real = None if like is None else read_rows(like).x
        seconds = None if budget is None else resolve("Budget")(seconds=budget)
        record = resolve("visualize")(source.load(), unit, method, like=real, budget=seconds)
        keep(record, answer)
    if answer.as_json:
        print_json(plain(record))
    else:
        _tell(record, answer)


def _tell(record: Visualization, answer: Answer) -> None:
    from pellucid.cli import screen

    made = screen.table("picture", "activation", "where it began", right=("picture", "activation", "where it began"))
    for i, value in enumerate(record.activations.tolist()):
        made.add_row(str(i), f"{value:.4g}", f"{record.curve[0, i]:.4g}")
    screen.out().print(made)
    best = None if record.natural != record.natural else f"{record.natural:.4g}"
    tell_cost(record, answer, [("largest on real ones", best)])
