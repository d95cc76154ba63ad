"""`pellucid lung-ct`: lung nodules in CT, step by step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from pellucid.cli.kinds import METHOD, POLICY
from pellucid.cli.lung_ct_pages import audit, card

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_KEY_HELP = "The key of pseudonyms; OUT.key unless given, drawn if there is none."


@click.group(name="lung-ct", short_help="Lung nodules in CT, from DICOM on.")
def lung_ct() -> None:
    """From CT series and readers' files to patches, a network, and explanations that are checked.

    \b
    pellucid lung-ct download --manifest lidc.tcia --out dicom      (or `phantom --out phantom`, to try it all)
    pellucid lung-ct prepare --data dicom --readings xml --out patches
    pellucid lung-ct train --patches patches --out network
    pellucid lung-ct evaluate --network network --patches patches --out results
    pellucid lung-ct visualise --network network --patches patches --out seen --data dicom
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


@lung_ct.command(short_help="CT series from the archive.")
@click.option(
    "--manifest",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.tcia",
    help="The series, as the archive's web site lists them.",
)
@click.option("--patient", "patients", multiple=True, metavar="ID", help="Or all CT series of a patient; repeat.")
@click.option(
    "--collection", default="LIDC-IDRI", show_default=True, metavar="NAME", help="Where patients are looked for."
)
@click.option("--server", default=None, metavar="URL", help="Another server that speaks NBIA's REST protocol.")
@click.option("--have", type=_FOLDER, metavar="FOLDER", help="Series that are on disk; they are not asked for.")
@click.option(
    "--out", type=_FOLDER, required=True, metavar="FOLDER", help="A folder for each series; goes on if begun."
)
@click.option("--key", type=_FILE, metavar="FILE", help=_KEY_HELP)
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


@lung_ct.command(short_help="Patches become a network.")
@click.option("--patches", type=_FOLDER, required=True, metavar="FOLDER", help="What `prepare` wrote.")
@click.option("--out", type=_FOLDER, required=True, metavar="FOLDER", help="The network and its log; goes on if begun.")
@click.option(
    "--network",
    type=click.Choice(["resnet18", "narrow"]),
    default="resnet18",
    show_default=True,
    help="narrow: for phantoms.",
)
@click.option("--weights", type=_FILE, metavar="FILE", help="MedicalNet's ResNet-18, .pth or .safetensors.")
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
@click.option("--device", metavar="NAME", help="cpu, cuda or cuda:1; a GPU if there is one.")
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


@lung_ct.command(short_help="How good is the network?")
@click.option("--network", type=_FOLDER, required=True, metavar="FOLDER", help="What `train` wrote.")
@click.option("--patches", type=_FOLDER, required=True, metavar="FOLDER", help="What `prepare` wrote.")
@click.option("--out", type=_FOLDER, required=True, metavar="FOLDER", help="Predictions and the assessment.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Which patients.",
)
@click.option("--name", "names", multiple=True, metavar="NAME", help="Single patches instead of a split; repeat.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, metavar="N", help="Patches at a time.")
@click.option(
    "--explain-when",
    "policy",
    type=POLICY,
    metavar="POLICY",
    help="Explain what it calls for, as in 'ExplainWhen(above=0.5, lead=0.3, seconds=60)'.",
)
@click.option("--explain-by", type=METHOD, metavar="METHOD", help="How; Grad-CAM unless given.")
@click.option("--device", metavar="NAME", help="cpu, cuda or cuda:1; a GPU if there is one.")
@click.option("--xai", metavar="METHODS", help="Judge methods: all, or names and spellings with commas between them.")
@click.option(
    "--most", type=click.IntRange(1), default=24, show_default=True, metavar="N", help="Nodules they explain at most."
)
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


_SHOWN = {
    "ms": ("seconds", lambda seconds: f"{1e3 * seconds:.3g}"),
    "forwards": ("forwards", "{:.3g}".format),
    "stable": ("centred_cosine", "{:.2f}".format),
    "deletion": ("deletion_ahead", "{:+.2g}".format),
    "insertion": ("insertion_ahead", "{:+.2g}".format),
    "points": ("pointing", "{:.0%}".format),
    "mass": ("mass", "{:.0%}".format),
}


def _cell(value: float, way: Any) -> str:
    return way(value) if value == value else "-"


@lung_ct.command(short_help="Maps as arrays, pictures and NIfTI.")
@click.option("--network", type=_FOLDER, required=True, metavar="FOLDER", help="What `train` wrote.")
@click.option("--patches", type=_FOLDER, required=True, metavar="FOLDER", help="What `prepare` wrote.")
@click.option("--out", type=_FOLDER, required=True, metavar="FOLDER", help="Maps and pictures; goes on if begun.")
@click.option("--data", type=_FOLDER, metavar="FOLDER", help="The DICOM files, to show maps within whole slices.")
@click.option("--key", type=_FILE, metavar="FILE", help="The key of pseudonyms; PATCHES.key unless given.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Whose nodules.",
)
@click.option("--name", "names", multiple=True, metavar="NAME", help="Single patches instead of a split; repeat.")
@click.option("--most", type=click.IntRange(1), default=24, show_default=True, metavar="N", help="Nodules of a split.")
@click.option("--xai", "methods", metavar="METHODS", help="all, or names and spellings with commas; the guide's four.")
@click.option("--device", metavar="NAME", help="cpu, cuda or cuda:1; a GPU if there is one.")
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


lung_ct.add_command(audit)
lung_ct.add_command(card)
