"""Options that several commands have, handed on as one value: rows of a file, and where the answer goes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pellucid.cli.common import FILE, PICTURES, ROWS_HELP, SIZE_HELP, NewFile, takes_data, takes_label
from pellucid.cli.kinds import RowPicks


@dataclass(frozen=True)
class Material:
    """Which rows of which file are explained, and which stand for what is usual."""

    data: Path
    label: str | None
    rows: tuple[int | slice, ...]
    background: Path | None
    size: int


@dataclass(frozen=True)
class Answer:
    """Where the record goes."""

    out: Path | None
    plot: Path | None
    as_json: bool

    @property
    def written(self) -> list[tuple[str, str]]:
        """A fact for each file."""
        return [("written", str(path)) for path in (self.out, self.plot) if path is not None]


def takes_rows(
    picked: str | None = "0:5",
    *,
    size: int = 100,
    shown: str = "shown beside the row, no feature",
    usual_help: str = "for a table its other rows are the default",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--data`, `--label`, `--rows`, `--background` and `--background-size`, handed on as one `Material`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @takes_data
        @takes_label(shown)
        @click.option("--rows", type=RowPicks(), default=picked, show_default=True, metavar="ROWS", help=ROWS_HELP)
        @click.option("--background", type=FILE, metavar="FILE", help=f"Reference rows; {usual_help}.")
        @click.option(
            "--background-size",
            type=click.IntRange(min=0),
            default=size,
            show_default=True,
            metavar="N",
            help=f"{SIZE_HELP[:-1]}; 0 for none.",
        )
        @functools.wraps(function)
        def with_material(
            data: Path,
            label: str | None,
            rows: tuple[int | slice, ...],
            background: Path | None,
            background_size: int,
            **rest: Any,
        ) -> Any:
            return function(material=Material(data, label, rows, background, background_size), **rest)

        return with_material

    return decorate


takes_layers = click.option(
    "--layer",
    "layers",
    multiple=True,
    required=True,
    metavar="NAME",
    help="A layer, or a pattern such as 'encoder.layer.*'; as often as there are layers.",
)


def takes_answer(draws: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--out`, `--plot` (which `draws` something) and `--json`, handed on as one `Answer`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--out", type=NewFile((".npz",)), metavar="FILE.npz", help="Keep the record.")
        @click.option("--plot", type=NewFile(PICTURES), metavar="FILE.png", help=f"Draw {draws}.")
        @click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
        @functools.wraps(function)
        def with_answer(out: Path | None, plot: Path | None, as_json: bool, **rest: Any) -> Any:
            return function(answer=Answer(out, plot, as_json), **rest)

        return with_answer

    return decorate


def keep(record: Any, answer: Answer, draw: Callable[[Any], Any] | None = None) -> None:
    """Write what is wanted; `draw` makes the axes of a picture, None the usual ones of the record."""
    if answer.out is not None:
        record.save(answer.out)
    if answer.plot is not None:
        from pellucid import plot
        from pellucid.core.store import appearing

        figure = (draw or plot.show)(record).get_figure(root=True)
        assert figure is not None
        with appearing(answer.plot) as partial:
            figure.savefig(partial, dpi=150, format=answer.plot.suffix[1:].lower())


def tell_cost(record: Any, answer: Answer, facts: list[tuple[str, Any]] | None = None) -> None:
    """The end of a page: the receipt, further facts, and the files written."""
    from pellucid.cli import screen

    console = screen.out()
    screen.show_receipt(console, record.receipt)
    console.print(screen.facts([*(facts or []), *answer.written]))
