"""`pellucid activations`: what do layers of a network say of the rows of a file?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.cli.common import ROWS_HELP, NewFile, Source, doubting, takes_data, takes_model
from pellucid.cli.kinds import RowPicks
from pellucid.cli.output import own_stdout, print_json
from pellucid.cli.shared import takes_layers

if TYPE_CHECKING:
    import numpy as np


@click.command(short_help="What do layers say of these rows? Arrays.")
@takes_model()
@takes_data
@takes_layers
@click.option("--rows", type=RowPicks(), metavar="ROWS", help=f"{ROWS_HELP[:-1]}; all by default.")
@click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the arrays, by the names of the layers.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def activations(
    source: Source,
    data: Path,
    layers: tuple[str, ...],
    rows: tuple[int | slice, ...] | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Look at inner layers of a network: all of them in one pass over the rows.

    \b
    pellucid activations --model app.models:build --data pictures.npy --layer features.4 --out seen.npz
    pellucid activations --model app.models:reader --data reviews.csv --layer "encoder.layer.*"
    """
    from pellucid.cli import screen
    from pellucid.cli.data import choose, read_rows, suited
    from pellucid.core.registry import resolve

    with own_stdout(), screen.waiting("looking"):
        model, table = source.load(), read_rows(data)
        table = table if rows is None else table.take(choose(rows, len(table), table.source))
        with doubting(table):
            found = resolve("activations")(model, suited(model, table.x)[0], list(layers))
    if out is not None:
        _write(found, out)
    facts = [{"layer": name, **_facts(array)} for name, array in found.items()]
    if as_json:
        print_json({"rows": len(table), "layers": facts, "written": None if out is None else str(out)})
        return
    made = screen.table("layer", "shape", "mean", "deviation", "zeros", right=("mean", "deviation", "zeros"))
    for one in facts:
        shape = " x ".join(map(str, one["shape"]))
        made.add_row(str(one["layer"]), shape, f"{one['mean']:.4g}", f"{one['deviation']:.4g}", f"{one['zeros']:.0%}")
    screen.out().print(made)
    if out is not None:
        screen.out().print(screen.facts([("written", str(out))]))


def _facts(array: np.ndarray) -> dict[str, object]:
    """What a page can hold of an array; padding does not count."""
    import numpy as np

    known = array[np.isfinite(array)].astype(float)
    return {
        "shape": list(array.shape),
        "mean": float(known.mean()),
        "deviation": float(known.std()),
        "zeros": float((known == 0).mean()),
    }


def _write(found: dict[str, np.ndarray], path: Path) -> None:
    import numpy as np

    from pellucid.core.store import appearing

    with appearing(path) as partial, partial.open("xb") as file:
        np.savez_compressed(file, allow_pickle=False, **found)
