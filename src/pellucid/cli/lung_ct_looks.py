"""The steps of `pellucid lung-ct` that ask a network: how good it is, what methods show of it, and maps to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.cli.kinds import METHOD, POLICY
from pellucid.cli.lung_ct_options import (
    FILE,
    FOLDER,
    takes_device,
    takes_most,
    takes_names,
    takes_network,
    takes_out,
    takes_patches,
    takes_split,
)


@click.command(short_help="How good is the network?")
@takes_network
@takes_patches
@takes_out("Predictions and the assessment.")
@takes_split
@takes_names
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, metavar="N", help="Patches at a time.")
@click.option(
    "--explain-when",
    "policy",
    type=POLICY,
    metavar="POLICY",
    help="Explain what it calls for, as in 'ExplainWhen(above=0.5, lead=0.3, seconds=60)'.",
)
@click.option("--explain-by", type=METHOD, metavar="METHOD", help="How; Grad-CAM unless given.")
@takes_device
@click.option("--xai", metavar="METHODS", help="Judge methods: all, or names and spellings with commas between them.")
@takes_most
@click.option("--report", is_flag=True, help="A page of it all, report.html.")
def evaluate(
    out: Path,
    names: tuple[str, ...],
    batch: int,
    policy: Any,
    explain_by: Any,
    xai: str | None,
    most: int,
    report: bool,
    **more: Any,
) -> None:
    """Predict a split or single patches; AUC, calibration, and sensitivity at fixed false positives.

    With --xai, nodules are explained and the methods judged: seconds beside one forward pass, memory, stability, deletion and
    insertion against random orders, and whether maps lie where the readers drew. What is finished is kept, and not computed again.
    """
    from pellucid.studies import lung_ct as study

    found = study.evaluate(folder=out, names=names, batch=batch, **more)
    for line in found.lines() if found else ["patches of one class: predictions, and nothing to assess"]:
        click.echo(line)
    click.echo(f"written: {out / 'predictions.csv'}")
    if policy is not None:
        made = study.explain_when(more["network"], more["patches"], out, policy, explain_by, device=more["device"])
        for line in made.sentences():
            click.echo(line)
        click.echo(f"written: {out / 'selection.csv'}, maps in {out / 'explained'}")
    if xai:
        _explain(out, methods=xai, names=names, most=most, **more)
    if report:
        click.echo(f"written: {study.write_report(out)}")


def _explain(out: Path, **more: Any) -> None:
    """Methods side by side, and their table on the screen."""
    from pellucid.cli import screen
    from pellucid.studies import lung_ct as study

    with screen.steps() as tell:
        found = study.benchmark(folder=out, heard=tell, **more)
    made = screen.table("method", *_SHOWN, right=list(_SHOWN))
    for line in found.lines:
        made.add_row(line.name, *(_cell(getattr(line, field), way) for field, way in _SHOWN.values()))
    screen.out().print(made)
    for line in found.lines:
        if line.failed:
            click.echo(f"{line.name} failed: {line.failed}")
    click.echo(f"written: {out / 'explanations.csv'}")


_SHOWN = {  # short words: a name and seven numbers fit on 80 columns
    "ms": ("seconds", lambda seconds: f"{1e3 * seconds:,.{0 if seconds > 0.01 else 1}f}"),
    "passes": ("forwards", lambda passes: f"{passes:,.{0 if passes > 10 else 1}f}"),
    "stable": ("centred_cosine", "{:.2f}".format),
    "delete": ("deletion_ahead", "{:+.2g}".format),
    "insert": ("insertion_ahead", "{:+.2g}".format),
    "points": ("pointing", "{:.0%}".format),
    "mass": ("mass", "{:.0%}".format),
}


def _cell(value: float, way: Any) -> str:
    return way(value) if value == value else "-"


@click.command(short_help="Maps as arrays, pictures and NIfTI.")
@takes_network
@takes_patches
@takes_out("Maps and pictures; goes on if begun.")
@click.option("--data", type=FOLDER, metavar="FOLDER", help="The DICOM files, to show maps within whole slices.")
@click.option("--key", type=FILE, metavar="FILE", help="The key of pseudonyms; PATCHES.key unless given.")
@takes_split
@takes_names
@takes_most
@click.option("--xai", "methods", metavar="METHODS", help="all, or names and spellings; else four usual ones.")
@takes_device
def visualise(patches: Path, out: Path, data: Path | None, key: Path | None, **more: Any) -> None:
    """Explain nodules: maps as .npy and NIfTI, figures of methods by planes; with --data within whole slices of the scan."""
    from pellucid.cli import screen
    from pellucid.studies import lung_ct as study

    key = key or patches.with_name(f"{patches.name}.key")
    if data is not None and not key.is_file():
        raise click.UsageError(f"there is no key {key.name}: --key FILE, the one that `prepare` used.")
    pseudonyms = study.Pseudonyms.kept_in(key) if data is not None else None
    with screen.progress("patches", unit="patches") as done:
        tally = study.visualise(patches=patches, folder=out, data=data, pseudonyms=pseudonyms, progress=done, **more)
    for line in tally.lines():
        click.echo(line)
    click.echo(f"written: {out}")
