"""`pellucid counterfactual`: what would change this output? The nearest rows with another answer, for some rows of a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import PICTURES, SIZE_HELP, NewFile, Source, takes_model
from pellucid.cli.explain import Answer, Material, Told, answered
from pellucid.cli.options import METHOD, Duration, MethodCommand, RowPicks, TargetType
from pellucid.cli.output import plain, print_json

if TYPE_CHECKING:
    from pellucid.core.counterfactuals import Counterfactuals

_FILE = click.Path(path_type=Path)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What answer is wanted, by which method, within which constraints."""

    method: Any
    target: Any
    constraints: tuple[str, ...]
    density: str | None
    seconds: float | None
    verb: str = "counterfactual"

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any:
        from pellucid.api import counterfactual as verb
        from pellucid.core.budget import Budget

        return verb(
            model,
            x,
            self.method,
            target=self.target,
            background=background,
            constraints=list(self.constraints),
            density=self.density,
            names=names,
            budget=None if self.seconds is None else Budget(seconds=self.seconds),
            progress=progress,
        )


@click.command(cls=MethodCommand, short_help="What would change it? The nearest other rows.")
@takes_model()
@click.option("--data", type=_FILE, required=True, metavar="FILE", help="Rows: .csv, .tsv, .parquet, .npy or .npz.")
@click.option("--label", metavar="COLUMN", help="The column of true labels: shown beside the row, no feature.")
@click.option(
    "--rows", type=RowPicks(), default="0:5", show_default=True, metavar="ROWS", help="Which rows: 3, or 0:5, or 0,2,7."
)
@click.option(
    "--method", type=METHOD, default="Wachter", metavar="METHOD", help="As in 'Recourse(answers=3)'; see below."
)
@click.option(
    "--target", type=TargetType(), metavar="TARGET", help="The wanted class, or 'Between(0.7, 1)'; else any other."
)
@click.option(
    "--constraint",
    "constraints",
    multiple=True,
    metavar="RULE",
    help="\"Immutable('sex')\", \"Range('hours', 0, 60)\" or 'debt <= income'; may be given again.",
)
@click.option("--density", type=click.Choice(["neighbours", "lof"]), help="Draw answers to where the data are.")
@click.option(
    "--background", type=_FILE, metavar="FILE", help="Reference rows; the other rows of the file are the default."
)
@click.option(
    "--background-size", type=click.IntRange(min=0), default=1000, show_default=True, metavar="N", help=SIZE_HELP
)
@click.option("--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h.")
@click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the record.")
@click.option("--plot", type=NewFile(PICTURES), metavar="FILE.png", help="Draw the answers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def counterfactual(
    source: Source,
    data: Path,
    label: str | None,
    rows: tuple[int | slice, ...],
    method: Any,
    target: Any,
    constraints: tuple[str, ...],
    density: str | None,
    background: Path | None,
    background_size: int,
    budget: float | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Find the smallest changes of single rows that give another output, checked on the model.

    \b
    pellucid counterfactual --model model.skops --data rows.csv --label kind --target good
    pellucid counterfactual --model model.skops --data rows.csv --method Recourse --constraint "Immutable('sex')"
    """
    material = Material(data, label, rows, background, background_size)
    answer = Answer(out, plot, top=1, as_json=as_json)
    record, told = answered(source, material, Wish(method, target, constraints, density, budget), answer)
    _tell(record, told, answer)


def _tell(record: Counterfactuals, told: Told, answer: Answer) -> None:
    if answer.as_json:
        said = [record.sentence(i) for i in range(len(record))]
        print_json({**plain(record), "sentences": said, **dataclasses.asdict(told)})
        return
    from pellucid.cli import screen

    console = screen.out()
    for i in range(len(record)):
        _show_row(record, i, told)
    screen.show_receipt(console, record.receipt)
    written = [str(path) for path in (answer.out, answer.plot) if path is not None]
    console.print(screen.facts([("background", told.background), *(("written", path) for path in written)]))


def _show_row(record: Counterfactuals, i: int, told: Told) -> None:
    """The answers of one row in words, and below them what the first one comes to."""
    from rich.text import Text

    from pellucid.cli import screen

    title = Text.assemble((f"row {told.rows[i]}", screen.LOUD))
    if told.labels is not None:
        title.append(f"  label {told.labels[i]}")
    console = screen.out()
    console.print(title)
    for k in range(max(1, sum(cost == cost for cost in record.costs[i].tolist()))):
        console.print(Text(record.sentence(i, k)))
    if record.valid[i]:
        moved = f"{record.scores[i]:.4g} to {record.new_scores[i]:.4g}"
        console.print(screen.facts([("score", moved), ("cost", f"{record.cost[i]:.4g}")]))
    console.print()
