"""`pellucid audit`: the whole check of a model, as a page, a JSON file and records in one folder."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import Source, doubting, note, takes_model
from pellucid.cli.options import METHOD, Duration
from pellucid.cli.output import own_stdout
from pellucid.core.errors import InputError
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    from pellucid.cli.data import Rows

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True)
class Order:
    """What is audited and how far: the rows, their labels and groups, methods, time, and the folder to fill."""

    data: Path
    label: str | None
    by: str | None
    methods: tuple[Any, ...]
    rows: int
    background: Path | None
    held_out: bool | None
    seconds: float | None
    out: Path


@click.command(short_help="The whole check of a model, as a page.")
@takes_model(required=False)
@click.option(
    "--demo", is_flag=True, help="Audit two models on data that scikit-learn ships, one with a planted shortcut."
)
@click.option("--data", type=_FILE, metavar="FILE", help="Rows: .csv, .tsv, .parquet, .npy or .npz.")
@click.option("--label", metavar="COLUMN", help="The column of true labels (of an .npz: the array).")
@click.option("--by", metavar="COLUMN", help="Compare how well the model does in the groups of this column.")
@click.option(
    "--method",
    "methods",
    type=METHOD,
    multiple=True,
    metavar="METHOD",
    help="Instead of those that fit; may be repeated.",
)
@click.option(
    "--rows", type=click.IntRange(min=1), default=8, show_default=True, metavar="N", help="How many rows are explained."
)
@click.option(
    "--background", type=_FILE, metavar="FILE", help="Reference rows; for a table its other rows are the default."
)
@click.option(
    "--held-out/--trained-on", default=None, help="Whether the model was trained without these rows, or on them."
)
@click.option(
    "--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h. The page says what it left out."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("audit"),
    show_default=True,
    metavar="FOLDER",
)
@click.option("--json", "as_json", is_flag=True, help="Print audit.json and nothing else.")
def audit(
    source: Source | None,
    demo: bool,
    data: Path | None,
    label: str | None,
    by: str | None,
    methods: tuple[Any, ...],
    rows: int,
    background: Path | None,
    held_out: bool | None,
    budget: float | None,
    out: Path,
    as_json: bool,
) -> None:
    """Explain a model by several methods, judge every explanation, and look for what it should not rest on.

    \b
    pellucid audit --demo
    pellucid audit --model model.skops --data rows.csv --label kind --budget 60s

    Writes FOLDER/audit.html (one page that needs nothing else), audit.json and the records.
    """
    with own_stdout(), _telling_what_is_kept(out):
        if demo:
            _refuse_beside_demo(source, data)
            _demo(out, budget)
        else:
            given, file = _needed(source, data)
            _audited(given, Order(file, label, by, methods, rows, background, held_out, budget, out))
    _tell(out, as_json)


@contextlib.contextmanager
def _telling_what_is_kept(out: Path) -> Iterator[None]:
    """After an interruption, say where the finished parts are."""
    began = time.time()
    try:
        yield
    except KeyboardInterrupt:
        page = out / "audit.html"
        if page.is_file() and page.stat().st_mtime >= began:
            note(f"what was finished is in {page}.")
        raise


def _refuse_beside_demo(source: Source | None, data: Path | None) -> None:
    if source is not None or data is not None:
        raise click.UsageError("--demo brings its own models and data: leave --model and --data out.")


def _needed(source: Source | None, data: Path | None) -> tuple[Source, Path]:
    if source is None or data is None:
        raise click.UsageError(f"Missing option '{'--model' if source is None else '--data'}'; or audit --demo.")
    return source, data


def _demo(out: Path, seconds: float | None) -> None:
    from pellucid.cli import screen
    from pellucid.report.demo import run_demo

    with screen.steps() as progress:
        run_demo(out, budget=seconds, progress=progress)


def _audited(source: Source, order: Order) -> None:
    from pellucid.cli import screen
    from pellucid.cli.data import read_features, read_rows, suited

    table = read_rows(order.data, order.label)
    model, groups = source.load(), _groups(table, order.by)
    x, names = suited(model, table.x)
    usual = None if order.background is None else suited(model, read_features(order.background, order.label).x)[0]
    with doubting(table), screen.steps() as progress:
        resolve("audit")(
            model,
            x,
            table.y,
            budget=order.seconds,
            out=order.out,
            by=groups,
            methods=order.methods or None,
            rows=order.rows,
            background=usual,
            names=names,
            held_out=order.held_out,
            name=Path(source.given).name,
            progress=progress,
        )


def _groups(table: Rows, by: str | None) -> Any:
    """(n,) the values of the column, which the model itself need not know."""
    if by is None:
        return None
    columns = list(getattr(table.x, "columns", []))
    if by not in columns:
        raise InputError(
            f"--by: {table.source} has no column {by!r}; it has {', '.join(map(str, columns[:20])) or 'none'}."
        )
    return table.x[by].to_numpy()


def _tell(out: Path, as_json: bool) -> None:
    text = (out / "audit.json").read_text(encoding="utf-8")
    if as_json:
        click.echo(text, nl=False)
        return
    from pellucid.cli import screen

    screen.show_audit(json.loads(text), str(out / "audit.html"))
