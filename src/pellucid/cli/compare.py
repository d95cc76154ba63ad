"""`pellucid compare`: do the methods agree, and where they do not, which does the evidence support?"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.asking import Told, answered
from pellucid.cli.common import Source, takes_model
from pellucid.cli.kinds import METHOD, METRIC
from pellucid.cli.options import ANY_TARGET, takes_masker, takes_target
from pellucid.cli.output import plain, print_json
from pellucid.cli.shared import Answer, Material, takes_answer, takes_rows, tell_cost
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    from pellucid.core.scores import Comparison


@dataclass(frozen=True)
class Methods:
    """Several methods are asked, and judged by metrics (None: the usual ones)."""

    methods: tuple[Any, ...]
    metrics: tuple[Any, ...] | None
    target: Any
    masker: Any
    verb: str = "compare"
    seconds: float | None = None

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any:
        """The comparison on the rows x."""
        return resolve("compare")(
            model,
            x,
            self.methods,
            metrics=self.metrics,
            target=self.target,
            background=background,
            masker=self.masker,
            names=names,
        )


@click.command(short_help="Do methods agree, and which is right where they do not?")
@takes_model()
@takes_rows("0:10", size=50, shown="no feature")
@click.option(
    "--method",
    "methods",
    type=METHOD,
    multiple=True,
    required=True,
    metavar="METHOD",
    help="As in 'LIME(samples=500)'; give it several times.",
)
@click.option(
    "--metric",
    "metrics",
    type=METRIC,
    multiple=True,
    metavar="METRIC",
    help="As in 'Deletion(steps=20)'; may be repeated.",
)
@takes_target(ANY_TARGET)
@takes_masker()
@takes_answer("how far the methods agree")
def compare(
    source: Source,
    material: Material,
    answer: Answer,
    methods: tuple[Any, ...],
    metrics: tuple[Any, ...],
    target: Any,
    masker: Any,
) -> None:
    """Explain rows by several methods, judge each, and say where they disagree and whom the evidence supports.

    \b
    pellucid compare --model model.skops --data rows.csv --label kind --method KernelShap --method LIME
    """
    record, told = answered(source, material, Methods(methods, metrics or None, target, masker), answer)
    _tell(record, told, answer)


def _tell(record: Comparison, told: Told, answer: Answer) -> None:
    if answer.as_json:
        said = [dispute.sentence for dispute in record.disputes]
        print_json({**plain(record), "sentences": said, **dataclasses.asdict(told)})
        return
    _show(record)
    tell_cost(record, answer, [("background", told.background)])


def _show(record: Comparison) -> None:
    """Every method's scorecard, the agreement of every two, and a sentence on each pair."""
    from rich.text import Text

    from pellucid.cli import screen

    for name, card in zip(record.names, record.scorecards, strict=True):
        screen.show_scorecard(dataclasses.replace(card, method=name))
    console = screen.out()
    console.print(Text(f"agreement: rank correlation / Kendall's tau / shared top {record.k}", style=screen.LOUD))
    made = screen.table("", *record.names)
    for i, name in enumerate(record.names):
        made.add_row(Text(name), *(_agreement(record, i, j) if j < i else "" for j in range(len(record.names))))
    console.print(made)
    for dispute in record.disputes:
        console.print(Text(dispute.sentence))
    console.print()


def _agreement(record: Comparison, i: int, j: int) -> str:
    numbers = (record.agreement[i, j], record.kendall[i, j], record.overlap[i, j])
    return " / ".join("n/a" if math.isnan(number) else f"{number:.2f}" for number in numbers)
