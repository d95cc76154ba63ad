"""Options that several steps of `pellucid lung-ct` have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from pellucid.cli.options import Decorated

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)

takes_network = click.option("--network", type=FOLDER, required=True, metavar="FOLDER", help="What `train` wrote.")
takes_patches = click.option("--patches", type=FOLDER, required=True, metavar="FOLDER", help="What `prepare` wrote.")
takes_split = click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Which patients.",
)
takes_names = click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Single patches instead of a split; repeat."
)
takes_most = click.option(
    "--most", type=click.IntRange(1), default=24, show_default=True, metavar="N", help="Nodules explained at most."
)
takes_key = click.option(
    "--key", type=FILE, metavar="FILE", help="The key of pseudonyms; OUT.key unless given, drawn if there is none."
)
takes_device = click.option("--device", metavar="NAME", help="cpu, cuda or cuda:1; a GPU if there is one.")


def takes_out(help: str) -> Callable[[Decorated], Decorated]:
    """Add `--out`."""
    return click.option("--out", type=FOLDER, required=True, metavar="FOLDER", help=help)
