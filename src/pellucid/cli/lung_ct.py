"""`pellucid lung-ct`: lung nodules in CT, step by step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pellucid.cli.lung_ct_looks import evaluate, visualise
from pellucid.cli.lung_ct_options import FILE, FOLDER, takes_device, takes_key, takes_out, takes_patches
from pellucid.cli.lung_ct_pages import audit, card


@click.group(name="lung-ct", short_help="Lung nodules in CT, from DICOM on.")
def lung_ct() -> None:
    """From CT series and readers' files to patches, a network, and explanations that are checked.

    \b
    pellucid lung-ct download --manifest lidc.tcia --out dicom      (or `phantom --out phantom`, to try it all)
    pellucid lung-ct prepare --data dicom --readings xml --out patches
    pellucid lung-ct train --patches patches --out network
    pellucid lung-ct evaluate --network network --patches patches --out results
    pellucid lung-ct visualise --network network --patches patches --out seen --data dicom
    pellucid lung-ct audit --network network --patches patches --out audit --budget 10m
    pellucid lung-ct card --network network --patches patches --results results --audit audit --out card
    """


@lung_ct.command(short_help="Synthetic chests to try it all on.")
@takes_out("A new folder.")
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


@lung_ct.command(short_help="CT series from the archive.")
@click.option(
    "--manifest",
    type=FILE,
    metavar="FILE.tcia",
    help="The series, as the archive's web site lists them.",
)
@click.option("--patient", "patients", multiple=True, metavar="ID", help="Or all CT series of a patient; repeat.")
@click.option(
    "--collection", default="LIDC-IDRI", show_default=True, metavar="NAME", help="Where patients are looked for."
)
@click.option("--server", default=None, metavar="URL", help="Another server that speaks NBIA's REST protocol.")
@click.option("--have", type=FOLDER, metavar="FOLDER", help="Series that are on disk; they are not asked for.")
@takes_out("A folder for each series; goes on if begun.")
@takes_key
@click.option(
    "--workers", type=click.IntRange(1, 16), default=4, show_default=True, metavar="N", help="Series at a time."
)
@click.option("--tries", type=click.IntRange(1), default=6, show_default=True, metavar="N", help="For each series.")
def download(
    manifest: Path | None,
    patients: tuple[str, ...],
    collection: str,
    server: str | None,
    out: Path,
    key: Path | None,
    tries: int,
    **more: Any,
) -> None:
    """Get CT series, several at a time, checked by their checksums; started again, it goes on where it stopped."""
    from pellucid.cli import screen
    from pellucid.studies import lung_ct as study

    source = study.Server(server) if server else study.Server()
    if (manifest is None) == (not patients):
        raise click.UsageError("say which series: --manifest FILE.tcia, or --patient ID.")
    patience = study.Patience(tries)
    uids = study.read_manifest(manifest) if manifest else study.listed(source, collection, patients, patience)
    pseudonyms = study.Pseudonyms.kept_in(key or out.with_name(f"{out.name}.key"))
    with screen.steps() as tell:
        got = 0

        def heard(more_bytes: int, total: int) -> None:
            nonlocal got
            got += more_bytes
            tell(f"{got / 1e9:.2f} of {total / 1e9:.2f} GB", min(1.0, got / max(total, 1)))

        tally = study.download(source, uids, out, pseudonyms, patience=patience, heard=heard, **more)
    for line in tally.lines():
        click.echo(line)
    if tally.refused:
        raise click.ClickException(f"{len(tally.refused)} series are missing: the same command tries them again.")


@lung_ct.command(short_help="Series and readings become patches.")
@click.option("--data", type=FOLDER, required=True, metavar="FOLDER", help="DICOM files, in whatever folders.")
@click.option("--readings", type=FOLDER, required=True, metavar="FOLDER", help="The readers' XML files.")
@takes_out("Patches and their index; goes on if begun.")
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
@takes_key
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


@lung_ct.command(short_help="Patches become a network.")
@takes_patches
@takes_out("The network and its log; goes on if begun.")
@click.option(
    "--network",
    type=click.Choice(["resnet18", "narrow"]),
    default="resnet18",
    show_default=True,
    help="narrow: for phantoms.",
)
@click.option("--weights", type=FILE, metavar="FILE", help="MedicalNet's ResNet-18, .pth or .safetensors.")
@click.option(
    "--upper",
    type=click.Choice(["all", "layer1", "layer2", "layer3", "layer4"]),
    help="From where on it learns after the head; all without --weights, else layer3.",
)
@click.option("--epochs", type=int, metavar="N", help="At most; 40, or 10 for narrow.")
@click.option("--warmup", type=int, metavar="N", help="Epochs of the head alone; 3, or 1 for narrow.")
@click.option("--rate", type=float, metavar="R", help="Learning rate; 3e-4, or 2e-3 for narrow.")
@click.option("--batch", type=int, metavar="N", help="Patches a step, over all processes; 16.")
@click.option("--patience", type=int, metavar="N", help="Epochs without a better one; 10, or 4 for narrow.")
@click.option("--smoothing", type=float, metavar="S", help="Of labels; 0.05.")
@click.option(
    "--balanced", is_flag=True, default=None, help="Both classes weigh alike, however many patches they have."
)
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), help="auto: half on a GPU.")
@click.option("--seed", type=int, help="Of everything that is drawn; 0.")
@takes_device
def train(
    patches: Path, out: Path, network: str, weights: Path | None, upper: str | None, device: str | None, **more: Any
) -> None:
    """Train head first, then the upper layers; the epoch with the best validation AUC is kept.

    On several GPUs: torchrun --nproc-per-node 4 -m pellucid lung-ct train ...
    """
    import dataclasses

    from pellucid.studies import lung_ct as study

    plain = study.phantom_plan() if network == "narrow" else study.Plan(network=network)
    given = {name: value for name, value in more.items() if value is not None}
    plan = dataclasses.replace(plain, upper=upper or ("all" if weights is None else "layer3"), **given)

    def heard(line: dict[str, Any]) -> None:
        numbers = (
            f"loss {line['loss']:.3f}, validation loss {line['validation_loss']:.3f}, AUC {line['validation_auc']:.3f}"
        )
        best = ", the best so far" if line["best"] else ""
        click.echo(f"epoch {line['epoch']} ({line['phase']}): {numbers}{best}; {line['seconds']:.0f} s", err=True)

    told = study.train(patches, out, plan, weights=weights, device=device, heard=heard)
    if os.environ.get("RANK", "0") == "0":
        where = f"epoch {told['best_epoch']} of {told['epochs']}"
        click.echo(f"validation AUC {told['validation_auc']:.3f} in {where}: {out / 'model.safetensors'}")


for step in (evaluate, visualise, audit, card):
    lung_ct.add_command(step)
