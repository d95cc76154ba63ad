"""`pellucid compare`: do the methods agree, and where they do not, which does the evidence support?"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import PICTURES, SIZE_HELP, NewFile, Source, takes_model
from pellucid.cli.explain import Answer, Material, Told, answered
from pellucid.cli.options import MASKER, METHOD, METRIC, RowPicks, TargetType
from pellucid.cli.output import plain, print_json
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    from pellucid.core.scores import Comparison

_FILE = click.Path(path_type=Path)


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
@click.option("--data", type=_FILE, required=True, metavar="FILE", help="Rows: .csv, .tsv, .parquet, .npy or .npz.")
@click.option("--label", metavar="COLUMN", help="The column of true labels: no feature.")
@click.option(
    "--rows",
    type=RowPicks(),
    default="0:10",
    show_default=True,
    metavar="ROWS",
    help="Which rows: 3, or 0:5, or 0,2,7.",
)
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
@click.option(
    "--target", type=TargetType(), metavar="TARGET", help="A class name, an output column, or 'Margin(0, 1)'."
)
@click.option("--masker", type=MASKER, metavar="MASKER", help="What is hidden and how, as in 'Grid(window=16)'.")
@click.option(
    "--background", type=_FILE, metavar="FILE", help="Reference rows; for a table its other rows are the default."
)
@click.option(
    "--background-size", type=click.IntRange(min=0), default=50, show_default=True, metavar="N", help=SIZE_HELP
)
@click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the record.")
@click.option("--plot", type=NewFile(PICTURES), metavar="FILE.png", help="Draw how far the methods agree.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def compare(
    source: Source,
    data: Path,
    label: str | None,
    rows: tuple[int | slice, ...],
    methods: tuple[Any, ...],
    metrics: tuple[Any, ...],
    target: Any,
    masker: Any,
    background: Path | None,
    background_size: int,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Explain rows by several methods, judge each, and say where they disagree and whom the evidence supports.

    \b
    pellucid compare --model model.skops --data rows.csv --label kind --method KernelShap --method LIME
    """
    material = Material(data, label, rows, background, background_size)
    question, answer = Methods(methods, metrics or None, target, masker), Answer(out, plot, 0, as_json)
    record, told = answered(source, material, question, answer)
    _tell(record, told, answer)


def _tell(record: Comparison, told: Told, answer: Answer) -> None:
    if answer.as_json:
        said = [dispute.sentence for dispute in record.disputes]
        print_json({**plain(record), "sentences": said, **dataclasses.asdict(told)})
        return
    from pellucid.cli import screen

    _show(record)
    screen.show_receipt(screen.out(), record.receipt)
    written = [str(path) for path in (answer.out, answer.plot) if path is not None]
    screen.out().print(screen.facts([("background", told.background), *(("written", path) for path in written)]))


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
