"""`pellucid advise`: which method should I use? From the cards, and with a model and rows measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.asking import usual
from pellucid.cli.common import FILE, SIZE_HELP, Source, doubting, takes_model
from pellucid.cli.kinds import Duration, RowPicks
from pellucid.cli.options import ANY_TARGET, takes_target
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, Material, keep, takes_answer
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    from pellucid.core.advice import Advice

_MOST_LEFT_OUT = 8


@dataclass(frozen=True)
class Wanted:
    """What is asked, whatever the model."""

    question: str | None
    access: tuple[str, ...]
    modality: str | None
    seconds: float | None
    target: Any

    def arguments(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "access": self.access or None,
            "modality": self.modality,
            "budget": self.seconds,
            "target": self.target,
        }


@click.command(short_help="Which method should I use? A short list, measured on your model.")
@click.option("--question", metavar="QUESTION", help="A verb, 'local', 'global', or a question in words.")
@click.option("--access", multiple=True, metavar="ACCESS", help="As in 'black box' or gradients; may be repeated.")
@click.option("--modality", metavar="KIND", help="table, image, volume, signal or text.")
@takes_model(required=False)
@click.option("--data", type=FILE, metavar="FILE", help="Rows to try the methods on, with --model.")
@click.option("--label", metavar="COLUMN", help="The column of true labels: simple models are tried, too.")
@click.option("--rows", type=RowPicks(), default=":", metavar="ROWS", help="Which rows, as in 0:100; all by default.")
@takes_target(ANY_TARGET)
@click.option("--background", type=FILE, metavar="FILE", help="Reference rows; of a table every second row by default.")
@click.option(
    "--background-size", type=click.IntRange(min=0), default=20, show_default=True, metavar="N", help=SIZE_HELP
)
@click.option(
    "--budget", type=Duration(), default="60s", show_default=True, metavar="TIME", help="A hard limit: 60s, 2m."
)
@takes_answer("the methods that were tried")
def advise(
    question: str | None,
    access: tuple[str, ...],
    modality: str | None,
    source: Source | None,
    data: Path | None,
    label: str | None,
    rows: tuple[int | slice, ...],
    target: Any,
    background: Path | None,
    background_size: int,
    budget: float | None,
    answer: Answer,
) -> None:
    """Say which methods suit a question, best first, with reasons; with a model and rows, try them.

    \b
    pellucid advise --question "what is enough?" --modality table
    pellucid advise --access gradients --modality image
    pellucid advise --model model.skops --data rows.csv --label kind --budget 60s
    """
    if (source is None) != (data is None):
        raise click.UsageError("--model and --data go together: methods are tried on rows of a model.")
    wanted = Wanted(question, access, modality, budget if source is not None else None, target)
    with own_stdout():
        if source is None or data is None:
            record = resolve("advise")(**wanted.arguments())
        else:
            record = _measured(source, Material(data, label, rows, background, background_size), wanted)
        keep(record, answer)
    _tell(record, answer)


def _measured(source: Source, material: Material, wanted: Wanted) -> Any:
    """Advice for the model and the rows of a file, none of which is a reference row."""
    from pellucid.cli import screen
    from pellucid.cli.data import choose, read_rows, suited

    table = read_rows(material.data, material.label)
    index = choose(material.rows, len(table), table.source)
    if material.background is None and table.x.ndim == 2 and material.size and len(index) == len(table) > 2:
        index = index[::2]  # the others stand for what is usual
    model, rows = source.load(), table.take(index)
    with doubting(table), screen.waiting("trying methods"):
        x, names = suited(model, rows.x)
        reference = usual(model, table, x, material)
        background = None if reference is None else reference.x
        return resolve("advise")(model=model, x=x, y=rows.y, background=background, names=names, **wanted.arguments())


def _tell(record: Advice, answer: Answer) -> None:
    if answer.as_json:
        print_json({**plain(record), "choice": record.choice})
        return
    from rich.text import Text

    from pellucid.cli import screen

    console = screen.out()
    console.print(Text(record.asked, style=screen.LOUD))
    console.print(Text(record.first))
    console.print()
    for place, one in enumerate(record.suggestions, start=1):
        title = Text.assemble(f"{place}. ", (one.name, screen.LOUD), f"  {one.answers}")
        console.print(title)
        facts = [("why", "; ".join(one.reasons)), ("beware", one.beware)]
        console.print(screen.facts([*facts, *((("measured", text),) if (text := _numbers(record, one.name)) else ())]))
    if not record.suggestions:
        screen.warn(console, ["no method fits"])
    _show_left_out(record)
    if record.trials:
        console.print(Text.assemble("\nchoice  ", (record.choice or "", screen.LOUD)))
        screen.show_receipt(console, record.receipt)
    console.print(screen.facts(answer.written))


def _numbers(record: Advice, name: str) -> str | None:
    from pellucid.cli.data import count

    trial = next((trial for trial in record.trials if trial.name == name), None)
    if trial is None:
        return None
    interval = f" ({trial.faithfulness_low:.3g} to {trial.faithfulness_high:.3g})" * math.isfinite(
        trial.faithfulness_low
    )
    stable = f", stability {trial.stability:.2f}" * math.isfinite(trial.stability)
    place = "on the front" if trial.front else "another is as good in all and better in one"
    told = f"faithfulness {trial.faithfulness:.3g}{interval}{stable}, {trial.rows:,.0f} model rows a row"
    return f"{told}, judged on {count(trial.judged, 'row')}: {place}"


def _show_left_out(record: Advice) -> None:
    """Why others are not on the list, those of one reason together."""
    from rich.text import Text

    from pellucid.cli import screen

    for why in list(dict.fromkeys(why for _, why in record.left_out))[:_MOST_LEFT_OUT]:
        names = ", ".join(name for name, reason in record.left_out if reason == why)
        screen.out().print(Text.assemble((f"{names}: ", screen.QUIET), (why, screen.QUIET)))
