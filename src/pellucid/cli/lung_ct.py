"""`pellucid lung-ct`: lung nodules in CT, step by step."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(name="lung-ct", short_help="Lung nodules in CT, from DICOM on.")
def lung_ct() -> None:
    """From CT series and readers' files to patches, a network, and explanations that are checked.

    \b
    pellucid lung-ct phantom --out phantom
    """


@lung_ct.command(short_help="Synthetic chests to try it all on.")
@click.option("--out", type=_FOLDER, required=True, metavar="FOLDER", help="A new folder.")
@click.option("--patients", type=click.IntRange(1), default=24, show_default=True, metavar="N", help="How many.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is drawn.")
def phantom(out: Path, patients: int, seed: int) -> None:
    """Write DICOM series and LIDC-style readings of synthetic chests."""
    from pellucid.cli import screen
    from pellucid.studies.lung_ct import write_phantom

    with screen.progress("chests", patients, unit="patients") as done:
        write_phantom(out, patients, seed, done)
    click.echo(
        f"{patients} patients: series in {out / 'dicom'}, readings in {out / 'xml'}, the truth in {out / 'phantom.json'}"
    )
