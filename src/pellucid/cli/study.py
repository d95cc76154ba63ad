"""`pellucid study`: studies with people, from records to a questionnaire to the result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import PICTURES, NewFile
from pellucid.cli.output import plain, print_json
from pellucid.cli.study_make import make
from pellucid.core.errors import StoreError

if TYPE_CHECKING:
    from pellucid.core.study import StudyResult
    from pellucid.studies.human import Study

_FILE = click.Path(path_type=Path)


@click.group(short_help="Ask people: questionnaires, answers, analysis.")
def study() -> None:
    """Make a questionnaire out of records, collect answers, and say what explanations changed.

    \b
    pellucid study power --baseline 0.6 --effect 0.15 --items 10 --icc 0.1
    pellucid study make forward-simulation --record why.npz --labels labels.csv --out mystudy
    pellucid study serve mystudy/study.json --answers answers.jsonl
    pellucid study analyze mystudy/study.json answers.jsonl --page result.html
    """


study.add_command(make)


@study.command(short_help="How many participants does it take?")
@click.option("--baseline", type=float, required=True, metavar="SHARE", help="Right answers in the first condition.")
@click.option("--effect", type=float, required=True, metavar="SHARE", help="By how much explanations change it.")
@click.option("--items", type=click.IntRange(1), required=True, metavar="N", help="Questions for each participant.")
@click.option(
    "--icc", type=float, required=True, metavar="R", help="How alike one participant's answers are; 0.1 is common."
)
@click.option(
    "--power", type=float, default=0.8, show_default=True, metavar="P", help="How surely the effect is to be found."
)
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, metavar="P", help="How often chance may look like one."
)
@click.option(
    "--conditions", type=click.IntRange(2), default=2, show_default=True, metavar="K", help="How many there are."
)
@click.option("--within", is_flag=True, help="Every participant meets all conditions.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def power(as_json: bool, baseline: float, effect: float, items: int, icc: float, **test: Any) -> None:
    """Say how many participants find an effect with the wanted probability."""
    import dataclasses

    from pellucid.studies.human import participants_needed

    plan = participants_needed(baseline, effect, items, icc, **test)
    if as_json:
        print_json(dataclasses.asdict(plan))
    else:
        click.echo(f"{plan}.")


@study.command(short_help="Serve the questionnaire on this machine.")
@click.argument("file", type=_FILE, metavar="STUDY.json")
@click.option(
    "--answers", type=NewFile((".jsonl",)), required=True, metavar="FILE.jsonl", help="Where answers are appended."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--host", "hosts", multiple=True, metavar="NAME", help="A name under which a web server in front is reached."
)
def serve(file: Path, answers: Path, port: int, hosts: tuple[str, ...]) -> None:
    """Hand out the questionnaire to whoever opens the address, until Ctrl-C; listens on 127.0.0.1 only."""
    from pellucid.studies import human

    with human.serve(_load(file), answers, port=port, hosts=hosts) as server:
        click.echo(f"the questionnaire is at {server.url}, answers go to {answers}; Ctrl-C ends it")
        server.serve_forever()


@study.command(short_help="Simulated participants, before real ones.")
@click.argument("file", type=_FILE, metavar="STUDY.json")
@click.option(
    "--accuracy", "shares", multiple=True, required=True, metavar="NAME=SHARE", help="Of each condition; repeat."
)
@click.option("--participants", type=click.IntRange(1), default=40, show_default=True, metavar="N", help="How many.")
@click.option("--icc", type=float, default=0.1, show_default=True, metavar="R", help="How alike one's answers are.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")
@click.option("--out", type=NewFile((".jsonl",)), required=True, metavar="FILE.jsonl", help="Where their answers go.")
def rehearse(file: Path, shares: tuple[str, ...], participants: int, icc: float, seed: int, out: Path) -> None:
    """Send simulated participants through a study, to see the analysis before anybody is asked."""
    import json

    from pellucid.core.store import appearing
    from pellucid.studies import human

    lines = human.rehearse(_load(file), _shares(shares), participants=participants, icc=icc, seed=seed)
    with appearing(out) as partial:
        partial.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    click.echo(f"{len(lines)} answers of {participants} simulated participants in {out}")


def _shares(given: tuple[str, ...]) -> dict[str, float]:
    """`with=0.8` -> {"with": 0.8}"""
    made = {}
    for text in given:
        name, _, share = text.rpartition("=")
        try:
            made[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"{text!r} is not of the form NAME=SHARE, as in with=0.8.") from None
    return made


@study.command(short_help="What did explanations change?")
@click.argument("file", type=_FILE, metavar="STUDY.json")
@click.argument("answers", type=_FILE, nargs=-1, required=True, metavar="ANSWERS.jsonl...")
@click.option(
    "--misses", type=click.IntRange(0), default=0, show_default=True, help="Attention checks that may be missed."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the randomisation test.")
@click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the record.")
@click.option("--plot", type=NewFile(PICTURES), metavar="FILE.png", help="Draw it.")
@click.option("--page", type=NewFile((".html",)), metavar="FILE.html", help="Write the whole result as one page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def analyze(
    file: Path,
    answers: tuple[Path, ...],
    misses: int,
    seed: int,
    out: Path | None,
    plot: Path | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Compare every condition with the first one: accuracy, time, reliance."""
    from pellucid.studies import human

    result = human.analyze(_load(file), answers, misses=misses, seed=seed)
    if out is not None:
        result.save(out)
    if plot is not None:
        _draw(result, plot)
    if page is not None:
        human.write_result(result, page)
    if as_json:
        print_json({**plain(result), "verdict": result.verdict})
        return
    _tell(result, [path for path in (out, plot, page) if path is not None])


def _draw(result: StudyResult, path: Path) -> None:
    from pellucid import plot

    figure: Any = plot.show(result).get_figure(root=True)
    figure.savefig(path, dpi=150)


def _tell(result: StudyResult, written: list[Path]) -> None:
    from rich.text import Text

    from pellucid.cli import screen

    console = screen.out()
    console.print(Text(result.verdict))
    for kind in dict.fromkeys(arm.kind for arm in result.arms):
        console.print(Text(f"\n{kind}", screen.LOUD))
        console.print(_table(result, kind))
    facts = [("excluded", str(result.excluded)), ("unfinished", str(result.unfinished))]
    console.print(screen.facts([*facts, *(("written", str(path)) for path in written)]))


def _table(result: StudyResult, kind: str) -> Any:
    """One kind of task: each measure in each condition, and the test against the first."""
    from rich.text import Text

    from pellucid.cli import screen

    numbers = ("people", "mean", "95 % interval", "p")
    table = screen.table("measure", "condition", *numbers, right=numbers)
    tests = {(one.measure, one.condition): f"{one.p_holm:.2g}" for one in result.contrasts if one.kind == kind}
    for arm in result.arms:
        if arm.kind == kind:
            ends, p = f"{arm.low:.3g} to {arm.high:.3g}", tests.get((arm.measure, arm.condition), "")
            cells = (arm.measure, arm.condition, str(arm.participants), f"{arm.mean:.3g}", ends, p)
            table.add_row(*map(Text, cells))
    return table


def _load(path: Path) -> Study:
    from pellucid.studies.human import Study

    if not path.is_file():
        raise StoreError(f"there is no file {path}.")
    return Study.load(path)
