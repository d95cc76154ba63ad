"""`pellucid influence`: which training rows made the network say this, and which speak against it?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import FILE, ROWS_HELP, NewFile, Source, doubting, takes_data, takes_label, takes_model
from pellucid.cli.kinds import RowPicks
from pellucid.cli.options import MethodCommand, takes_method, takes_top
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost
from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.cli.data import Rows
    from pellucid.core.influence import Influence

_SIGN = "positive: training on it lowers the row's loss"
_UNITS = {"loss": f"{_SIGN}; by so much it would rise without it, to first order", "none": f"{_SIGN}; only ranks"}


@dataclass(frozen=True)
class Asked:
    """Which rows the network was trained on, which are asked about, and how the two are put together."""

    data: Path
    label: str
    query: Path | None
    rows: tuple[int | slice, ...]
    method: Any
    task: str | None
    checkpoints: Path | None
    factors: Path | None


@dataclass(frozen=True)
class Known:
    """The training labels and those of the rows asked about, as the file has them; where the latter stand in it."""

    train: list[Any]
    query: list[Any]
    rows: list[int]
    classes: list[str] | None

    def strongest(self, record: Influence, query: int, top: int) -> list[dict[str, Any]]:
        """The rows that helped most, then those that harmed most."""
        helped = [(row, score) for row, score in record.proponents(top, query) if score > 0]
        harmed = [(row, score) for row, score in record.opponents(top, query) if score < 0]
        return [{"row": row, "label": self.train[row], "score": score} for row, score in helped + harmed]


@click.command(cls=MethodCommand, short_help="Which training rows made the model say this?")
@takes_model()
@takes_data
@takes_label("what the network was trained to say", required=True)
@click.option("--query", type=FILE, metavar="FILE", help="Rows that are asked about; the training rows by default.")
@click.option("--rows", type=RowPicks(), default="0:5", show_default=True, metavar="ROWS", help=f"{ROWS_HELP[:-1]}.")
@takes_method("InfluenceFunctions", "As in 'TracIn(layer=\"4\")'; see below.")
@click.option(
    "--task",
    type=click.Choice(["CrossEntropy", "SquaredError"]),
    help="The loss of training; the first for whole numbers and words, else the second.",
)
@click.option(
    "--checkpoints",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="States during training, for TracIn, as pellucid.Checkpoints keeps them.",
)
@click.option("--factors", type=NewFile((".npz",)), metavar="FILE.npz", help="For EKFAC: its factors are kept here.")
@takes_top(5, "Rows")
@takes_answer("the rows behind what is said of the first one")
def influence(source: Source, answer: Answer, top: int, **asked: Any) -> None:
    """Find the training rows that a network's answers rest on; DATA are the rows that it was trained on.

    \b
    pellucid influence --model app.models:build --data train.csv --label kind --l2 0.01
    pellucid influence --model app.models:build --data train.npz --label y --query test.npz \\
        --method TracIn --checkpoints run/

    Positive scores help: training on the row lowers the loss of the row asked about.
    """
    with own_stdout():
        record, known = _traced(source, Asked(**asked))
        keep(record, answer, lambda made: _drawn(made, known, top))
    _tell(record, known, answer, top)


def _traced(source: Source, asked: Asked) -> tuple[Influence, Known]:
    from pellucid.cli import screen
    from pellucid.cli.data import as_classes, choose, read_rows
    from pellucid.core.registry import resolve

    train = read_rows(asked.data, asked.label)
    queried = train if asked.query is None else read_rows(asked.query, asked.label)
    index = choose(asked.rows, len(queried), queried.source)
    query, model = queried.take(index), source.load()
    assert train.y is not None and query.y is not None
    labels, classes = as_classes(train.y, train.y, query.y, model=model)
    pairs = [(_suited(model, rows, train), y) for rows, y in zip((train, query), labels, strict=True)]
    with doubting(train), screen.progress("following gradients") as heard:
        record = resolve("influence")(
            model,
            *pairs,
            asked.method,
            task=None if asked.task is None else resolve(asked.task)(),
            checkpoints=asked.checkpoints,
            factors=asked.factors,
            progress=heard,
        )
    return record, Known(train.y.tolist(), query.y.tolist(), index.tolist(), classes)


def _suited(model: Any, rows: Rows, train: Rows) -> Any:
    """The rows as the network takes them, with the columns in the order of the training rows."""
    from pellucid.cli.data import suited

    wanted = list(getattr(train.x, "columns", []))
    missing = [name for name in wanted if name not in getattr(rows.x, "columns", [])]
    if missing:
        raise InputError(f"{rows.source} has no column {missing[0]!r}, which the training rows have.")
    return suited(model, rows.x[wanted] if wanted else rows.x)[0]


def _drawn(record: Influence, known: Known, top: int) -> Any:
    from pellucid import plot

    names = [f"row {i} ({label})" for i, label in enumerate(known.train)]
    return plot.influence(record, k=top, names=names, asked=f"row {known.rows[0]} ({known.query[0]})")


def _tell(record: Influence, known: Known, answer: Answer, top: int) -> None:
    strongest = [known.strongest(record, query, top) for query in range(len(record))]
    if answer.as_json:
        told = {"rows": known.rows, "labels": known.query, "classes": known.classes, "strongest": strongest}
        print_json({**plain(record), **told})
        return
    from pellucid.cli import screen

    for query, first in enumerate(strongest):
        _show_query(record, known, query, first)
    alone = None
    if record.self_influence is not None:
        rows = (-record.self_influence).argsort(kind="stable")[:top]
        alone = (
            "rows "
            + ", ".join(map(str, rows.tolist()))
            + ": no other row teaches what they say; are their labels right?"
        )
    classes = None if known.classes is None else ", ".join(f"{i} {name}" for i, name in enumerate(known.classes))
    facts = [("score", _UNITS[record.unit]), ("largest self-influence", alone), ("outputs", classes)]
    screen.out().print(screen.facts(facts))
    tell_cost(record, answer)


def _show_query(record: Influence, known: Known, query: int, first: list[dict[str, Any]]) -> None:
    """One row that was asked about, and the training rows behind it."""
    from rich.text import Text

    from pellucid.cli import screen

    console = screen.out()
    title = (f"row {known.rows[query]}", screen.LOUD)
    console.print(Text.assemble(title, f"  label {known.query[query]}\nloss {record.losses[query]:.4g}"))
    made = screen.table("training row", "label", "score", "", right=("training row", "score"))
    for one in first:
        made.add_row(
            str(one["row"]), Text(str(one["label"])), f"{one['score']:+.3g}", "helps" if one["score"] > 0 else "harms"
        )
    if first:
        console.print(made)
    else:
        console.print("no training row has any influence\n")
