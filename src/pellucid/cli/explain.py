"""`pellucid explain`: why this output? One record of some rows of a file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from pellucid.cli.common import PICTURES, SIZE_HELP, NewFile, Source, doubting, takes_model
from pellucid.cli.options import MASKER, METHOD, Duration, MethodCommand, RowPicks, TargetType
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    import numpy as np

    from pellucid.cli.data import Rows
    from pellucid.core.records import Attribution

_FILE = click.Path(path_type=Path)


class Asking(Protocol):
    """What a command asks of a model, and by which verb."""

    @property
    def verb(self) -> str: ...

    @property
    def seconds(self) -> float | None: ...

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any: ...


@dataclass(frozen=True)
class Question:
    """What is asked of the model: by which method, about which number, hiding what, for how long, and by which verb."""

    method: Any = None
    target: Any = None
    masker: Any = None
    seconds: float | None = None
    verb: str = "explain"

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any:
        """The record of the rows x."""
        budget = None if self.seconds is None else resolve("Budget")(seconds=self.seconds)
        return resolve(self.verb)(
            model,
            x,
            self.method,
            target=self.target,
            background=background,
            masker=self.masker,
            names=names,
            budget=budget,
            progress=progress,
        )


@dataclass(frozen=True)
class Material:
    """Which rows of which file are explained, and which stand for what is usual."""

    data: Path
    label: str | None
    rows: tuple[int | slice, ...]
    background: Path | None
    size: int


@dataclass(frozen=True)
class Answer:
    """Where the record goes."""

    out: Path | None
    plot: Path | None
    top: int
    as_json: bool


@dataclass(frozen=True)
class Told:
    """What the file and the model know of the explained rows, beside the record."""

    rows: list[int]
    labels: list[Any] | None
    classes: list[str] | None
    background: str | None


@click.command(cls=MethodCommand, short_help="Why this output? Explain rows of a file.")
@takes_model()
@click.option("--data", type=_FILE, required=True, metavar="FILE", help="Rows: .csv, .tsv, .parquet, .npy or .npz.")
@click.option("--label", metavar="COLUMN", help="The column of true labels: shown beside the row, no feature.")
@click.option(
    "--rows", type=RowPicks(), default="0:5", show_default=True, metavar="ROWS", help="Which rows: 3, or 0:5, or 0,2,7."
)
@click.option(
    "--method", type=METHOD, metavar="METHOD", help="As in LIME or 'LIME(samples=500)'; its fields are options."
)
@click.option(
    "--target", type=TargetType(), metavar="TARGET", help="A class name, an output column, or 'Margin(0, 1)'."
)
@click.option("--masker", type=MASKER, metavar="MASKER", help="What is hidden and how, as in 'Grid(window=16)'.")
@click.option(
    "--background", type=_FILE, metavar="FILE", help="Reference rows; for a table its other rows are the default."
)
@click.option(
    "--background-size",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    metavar="N",
    help=f"{SIZE_HELP[:-1]}; 0 for none.",
)
@click.option("--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h.")
@click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the record.")
@click.option("--plot", type=NewFile(PICTURES), metavar="FILE.png", help="Draw the usual picture of the record.")
@click.option("--top", type=click.IntRange(min=1), default=8, show_default=True, metavar="N", help="Features shown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def explain(
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
    top: int,
    as_json: bool,
) -> None:
    """Explain single outputs of a model.

    \b
    pellucid explain --model model.skops --data rows.csv --label kind
    pellucid explain --model app.models:build --data x.npy --method GradCAM --plot map.png
    pellucid explain --model model.skops --data rows.csv --method LIME --samples 500

    With --method, the fields of that method become options: add --help to see them.
    """
    material = Material(data, label, rows, background, background_size)
    answer = Answer(out, plot, top, as_json)
    record, told = answered(source, material, Question(method, target, masker, budget), answer)
    _tell(record, told, answer)


def answered(source: Source, material: Material, question: Asking, answer: Answer) -> tuple[Any, Told]:
    """Read the file and the model, ask, and keep the record where that is wanted."""
    from pellucid.cli.data import choose, read_rows

    with own_stdout():
        table = read_rows(material.data, material.label)
        index = choose(material.rows, len(table), table.source)
        model = source.load()
        with doubting(table):
            record, reference = _explained(model, table, index, material, question)
        keep(record, answer)
    rows = table.take(index)
    labels = None if rows.y is None else rows.y.tolist()
    return record, Told(index.tolist(), labels, explained_classes(model, record), reference)


def _explained(
    model: Any, table: Rows, index: np.ndarray, material: Material, question: Asking
) -> tuple[Any, str | None]:
    """The record of the chosen rows, and in words what stood for the usual."""
    from pellucid.cli.data import count, suited

    x, names = suited(model, table.take(index).x)
    reference = usual(model, table, x, material)
    record = _watched(question, model, x, None if reference is None else reference.x, names)
    return (
        record,
        None
        if reference is None
        else f"{count(len(reference), 'row')} of {reference.source}, none of them explained here",
    )


def usual(model: Any, table: Rows, x: Any, material: Material) -> Rows | None:
    """Reference rows: of the other file, or of this one if it holds a table; none for pictures unless given."""
    from pellucid.cli.data import read_features, reference

    if material.size == 0 or getattr(x, "ndim", 2) == 1:  # texts need no reference
        return None
    if material.background is not None:
        return reference(model, read_features(material.background, material.label), x, material.size)
    found = reference(model, table, x, material.size) if table.x.ndim == 2 else None
    return found if found is not None and len(found) else None


def _watched(question: Asking, model: Any, x: Any, background: Any, names: Any) -> Any:
    """The answer under a bar; a first row explained by itself tells how much there is to do, where rows cost alike."""
    from pellucid.cli import screen

    total = None
    alike = question.verb == "explain"
    if alike and screen.is_terminal() and question.seconds is None and len(x) > 2:
        with screen.progress("one row first") as advance:
            one = question.ask(model, x[:1], background, names, advance).receipt
        total = len(x) * (one.rows_forward + one.rows_backward)
    if question.verb == "compare":
        with screen.waiting("explaining and judging"):
            return question.ask(model, x, background, names)
    with screen.progress("explaining" if alike else "searching", total) as advance:
        return question.ask(model, x, background, names, advance)


def keep(record: Any, answer: Answer) -> None:
    if answer.out is not None:
        record.save(answer.out)
    if answer.plot is not None:
        from pellucid import plot
        from pellucid.core.store import appearing

        figure = plot.show(record).get_figure(root=True)
        assert figure is not None
        with appearing(answer.plot) as partial:
            figure.savefig(partial, dpi=150, format=answer.plot.suffix[1:].lower())


def explained_classes(model: Any, record: Any) -> list[str] | None:
    """The name of the class whose score is explained in each row, where the model has names and the target is a class."""
    names, label = getattr(model, "classes_", None), getattr(getattr(record, "target", None), "label", None)
    if names is None or isinstance(names, list) or label is None:
        return None
    labels = label if isinstance(label, tuple) else (label,) * len(record)
    return [str(names[one]) for one in labels]


def _tell(record: Attribution, told: Told, answer: Answer) -> None:
    if answer.as_json:
        print_json({**dataclasses.asdict(told), **plain(record)})
        return
    from pellucid.cli import screen

    screen.show_attribution(record, screen.Shown(told.rows, told.labels, told.classes, answer.top))
    written = [str(path) for path in (answer.out, answer.plot) if path is not None]
    screen.out().print(screen.facts([("background", told.background), *(("written", path) for path in written)]))
