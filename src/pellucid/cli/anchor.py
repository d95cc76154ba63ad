"""`pellucid anchor`: what is enough for this output? One rule for each of some rows of a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import PICTURES, SIZE_HELP, NewFile, Source, takes_model
from pellucid.cli.explain import Answer, Material, Question, Told, answered
from pellucid.cli.options import MASKER, METHOD, Duration, MethodCommand, RowPicks, TargetType
from pellucid.cli.output import plain, print_json

if TYPE_CHECKING:
    from pellucid.core.rules import Rules

_FILE = click.Path(path_type=Path)


@click.command(cls=MethodCommand, short_help="What is enough? A rule for rows of a file.")
@takes_model()
@click.option("--data", type=_FILE, required=True, metavar="FILE", help="Rows: .csv, .tsv, .parquet, .npy or .npz.")
@click.option("--label", metavar="COLUMN", help="The column of true labels: shown beside the row, no feature.")
@click.option(
    "--rows", type=RowPicks(), default="0:5", show_default=True, metavar="ROWS", help="Which rows: 3, or 0:5, or 0,2,7."
)
@click.option(
    "--method", type=METHOD, default="Anchors", metavar="METHOD", help="As in 'Anchors(threshold=0.9)'; see below."
)
@click.option(
    "--target", type=TargetType(), metavar="TARGET", help="Whether it is this class, or 'Margin(0, 1)'; else its class."
)
@click.option("--masker", type=MASKER, metavar="MASKER", help="Rules on parts that are there, as in 'Grid(window=16)'.")
@click.option(
    "--background", type=_FILE, metavar="FILE", help="Reference rows; for a table its other rows are the default."
)
@click.option(
    "--background-size",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    metavar="N",
    help=f"{SIZE_HELP[:-1]}; 0 for none.",
)
@click.option("--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h.")
@click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the record.")
@click.option("--plot", type=NewFile(PICTURES), metavar="FILE.png", help="Draw the rules.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def anchor(
    source: Source,
    data: Path,
    label: str | None,
    rows: tuple[int | slice, ...],
    method: Any,
    target: Any,
    masker: Any,
    background: Path | None,
    background_size: int,
    budget: float | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Find rules that are enough for single outputs of a model, whatever the rest of the row is.

    \b
    pellucid anchor --model model.skops --data rows.csv --label kind
    pellucid anchor --model model.skops --data rows.csv --rows 3 --threshold 0.9 --out rules.npz
    """
    material = Material(data, label, rows, background, background_size)
    answer = Answer(out, plot, top=1, as_json=as_json)
    record, told = answered(source, material, Question(method, target, masker, budget, verb="anchor"), answer)
    _tell(record, told, answer)


def _tell(record: Rules, told: Told, answer: Answer) -> None:
    if answer.as_json:
        said = [record.sentence(i) for i in range(len(record))]
        print_json({**plain(record), "parts": record.labels, "sentences": said, **dataclasses.asdict(told)})
        return
    from pellucid.cli import screen

    console = screen.out()
    for i in range(len(record)):
        _show_rule(record, i, told)
    screen.show_receipt(console, record.receipt)
    written = [str(path) for path in (answer.out, answer.plot) if path is not None]
    console.print(screen.facts([("background", told.background), *(("written", path) for path in written)]))


def _show_rule(record: Rules, i: int, told: Told) -> None:
    """The rule of one row in words, and below it what is known of the rule."""
    from rich.text import Text

    from pellucid.cli import screen

    title = Text.assemble((f"row {told.rows[i]}", screen.LOUD))
    if told.labels is not None:
        title.append(f"  label {told.labels[i]}")
    where = f"if {record.words(i)}" if record.rules[i] else "whatever the row"
    whole = "perturbed inputs" if record.covered is None else f"{record.background_rows:,} background rows"
    held = f"{record.precision[i]:.1%} of {record.samples[i]:,} perturbed rows, {record.low[i]:.1%} to {record.high[i]:.1%}"
    console = screen.out()
    console.print(title)
    console.print(Text(f"{where}, then {record.answers[i]}"))
    console.print(screen.facts([("precision", held), ("applies to", f"{record.coverage[i]:.1%} of {whole}")]))
    if not record.reached[i]:
        screen.warn(console, ["no rule reached the threshold: this is the most precise one that was found"])
    console.print()
