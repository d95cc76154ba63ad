"""`pellucid hardest`: about which rows of a file is the model most likely to be wrong?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.asking import usual
from pellucid.cli.common import Source, doubting, takes_model
from pellucid.cli.options import MethodCommand, takes_method, takes_top
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, Material, keep, takes_answer, takes_rows, tell_cost

if TYPE_CHECKING:
    from pellucid.core.difficulty import Difficulty


@click.command(cls=MethodCommand, short_help="About which rows is the model likely to be wrong?")
@takes_model()
@takes_rows(
    ":",
    size=1000,
    shown="to see how well the scores tell errors",
    usual_help="rows that --rows leaves out are the default",
)
@takes_method("SmallestMargin", "As in 'Disagreement(draws=20)'; see below.")
@takes_top(10, "Rows")
@takes_answer("how many errors are among the hardest rows")
def hardest(source: Source, material: Material, answer: Answer, method: Any, top: int) -> None:
    """Rank the rows of a file by how likely the model is to be wrong; labels are only used to check the ranking.

    \b
    pellucid hardest --model model.skops --data rows.csv --label kind
    pellucid hardest --model model.skops --data rows.csv --rows 0:100 --method FarFromPrototypes
    """
    with own_stdout():
        record, rows, labels = _ranked(source, material, method)
        keep(record, answer)
    _tell(record, rows, labels, answer, top)


def _ranked(source: Source, material: Material, method: Any) -> tuple[Difficulty, list[int], list[Any] | None]:
    """The record, where its rows stand in the file, and their labels."""
    from pellucid.cli import screen
    from pellucid.cli.data import choose, read_rows, suited
    from pellucid.core.registry import resolve

    table = read_rows(material.data, material.label)
    index = choose(material.rows, len(table), table.source)
    model, rows = source.load(), table.take(index)
    with doubting(table), screen.waiting("asking the model"):
        x = suited(model, rows.x)[0]
        reference = usual(model, table, x, material)
        record = resolve("hardest")(model, x, method, y=rows.y, background=None if reference is None else reference.x)
    return record, index.tolist(), None if rows.y is None else rows.y.tolist()


def _tell(record: Difficulty, rows: list[int], labels: list[Any] | None, answer: Answer, top: int) -> None:
    if answer.as_json:
        print_json({**plain(record), "order": record.order, "rows": rows, "labels": labels})
        return
    from pellucid.cli import screen

    frame = record.to_frame().head(top)
    if labels is not None:
        frame.insert(3, "label", [str(labels[i]) for i in frame["row"]])
        frame["wrong"] = ["wrong" if wrong else "" for wrong in frame["wrong"]]
    frame["row"], frame["predicted"] = [rows[i] for i in frame["row"]], frame["predicted"].astype(str)
    screen.show_frame(frame)
    tell_cost(record, answer, [("rows", f"{len(record):,}"), *_checked(record)])


def _checked(record: Difficulty) -> list[tuple[str, str]]:
    """How well the ranking told errors, where the truth is known and there are both kinds."""
    if record.wrong is None:
        return []
    errors = [("errors", f"{int(record.wrong.sum()):,} of {len(record):,} rows")]
    if not 0 < record.wrong.sum() < len(record):
        return errors
    area, low, high = record.auroc()
    return [
        *errors,
        ("in the hardest tenth", f"{record.found(0.1):.0%} of the errors; chance finds 10%"),
        ("a wrong row above a right one", f"{area:.1%} of pairs ({low:.1%} to {high:.1%}); chance is 50%"),
    ]
