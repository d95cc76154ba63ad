"""`pellucid audit`: the whole check of a model, as a page, a JSON file and records in one folder."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pellucid.cli.common import doubting, note, takes_model
from pellucid.cli.kinds import METHOD, Duration
from pellucid.cli.output import own_stdout
from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.cli.config import Order, Orders
    from pellucid.cli.data import Rows
    from pellucid.core.budget import Budget
    from pellucid.report.check import Check
    from pellucid.report.ledger import Progress

_FILE = click.Path(path_type=Path)
FAIL_ON = "What makes the audit a gate that fails: shortcut,unfaithful,unstable ...; an unknown name shows them all."


@click.command(short_help="The whole check of a model, as a page.")
@takes_model(required=False)
@click.option(
    "--demo", is_flag=True, help="Audit two models on data that scikit-learn ships, one with a planted shortcut."
)
@click.option("--config", type=_FILE, metavar="FILE", help="A YAML file that says it all, for one model or several.")
@click.option("--show-config", is_flag=True, help="Print such a file, with what was said, and do nothing else.")
@click.option("--data", type=_FILE, metavar="FILE", help="Rows: .csv, .tsv, .parquet, .npy or .npz.")
@click.option("--label", metavar="COLUMN", help="The column of true labels (of an .npz: the array).")
@click.option("--by", metavar="COLUMN", help="Compare how well the model does in the groups of this column.")
@click.option("--where", type=_FILE, metavar="FILE.npy", help="Masks of where the answer is known to lie, row by row.")
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
    "--concepts",
    type=_FILE,
    metavar="FOLDER",
    help="For networks of pictures: NAME.npy with examples of each concept, random.npy of anything.",
)
@click.option(
    "--held-out/--trained-on", default=None, help="Whether the model was trained without these rows, or on them."
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    default=0.01,
    show_default=True,
    help="How far behind the model a simple one may be and still be named first.",
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
@click.option("--fail-on", multiple=True, metavar="FINDINGS", help=FAIL_ON)
@click.option("--resume", is_flag=True, help="Go on from what FOLDER holds of an earlier run of the same audit.")
@click.option("--json", "as_json", is_flag=True, help="Print audit.json and nothing else.")
def audit(demo: bool, config: Path | None, show_config: bool, as_json: bool, **options: Any) -> int:
    """Explain a model by several methods, judge every explanation, and look for what it should not rest on.

    \b
    pellucid audit --demo
    pellucid audit --model model.skops --data rows.csv --label kind --budget 60s
    pellucid audit --config audit.yaml --fail-on shortcut,unfaithful

    Writes FOLDER/audit.html (one page that needs nothing else), audit.json and the records. With --fail-on the exit code is
    3 where a finding was found, and 4 where it could not be told; 0 is a pass, 1 an error, 2 a command not written right.
    """
    from pellucid.cli.config import Orders, orders, read, shown

    given = _given(options)
    written = {} if config is None else read(config)
    if show_config:
        click.echo(shown(written, given), nl=False)
        return 0
    if demo:
        _refuse_beside_demo(config, given)
        order = Orders(out=options["out"], seconds=options["budget"], resume=options["resume"], fail_on=_asked(options))
    else:
        order = orders(written, given)
    with own_stdout(), _telling_what_is_kept(order.out):
        (_demo if demo else _audited)(order)
    return _tell(order.out, as_json)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What was written on the command line, under the names of a configuration's keys."""
    context = click.get_current_context()
    parameters = {"methods": "methods", "trusted": "trust", "given": "model"}
    found = {}
    for name, value in {**context.params, **options}.items():
        source = context.get_parameter_source(name)
        if name not in ("demo", "config", "show_config", "as_json", "source") and source is ParameterSource.COMMANDLINE:
            found[parameters.get(name, name.replace("_", "-"))] = value
    return {**found, "fail-on": _asked(options)} if "fail-on" in found else found


def _asked(options: Mapping[str, Any]) -> tuple[str, ...]:
    """`--fail-on a,b --fail-on c`, checked."""
    from pellucid.report.gate import checked

    try:
        return checked([name for listed in options["fail_on"] for name in listed.split(",")])
    except InputError as error:
        raise click.UsageError(str(error)) from error


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


def _refuse_beside_demo(config: Path | None, given: Mapping[str, Any]) -> None:
    if config is not None or {"model", "data"} & set(given):
        raise click.UsageError("--demo brings its own models and data: leave --model, --data and --config out.")


def _demo(order: Orders) -> None:
    from pellucid.cli import screen
    from pellucid.report.demo import run_demo

    with screen.steps() as progress:
        run_demo(order.out, budget=order.seconds, resume=order.resume, fail_on=order.fail_on, progress=progress)


def _audited(order: Orders) -> None:
    from pellucid.cli import screen
    from pellucid.report.ledger import as_budget
    from pellucid.report.several import run_each

    several = len(order.models) > 1
    makers = {one.name: partial(_check, one, order, several) for one in order.models}
    with screen.steps() as progress:
        run_each(
            makers,
            order.out,
            budget=as_budget(order.seconds),
            progress=progress,
            title=order.title,
            fail_on=order.fail_on,
        )


def _check(one: Order, order: Orders, several: bool, budget: Budget, progress: Progress) -> Check:
    """The audit of one model, ready to run."""
    from pellucid.cli.data import read_features, read_rows, suited
    from pellucid.report.check import Check, Wanted
    from pellucid.report.folder import Folder, slug

    table = read_rows(one.data, one.label)
    model, groups = one.source.load(), _groups(table, one.by)
    x, names = suited(model, table.x)
    usual = None if one.background is None else suited(model, read_features(one.background, one.label).x)[0]
    methods = one.methods or None
    masks = None if one.where is None else read_features(one.where, None).x
    wanted = Wanted(groups, methods, one.rows, usual, one.classes, names, one.held_out, one.margin, one.name)
    wanted = replace(wanted, concepts=_concepts(one.concepts), where=masks)
    folder = Folder.of(order.out, slug(one.name) if several else "")
    with doubting(table):
        return Check(model, x, table.y, wanted, budget, folder, progress, order.resume)


def _concepts(folder: Path | None) -> dict[str, Any] | None:
    """Examples by the name of their file."""
    from pellucid.cli.data import read_rows

    if folder is None:
        return None
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in (".npy", ".npz"))
    if not files:
        raise InputError(f"--concepts: {folder} holds no .npy file: put the examples of each concept in one, NAME.npy.")
    return {file.stem: read_rows(file).x for file in files}


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


def _tell(out: Path, as_json: bool) -> int:
    """Print what was found, and say how it ended."""
    text = (out / "audit.json").read_text(encoding="utf-8")
    found = json.loads(text)
    if as_json:
        click.echo(text, nl=False)
    else:
        from pellucid.cli import screen

        screen.show_audit(found, str(out / "audit.html"))
    return int(found["gate"]["exit_code"]) if found["gate"] else 0
