"""`pellucid lung-ct audit` and `card`: what comes out at the end, as pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.kinds import METHOD, Duration

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(short_help="The whole check of the network, as a page.")
@click.option("--network", type=_FOLDER, required=True, metavar="FOLDER", help="What `train` wrote.")
@click.option("--patches", type=_FOLDER, required=True, metavar="FOLDER", help="What `prepare` wrote.")
@click.option("--out", type=_FOLDER, required=True, metavar="FOLDER", help="The page, its numbers and records.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Which patients.",
)
@click.option(
    "--rows", type=click.IntRange(1), default=8, show_default=True, metavar="N", help="How many patches are explained."
)
@click.option("--method", "methods", type=METHOD, multiple=True, metavar="METHOD", help="Instead of the usual; repeat.")
@click.option(
    "--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h; the page says what it left out."
)
@click.option("--resume", is_flag=True, help="Go on from what FOLDER holds of an earlier run of the same audit.")
@click.option("--device", metavar="NAME", help="cpu, cuda or cuda:1; a GPU if there is one.")
def audit(out: Path, methods: tuple[Any, ...], **more: Any) -> None:
    """Explain patches by several methods, judge each explanation, and hold it to the readers' outlines."""
    import json

    from pellucid.cli import screen
    from pellucid.studies import lung_ct as study

    with screen.steps() as tell:
        study.audit(folder=out, methods=list(methods) or None, progress=tell, **more)
    screen.show_audit(json.loads((out / "audit.json").read_text(encoding="utf-8")), str(out / "audit.html"))


@click.command(short_help="What the network is, on one page.")
@click.option("--network", type=_FOLDER, required=True, metavar="FOLDER", help="What `train` wrote.")
@click.option("--patches", type=_FOLDER, required=True, metavar="FOLDER", help="What `prepare` wrote.")
@click.option("--results", type=_FOLDER, required=True, metavar="FOLDER", help="What `evaluate` wrote.")
@click.option("--audit", type=_FOLDER, metavar="FOLDER", help="What `audit` wrote, if it was run.")
@click.option("--about", default="", metavar="TEXT", help="Which patients these are, in a sentence.")
@click.option("--out", type=_FOLDER, required=True, metavar="FOLDER", help="For card.html and card.json.")
def card(out: Path, **given: Any) -> None:
    """The model card: data, training, performance by size of the nodule, what explanations are worth, and the limits."""
    from pellucid.studies import lung_ct as study

    page = study.write_card(study.card(**given), out)
    click.echo(f"page  {page}")
