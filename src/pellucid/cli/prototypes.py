"""`pellucid prototypes`: which few rows of a file stand for the others, and which do they not stand for?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import PICTURES, NewFile, doubting
from pellucid.cli.options import METHOD, MethodCommand
from pellucid.cli.output import plain, print_json

if TYPE_CHECKING:
    from pellucid.cli.data import Rows
    from pellucid.core.examples import Examples


@click.command(cls=MethodCommand, short_help="Which rows stand for the others?")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Rows: .csv, .tsv, .parquet, .npy or .npz.",
)
@click.option("--label", metavar="COLUMN", help="The column of true labels, to say how often the nearest row has them.")
@click.option(
    "--method", type=METHOD, default="MMDCritic", metavar="METHOD", help="As in 'ProtoDash(prototypes=8)'; see below."
)
@click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the record.")
@click.option(
    "--plot", type=NewFile(PICTURES), metavar="FILE.png", help="Draw where the picked rows lie among the others."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def prototypes(data: Path, label: str | None, method: Any, out: Path | None, plot: Path | None, as_json: bool) -> None:
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
    if out is not None:
        record.save(out)
    if plot is not None:
        _draw(record, table, plot)
    if as_json:
        print_json(plain(record))
    else:
        _tell(record, table, [str(path) for path in (out, plot) if path is not None])


def _draw(record: Examples, table: Rows, path: Path) -> None:
    from pellucid import plot
    from pellucid.core.frames import is_frame
    from pellucid.core.store import appearing

    ax = plot.show(record) if is_frame(table.x) else plot.projection(record, table.x)
    with appearing(path) as partial:
        figure = ax.get_figure(root=True)
        figure.savefig(partial, dpi=150, format=path.suffix[1:].lower())  # type: ignore[union-attr]


def _tell(record: Examples, table: Rows, written: list[str]) -> None:
    from pellucid.cli import screen

    console, frame = screen.out(), record.to_frame()
    picked = screen.table(*frame.columns, right=[name for name in frame.columns if name != "label"])
    for line in frame.to_numpy(dtype=object).tolist():
        picked.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in line))
    console.print(picked)
    said: list[tuple[str, Any]] = [("rows", f"{len(table):,}")]
    if record.criticisms is not None:
        said.append(("criticisms", "rows " + (", ".join(map(str, record.criticisms.tolist())) or "none")))
    if record.accuracy is not None:
        said.append(
            ("nearest label", f"{record.accuracy:.1%} of the other rows have the label of their nearest prototype")
        )
    console.print(screen.facts([*said, *(("written", path) for path in written)]))
    screen.show_receipt(console, record.receipt)
