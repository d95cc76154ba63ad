"""`pellucid label-errors`: which labels of a file are likely to be wrong? `pellucid relabel`: what was decided, applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import FILE, NewFile, Source, doubting, takes_data, takes_label, takes_model
from pellucid.cli.options import MethodCommand, takes_method, takes_top
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost
from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.cli.data import Rows
    from pellucid.core.label_errors import LabelErrors


@click.command(cls=MethodCommand, short_help="Which labels are likely to be wrong?")
@takes_model()
@takes_data
@takes_label("those that are looked at", required=True)
@click.option("--truth", metavar="COLUMN", help="A column of labels known to be right, to check the ranking.")
@takes_method("LargestLoss", "As in 'LeftOutLoss(folds=10)'; see below.")
@click.option("--checkpoints", type=FILE, metavar="FOLDER", help="States during training, where TracIn is asked.")
@click.option("--page", type=NewFile((".html",)), metavar="FILE.html", help="A page on which to mark labels by hand.")
@takes_top(20, "Labels")
@takes_answer("how many of the first labels are wrong, or how suspicion falls")
def label_errors(
    source: Source,
    data: Path,
    label: str,
    truth: str | None,
    method: Any,
    checkpoints: Path | None,
    page: Path | None,
    top: int,
    answer: Answer,
) -> None:
    """Rank the labels of a file by how likely they are to be wrong; DATA are the rows that the model was trained on.

    \b
    pellucid label-errors --model model.skops --data train.csv --label kind --method LeftOutLoss --page labels.html
    pellucid relabel --data train.csv --label kind --decisions labels-0a1b2c3d.json --out mended.csv
    """
    from pellucid.cli.data import read_rows
    from pellucid.core.registry import resolve

    with own_stdout():
        table, known = _without(read_rows(data, label), truth)
        record, x, names = _ranked(source, table, method, known, checkpoints)
        keep(record, answer)
        if page is not None:
            resolve("relabel_page")(record, page, x, k=max(top, 50), names=names)
    _tell(record, answer, page, top)


def _ranked(
    source: Source, table: Rows, method: Any, truth: Any, checkpoints: Path | None
) -> tuple[LabelErrors, Any, Any]:
    """The record, in the words of the file, and the rows as the model takes them with their names."""
    from pellucid.cli import screen
    from pellucid.cli.data import as_classes, suited
    from pellucid.core.registry import resolve

    model, y, words = source.load(), table.y, None
    assert y is not None
    if not hasattr(model, "classes_"):
        lots, words = as_classes(y, *(y,) if truth is None else (y, truth))
        y, truth = lots[0], None if truth is None else lots[1]
    with doubting(table), screen.waiting("looking at labels"):
        x, names = suited(model, table.x)
        record = resolve("label_errors")(model, x, y, method, truth=truth, checkpoints=checkpoints)
    return record if words is None else _in_words(record, words), x, names


def _in_words(record: LabelErrors, words: list[str]) -> LabelErrors:
    """Labels by their names where the model numbers them."""
    if len(words) != len(record.classes):
        raise InputError(
            f"the model tells {len(record.classes)} classes and the label column holds {len(words)} words "
            f"({', '.join(words[:8])}): give the numbers of the outputs instead."
        )
    import numpy as np

    names = np.array(words)
    return replace(record, labels=names[record.labels], suggested=names[record.suggested], classes=tuple(words))


def _without(table: Rows, truth: str | None) -> tuple[Rows, Any]:
    """The rows without the column of the truth, and that column."""
    if truth is None:
        return table, None
    columns = list(getattr(table.x, "columns", []))
    if truth not in columns:
        raise InputError(
            f"--truth: {table.source} has no column {truth!r}; it has {', '.join(map(str, columns[:20]))}."
        )
    return replace(table, x=table.x.drop(columns=truth)), table.x[truth].to_numpy()


def _tell(record: LabelErrors, answer: Answer, page: Path | None, top: int) -> None:
    if answer.as_json:
        print_json({**plain(record), "order": record.order})
        return
    from pellucid.cli import screen

    frame = record.to_frame().head(top)
    for name in ("label", "suggested"):
        frame[name] = frame[name].astype(str)
    if record.wrong is not None:
        frame["wrong"] = ["wrong" if wrong else "" for wrong in frame["wrong"]]
    screen.show_frame(frame)
    facts: list[tuple[str, Any]] = [("labels", f"{len(record):,}")]
    if record.wrong is not None and record.wrong.any():
        count = int(record.wrong.sum())
        facts.append(("wrong", f"{count:,}, of which {record.found(0.25):.0%} are in the first quarter"))
        facts.append(("among the first", f"{count:,}: {record.precision()[count - 1]:.0%} are wrong"))
    tell_cost(record, answer, [*facts, ("page", None if page is None else str(page))])


@click.command(short_help="Apply what was decided about labels.")
@takes_data
@takes_label("the one to change", required=True)
@click.option("--decisions", type=FILE, required=True, metavar="FILE", help="What the page saved, .json or .csv.")
@click.option(
    "--out", type=NewFile((".csv", ".tsv", ".parquet")), required=True, metavar="FILE", help="The mended table."
)
def relabel(data: Path, label: str, decisions: Path, out: Path) -> None:
    """Write a table with the labels as they were decided, without the rows that were dropped.

    \b
    pellucid relabel --data train.csv --label kind --decisions labels-0a1b2c3d.json --out mended.csv
    """
    from pellucid.cli.data import count, read_rows, write_table
    from pellucid.core.frames import is_frame
    from pellucid.core.registry import resolve

    table = read_rows(data, label)
    if not is_frame(table.x):
        raise InputError(f"{table.source} is no table: apply decisions to arrays with pellucid.relabel.")
    made = resolve("relabel")(table.y, decisions)
    whole = read_rows(data).x
    changed = int((made.labels != table.y).sum())
    whole[label] = made.labels
    write_table(whole[made.kept], out)
    click.echo(f"{count(changed, 'label')} changed, {count(int((~made.kept).sum()), 'row')} dropped: {out}")
