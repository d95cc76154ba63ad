"""`pellucid evaluate`: is this explanation any good? A scorecard of a record that `explain` kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import SIZE_HELP, Source, takes_model
from pellucid.cli.kinds import METRIC
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.core.errors import StoreError
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    from pellucid.cli.data import Rows
    from pellucid.core.records import Attribution
    from pellucid.core.scores import Scorecard

_FILE = click.Path(path_type=Path)


@click.command(short_help="Is this explanation any good? Judge a kept record.")
@click.argument("record", type=_FILE)
@takes_model()
@click.option(
    "--metric",
    "metrics",
    type=METRIC,
    multiple=True,
    metavar="METRIC",
    help="As in 'Deletion(steps=20)'; may be repeated.",
)
@click.option("--background", type=_FILE, metavar="FILE", help="Reference rows, for metrics that need them.")
@click.option(
    "--background-size", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help=SIZE_HELP
)
@click.option("--label", metavar="COLUMN", help="A column of the background file that is no feature.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def evaluate(
    record: Path,
    source: Source,
    metrics: tuple[Any, ...],
    background: Path | None,
    background_size: int,
    label: str | None,
    as_json: bool,
) -> None:
    """Judge the explanations in RECORD, an .npz that `pellucid explain --out` wrote.

    \b
    pellucid evaluate record.npz --model model.skops
    pellucid evaluate record.npz --model model.skops --metric "Deletion(steps=20)" --metric Stability
    """
    with own_stdout():
        made, model = _read(record), source.load()
        usual = None if background is None else _reference(made, model, background, label, background_size)
        card = _judged(made, model, metrics or fitting(made), usual)
    if as_json:
        print_json(plain(card))
        return
    from pellucid.cli import screen

    screen.show_scorecard(card)


def _read(path: Path) -> Attribution:
    """The record, if it is one that can be judged."""
    if not path.is_file():
        raise StoreError(f"there is no file {path}.")
    record = resolve("load")(path)
    if not isinstance(record, resolve("Attribution")):
        raise StoreError(
            f"{path.name} holds a {type(record).__name__}: give an Attribution, as `pellucid explain --out` keeps."
        )
    return record


def _judged(record: Attribution, model: Any, metrics: tuple[Any, ...], background: Rows | None) -> Scorecard:
    from pellucid.cli import screen

    with screen.waiting("judging"):
        card: Scorecard = resolve("evaluate")(
            model, record, list(metrics), background=None if background is None else background.x
        )
    return card


def fitting(record: Attribution) -> tuple[Any, ...]:
    """The usual metrics, less those that need what this record does not have."""
    import numpy as np

    from pellucid.metrics.run import DEFAULTS

    missing = set()
    if record.method is None:
        missing.add("again")
    if not np.isfinite(record.base_values[record.done]).all():
        missing.add("base values")
    return tuple(metric for metric in DEFAULTS if not missing & set(metric.card.needs))


def _reference(record: Attribution, model: Any, background: Path, label: str | None, size: int) -> Rows:
    """Reference rows as this model takes them; with the file that `explain` used, the rows that it drew."""
    from pellucid.cli.data import read_features, reference

    return reference(model, read_features(background, label, record.feature_names), record.data, size)
