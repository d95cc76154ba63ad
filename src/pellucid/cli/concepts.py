"""`pellucid concepts`: which concepts raise an output, at which layers?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import FILE, Source, doubting, takes_data, takes_model
from pellucid.cli.options import ANY_TARGET, MethodCommand, takes_method, takes_target
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, takes_layers, tell_cost
from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.core.concept_scores import ConceptScores


class Named(click.ParamType):
    """NAME=FILE"""

    name = "concept"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        if isinstance(value, tuple):
            return value
        name, equals, file = str(value).partition("=")
        if not (name and equals and file):
            self.fail(
                f"{value!r} is no concept: write its name and its examples, as in striped=stripes.npy.", param, ctx
            )
        return name, Path(file)


@click.command(cls=MethodCommand, short_help="Which concepts raise this output?")
@takes_model()
@takes_data
@takes_layers
@click.option(
    "--concept",
    "named",
    type=Named(),
    multiple=True,
    metavar="NAME=FILE",
    help="A concept and a file of its examples, or of its masks; once for each.",
)
@click.option(
    "--masks", type=FILE, metavar="FILE", help="For NetworkDissection: a label map (n, h, w) instead of --concept."
)
@click.option("--names", metavar="NAMES", help="Names of the labels of --masks, from 0 on: sky,building,road.")
@click.option("--random", type=FILE, metavar="FILE", help="Examples of anything; without it concepts meet each other.")
@takes_target(ANY_TARGET)
@takes_method("TCAV", "Its fields are options; see below.")
@takes_answer("a bar for each concept and layer")
def concepts(
    source: Source,
    answer: Answer,
    data: Path,
    layers: tuple[str, ...],
    named: tuple[tuple[str, Path], ...],
    masks: Path | None,
    names: str | None,
    random: Path | None,
    target: Any,
    method: Any,
) -> None:
    """Ask which concepts raise an output of a network; DATA are the inputs whose output is looked at.

    \b
    pellucid concepts --model app.models:build --data zebras.npy --target 340 --layer blocks.14 \\
        --concept striped=stripes.npy --random photos.npy --plot stripes.png
    pellucid concepts --model app.models:build --data streets.npy --layer blocks.13 \\
        --method NetworkDissection --masks labels.npy --names sky,building,road --plot detectors.png
    """
    from pellucid.cli import screen
    from pellucid.cli.data import read_rows, suited
    from pellucid.core.registry import resolve

    twice = [name for name, _ in named if [other for other, _ in named].count(name) > 1]
    if twice:
        raise InputError(f"--concept {twice[0]} stands there twice: give each concept a name of its own.")
    with own_stdout():
        model, table = source.load(), read_rows(data)
        given = _masks(masks, names, named)
        sets = given if given is not None else {name: suited(model, read_rows(path).x)[0] for name, path in named}
        others = None if random is None else suited(model, read_rows(random).x)[0]
        with doubting(table), screen.progress("looking") as heard:
            record = resolve("concepts")(
                model,
                sets,
                method,
                layer=list(layers),
                inputs=suited(model, table.x)[0],
                target=target,
                random=others,
                progress=heard,
            )
        keep(record, answer)
    if answer.as_json:
        print_json({**plain(record), "words": record.words()})
    else:
        _tell(record, answer)


def _masks(masks: Path | None, names: str | None, named: tuple[tuple[str, Path], ...]) -> Any:
    """A label map and the names of its labels, where one is given."""
    from pellucid.cli.data import read_rows

    if masks is None and not named:
        raise InputError("there are no concepts: give --concept NAME=FILE for each, or --masks FILE for a dissection.")
    if masks is None:
        return None
    if named:
        raise InputError("--concept and --masks both name concepts: give one of them.")
    labels = read_rows(masks).x
    return labels if names is None else (labels, [name.strip() for name in names.split(",")])


def _tell(record: ConceptScores, answer: Answer) -> None:
    from pellucid.cli import screen

    console = screen.out()
    if record.units:
        screen.show_frame(record.to_frame())
    else:
        _tell_scores(record)
    for sentence in record.words():
        console.print(sentence, markup=False, highlight=False)
    tell_cost(record, answer)


def _tell_scores(record: ConceptScores) -> None:
    from pellucid.cli import screen

    columns = ("concept", "layer", "score", "95 % of runs", "p, Holm", "", "probe right")
    made = screen.table(*columns, right=("score", "p, Holm", "probe right"))
    for line in record.to_frame().to_dict("records"):
        silent = bool(line["not reported because"])
        score = "" if silent else f"{line['score']:.2f}"
        span = "not reported" if silent else f"{line['low']:.2f} to {line['high']:.2f}"
        p = "" if silent else f"{line['p adjusted']:.2g}"
        star = "*" if line["significant"] else ""
        made.add_row(line["concept"], line["layer"], score, span, p, star, f"{line['probe accuracy']:.0%}")
    screen.out().print(made)
