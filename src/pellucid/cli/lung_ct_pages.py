"""`pellucid lung-ct audit` and `card`: what comes out at the end, as pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.kinds import METHOD, Duration
from pellucid.cli.lung_ct_options import FOLDER, takes_device, takes_network, takes_out, takes_patches, takes_split


@click.command(short_help="The whole check of the network, as a page.")
@takes_network
@takes_patches
@takes_out("The page, its numbers and records.")
@takes_split
@click.option(
    "--rows", type=click.IntRange(1), default=8, show_default=True, metavar="N", help="How many patches are explained."
)
@click.option("--method", "methods", type=METHOD, multiple=True, metavar="METHOD", help="Instead of the usual; repeat.")
@click.option(
    "--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h; the page says what it left out."
)
@click.option("--resume", is_flag=True, help="Go on from what FOLDER holds of an earlier run of the same audit.")
@takes_device
def audit(out: Path, methods: tuple[Any, ...], **more: Any) -> None:
    """Explain patches by several methods, judge each explanation, and hold it to the readers' outlines."""
    import json

    from pellucid.cli import screen
    from pellucid.studies import lung_ct as study

    with screen.steps() as tell:
        study.audit(folder=out, methods=list(methods) or None, progress=tell, **more)
    screen.show_audit(json.loads((out / "audit.json").read_text(encoding="utf-8")), str(out / "audit.html"))


@click.command(short_help="What the network is, on one page.")
@takes_network
@takes_patches
@click.option("--results", type=FOLDER, required=True, metavar="FOLDER", help="What `evaluate` wrote.")
@click.option("--audit", type=FOLDER, metavar="FOLDER", help="What `audit` wrote, if it was run.")
@click.option("--about", default="", metavar="TEXT", help="Which patients these are, in a sentence.")
@takes_out("For card.html and card.json.")
def card(out: Path, **given: Any) -> None:
    """The model card: data, training, performance by size of the nodule, what explanations are worth, and the limits."""
    from pellucid.studies import lung_ct as study

    page = study.write_card(study.card(**given), out)
    click.echo(f"page  {page}")
