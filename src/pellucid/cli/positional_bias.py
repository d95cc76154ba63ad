"""`pellucid positional-bias`: does the order of two options decide what a language model answers?"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.output import own_stdout, print_json
from pellucid.core.errors import InputError, ModelError

if TYPE_CHECKING:
    from pellucid.core.positional import PositionalBias
    from pellucid.studies.positional_bias import Plan

DEFAULT = "Qwen/Qwen2.5-1.5B-Instruct"
PAGE, RECORD, TABLE, PLAN = "positional_bias.html", "result.npz", "answers.csv", "plan.yaml"
_PATH = click.Path(path_type=Path)


@click.group("positional-bias", short_help="Does the order of two options decide?")
def positional_bias() -> None:
    """Ask a language model to choose between two options in both orders, and say what the order does.

    \b
    pellucid positional-bias run --out bias
    pellucid positional-bias run --model ./my-model --plan plan.yaml --out bias --resume
    pellucid positional-bias run --demo first --out demo
    pellucid positional-bias plan > plan.yaml
    """


@positional_bias.command("plan", short_help="The published plan as YAML, to be changed.")
def show_plan() -> None:
    """Print the plan that `run` follows by default."""
    import yaml

    from pellucid.studies.positional_bias import Plan

    click.echo(yaml.safe_dump(Plan().as_dict(), sort_keys=False, allow_unicode=True, width=120), nl=False)


@positional_bias.command(short_help="Ask, count, explain, try remedies, write the page.")
@click.option(
    "--model", "name", default=DEFAULT, show_default=True, metavar="PATH_OR_NAME", help="A folder or a hub's name."
)
@click.option(
    "--plan", "plan_file", type=_PATH, metavar="PLAN.yaml", help="What is asked; the published plan by default."
)
@click.option("--out", type=_PATH, required=True, metavar="FOLDER", help="Gets the page, the record, every answer.")
@click.option("--resume", is_flag=True, help="Go on with what is in the folder.")
@click.option(
    "--most", type=click.IntRange(min=0), metavar="N", help="Explain at most so many combinations; 0 for none."
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="DEVICE",
    help="cpu, cuda, cuda:1; auto: cuda if there is one.",
)
@click.option(
    "--dtype", default="auto", show_default=True, metavar="DTYPE", help="float32, bfloat16; auto: as it was saved."
)
@click.option(
    "--batch", type=click.IntRange(min=1), default=64, show_default=True, metavar="N", help="Prompts kept at a time."
)
@click.option(
    "--demo",
    metavar="RULE",
    help="No model at hand: train a small one with a bias: first, second, often, category, none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def run(
    name: str,
    plan_file: Path | None,
    out: Path,
    resume: bool,
    most: int | None,
    device: str,
    dtype: str,
    batch: int,
    demo: str | None,
    as_json: bool,
) -> None:
    """Ask every prompt of a plan in both orders; what is finished is kept, so --resume goes on after a stop."""
    from pellucid.cli import screen
    from pellucid.studies.positional_bias import BRIEF, Plan, run

    brief = BRIEF if demo is not None else {}
    plan = Plan(**brief) if plan_file is None else Plan.load(plan_file)  # type: ignore[arg-type]
    plan = plan if most is None else replace(plan, most=most)
    with own_stdout():
        model = _demo(demo, plan) if demo is not None else _model(name, device, dtype)
        with screen.steps() as told:
            called = f"a small model, planted: {demo}" if demo is not None else _called(name)
            result = run(model, plan, out, resume=resume, name=called, batch=batch, progress=told)
        written = _write(result, plan, out)
    if as_json:
        print_json(_document(result))
    else:
        _tell(result, written)


def _model(name: str, device: str, dtype: str) -> Any:
    import pellucid as pc

    try:
        model = pc.CausalLM.load(name, dtype=dtype)
    except ModelError as error:
        remedy = (
            "A model that was saved beforehand runs without a network: --model FOLDER; "
            "`--demo first` shows the study on a small model made on the spot."
        )
        raise ModelError(f"{error} {remedy}") from error
    with _refusing(device):
        model.model.to(_device(device))
    return model


def _device(device: str) -> str:
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


@contextlib.contextmanager
def _refusing(device: str) -> Any:
    """A device that is not there, in one line."""
    try:
        yield
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"--device {device}: {str(error).splitlines()[0]}; give cpu, or a device that is there."
        ) from error


def _demo(rule: str, plan: Plan) -> Any:
    import pellucid as pc
    from pellucid.cli import screen
    from pellucid.studies.positional_bias import Planted

    planted = Planted(rule, plan)  # type: ignore[arg-type]
    with screen.waiting("training a small model"):
        return pc.CausalLM(*planted.train())


def _called(name: str) -> str:
    """A hub's name as it is, a folder by its last part: no path of this machine leaves it."""
    return Path(name).resolve().name if Path(name).is_dir() else name


def _write(result: PositionalBias, plan: Plan, out: Path) -> list[Path]:
    from pellucid.core.store import appearing
    from pellucid.studies.positional_bias import write_page

    with appearing(out / TABLE) as partial:
        result.to_frame().to_csv(partial, index=False)
    return [write_page(result, out / PAGE), result.save(out / RECORD), out / TABLE, plan.save(out / PLAN)]


def _document(result: PositionalBias) -> dict[str, Any]:
    """What a program wants to know: the verdict, lines, roles, remedies; the answers are in the table."""
    kept = ("title", "model", "lines", "p_pairs", "roles", "remedies", "identical", "misnamed", "receipt")
    return {"verdict": result.verdict, "biased": result.biased, **{name: getattr(result, name) for name in kept}}


def _tell(result: PositionalBias, written: list[Path]) -> None:
    from rich.text import Text

    from pellucid.cli import screen

    console = screen.out()
    for sentence in result.sentences:
        console.print(Text(sentence))
    console.print(_table(result))
    facts = [*(("how", note) for note in result.receipt.notes), *(("written", str(path)) for path in written)]
    console.print(screen.facts(facts))


def _table(result: PositionalBias) -> Any:
    """One line for all, and for each category and style."""
    from rich.text import Text

    from pellucid.cli import screen

    numbers = ("clear", "same", "first", "second", "p (Holm)", "log-odds")
    table = screen.table("by", "name", *numbers, right=numbers)
    for line in result.lines:
        if line.by in ("all", "category", "style"):
            counts = map(str, (line.clear, line.same, line.first, line.second))
            table.add_row(*map(Text, (line.by, line.name, *counts, f"{line.p_holm:.2g}", f"{line.position:+.2f}")))
    return table
