"""`pellucid interact`: which columns act together?"""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from pellucid.cli.asking import answered, row_title
from pellucid.cli.common import Source, takes_model
from pellucid.cli.options import ANY_TARGET, MethodCommand, takes_masker, takes_method, takes_target, takes_top
from pellucid.cli.output import plain, print_json
from pellucid.cli.shared import Answer, Material, takes_answer, takes_rows, tell_cost
from pellucid.core.registry import resolve


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """What is asked of the model."""

    method: Any
    target: Any
    masker: Any
    verb: str = "interact"
    seconds: None = None

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any:
        record = resolve("interact")(
            model, x, self.method or "KernelShap", target=self.target, background=background, masker=self.masker
        )
        return record if names is None else dataclasses.replace(record, feature_names=names)


@click.command(cls=MethodCommand, short_help="Which columns act together? Pairs for rows of a file.")
@takes_model()
@takes_rows()
@takes_method(None, "As in TreeShap, which reads trees and is exact; KernelShap by default. Its fields are options.")
@takes_target(ANY_TARGET)
@takes_masker()
@takes_answer("the mean over the rows, a cell for each pair")
@takes_top(5, "Pairs")
def interact(
    source: Source, material: Material, answer: Answer, method: Any, target: Any, masker: Any, top: int
) -> None:
    """Find the columns that act together in rows of a file.

    \b
    pellucid interact --model model.skops --data rows.csv --label kind --method TreeShap --background-size 0
    pellucid interact --model model.skops --data rows.csv --label kind --method KernelShap --samples 2000 --plot pairs.png
    """
    record, told = answered(source, material, _Pairs(method, target, masker), answer)
    if answer.as_json:
        print_json({**dataclasses.asdict(told), **plain(record)})
        return
    from pellucid.cli import screen

    for i in range(len(record)):
        pairs = screen.table("column", "and", "together", right=["together"])
        for first, second, value in record.top(top, i):
            pairs.add_row(first, second, f"{value:+.4g}")
        screen.out().print(row_title(told, i))
        screen.out().print(pairs)
    tell_cost(record, answer, [("background", told.background)])
