"""`pellucid similarity`: how alike are layers, of one network or of two?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import FILE, MODEL_HELP, Source, takes_model
from pellucid.cli.options import MethodCommand, takes_method
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, keep, takes_answer, tell_cost
from pellucid.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from pellucid.core.similarity import Similarity


@click.command(cls=MethodCommand, short_help="How alike are layers, or two networks?")
@click.argument("files", type=FILE, nargs=-1, metavar="[A.npz [B.npz]]")
@takes_model(required=False)
@click.option("--other", metavar="MODEL", help=f"The network to compare with. {MODEL_HELP}")
@click.option("--data", type=FILE, metavar="FILE", help="Inputs that networks are shown.")
@click.option(
    "--layer", "layers", multiple=True, metavar="NAME", help="A layer or a pattern; all innermost by default."
)
@click.option(
    "--other-layer", "others", multiple=True, metavar="NAME", help="The same of --other, where it has others."
)
@click.option("--pool", is_flag=True, help="Average over space or tokens; every place is a feature otherwise.")
@takes_method("CKA", "Its fields are options; see below.")
@takes_answer("layers against layers")
def similarity(
    files: tuple[Path, ...], source: Source | None, answer: Answer, other: str | None, method: Any, **view: Any
) -> None:
    """Compare layers that are kept in files, as `pellucid activations --out` writes them, or while networks run.

    \b
    pellucid similarity first.npz second.npz --plot alike.png
    pellucid similarity --model app.models:build --other app.models:rebuild --data pictures.npy --pool --unbiased
    """
    from pellucid.cli import screen
    from pellucid.core.registry import resolve

    if bool(files) == (source is not None):
        raise InputError("give files of layers, A.npz and B.npz, or networks with --model and --data, not both.")
    with own_stdout(), screen.progress("looking") as heard:
        sides, shown = _networks(source, other, **view) if source is not None else (_kept(files, other, **view), {})
        record = resolve("similarity")(*sides, method, pool=view["pool"], progress=heard, **shown)
        keep(record, answer)
    if answer.as_json:
        print_json({**plain(record), "matches": record.matches.tolist()})
    else:
        _tell(record, answer)


def _kept(files: tuple[Path, ...], other: str | None, **view: Any) -> tuple[Any, Any]:
    """Layers of one file or of two."""
    if len(files) > 2:
        raise InputError(f"{len(files)} files: similarity compares the layers of one with each other, or those of two.")
    named = [f"--{name}" for name, value in {**view, "pool": None, "other": other}.items() if value]
    if named:
        raise InputError(
            f"{', '.join(named).replace('layers', 'layer').replace('others', 'other-layer')} is for networks: leave it out."
        )
    sides = [_layers(path) for path in files]
    return sides[0], sides[1] if len(sides) == 2 else None


def _layers(path: Path) -> dict[str, np.ndarray]:
    """{layer: (n, ...)} of an .npz, or the one array of an .npy"""
    import numpy as np

    if path.suffix.lower() not in (".npz", ".npy") or not path.is_file():
        raise InputError(
            f"{path.name} is no file of layers: give an .npz with an array for each layer, or an .npy with one."
        )
    try:
        held = np.load(path, allow_pickle=False)
        return {path.stem: held} if isinstance(held, np.ndarray) else {name: held[name] for name in held.files}
    except Exception as error:
        said = str(error).strip().splitlines()[0]
        raise InputError(f"{path.name} cannot be read without unpickling ({said}): keep plain arrays in it.") from error


def _networks(
    source: Source, other: str | None, data: Path | None, layers: tuple[str, ...], others: tuple[str, ...], pool: bool
) -> tuple[tuple[Any, Any], dict[str, Any]]:
    from pellucid.cli.data import read_rows, suited

    if data is None:
        raise InputError("networks have to be shown something: give the inputs, --data FILE.")
    first = source.load()
    second = None if other is None else replace(source, given=other).load()
    if second is None and others:
        second = first
    shown = {
        "inputs": suited(first, read_rows(data).x)[0],
        "layers": list(layers) or None,
        "others": list(others) or None,
    }
    return (first, second), shown


def _tell(record: Similarity, answer: Answer) -> None:
    from pellucid.cli import screen

    made = screen.table("layer", "most like", "similarity", "by chance", right=("similarity", "by chance"))
    for i, j in enumerate(record.matches.tolist()):
        name = record.rows[i]
        if j < 0:
            made.add_row(name, "does not vary", "", "")
        else:
            made.add_row(name, record.columns[j], f"{record.matrix[i, j]:.3f}", f"{record.chance[i, j]:.3f}")
    screen.out().print(made)
    pairs = f"{len(record.rows)} x {len(record.columns)} layers over {record.n:,} inputs"
    tell_cost(record, answer, [("mean", f"{record.value:.3f} of {pairs}")])
