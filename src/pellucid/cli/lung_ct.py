"""`pellucid lung-ct`: lung nodules in CT, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(name="lung-ct", short_help="Lung nodules in CT, from DICOM on.")
def lung_ct() -> None:
    """From CT series and readers' files to patches, a network, and explanations that are checked.

    \b
    pellucid lung-ct phantom --out phantom
    pellucid lung-ct prepare --data phantom/dicom --readings phantom/xml --out patches --size 32
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


@lung_ct.command(short_help="Series and readings become patches.")
@click.option("--data", type=_FOLDER, required=True, metavar="FOLDER", help="DICOM files, in whatever folders.")
@click.option("--readings", type=_FOLDER, required=True, metavar="FOLDER", help="The readers' XML files.")
@click.option("--out", type=_FOLDER, required=True, metavar="FOLDER", help="Patches and their index; goes on if begun.")
@click.option("--size", type=click.IntRange(8), default=64, show_default=True, metavar="N", help="Voxels along a side.")
@click.option("--step", type=float, default=1.0, show_default=True, metavar="MM", help="The side of a voxel.")
@click.option(
    "--window",
    type=(float, float),
    default=(-1000.0, 400.0),
    show_default=True,
    metavar="HU HU",
    help="Becomes -1 to 1.",
)
@click.option(
    "--readers", type=click.IntRange(1), default=2, show_default=True, metavar="N", help="Who make a nodule positive."
)
@click.option(
    "--backgrounds", type=click.IntRange(0), default=1, show_default=True, metavar="N", help="For each positive."
)
@click.option(
    "--shares",
    type=(float, float, float),
    default=(0.7, 0.15, 0.15),
    show_default=True,
    metavar="A B C",
    help="Patients in training, validation and test.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the split and of background places.")
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The key of pseudonyms; OUT.key unless given, drawn if there is none.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Scans at a time.")
def prepare(data: Path, readings: Path, out: Path, key: Path | None, workers: int, **recipe: Any) -> None:
    """Read, resample, find lungs and nodules, cut patches, split by patient; what cannot be used is told by reason."""
    from pellucid.cli import screen
    from pellucid.studies import lung_ct as study

    pseudonyms = study.Pseudonyms.kept_in(key or out.with_name(f"{out.name}.key"))
    with screen.progress("scans", unit="scans") as done:
        tally = study.prepare(data, readings, out, study.Recipe(**recipe), pseudonyms, workers=workers, progress=done)
    index = study.read_index(out)
    for line in tally.lines():
        click.echo(line)
    for name in study.SPLITS:
        part = index[index["split"] == name]
        click.echo(
            f"{name}: {len(part)} patches of {part['patient'].nunique()} patients, {int(part['label'].sum())} with a nodule"
        )
