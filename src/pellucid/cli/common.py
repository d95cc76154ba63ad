"""What several commands take: a model, files to write, and a look at what went wrong with doubtful rows."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core.errors import InputError, ModelError

if TYPE_CHECKING:
    from pellucid.cli.data import Rows

FILE = click.Path(path_type=Path)
ROWS_HELP = "Which rows: 3, or 0:5, or 0,2,7."
SIZE_HELP = "How many reference rows are drawn at most."
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Source:
    """Where a model is and what is trusted of it."""

    given: str
    trusted: tuple[str, ...] = ()
    trust_pickle: bool = False
    system: str | None = None

    def load(self) -> Any:
        from pellucid.cli.models import load_model

        return load_model(self.given, trusted=self.trusted, trust_pickle=self.trust_pickle, system=self.system)


def takes_model(required: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--model`, `--trust`, `--trust-pickle` and `--system`, handed on as one `Source` (None if no model is given)."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--model", "given", required=required, metavar="MODEL", help=MODEL_HELP)
        @click.option(
            "--trust",
            "trusted",
            multiple=True,
            metavar="TYPE",
            help="A type that a .skops file may hold besides the known ones.",
        )
        @click.option("--trust-pickle", is_flag=True, help="Open a pickle, which runs whatever code is in it.")
        @click.option("--system", metavar="TEXT", help="The system's message to a language model.")
        @functools.wraps(function)
        def with_source(
            given: str | None, trusted: tuple[str, ...], trust_pickle: bool, system: str | None, **rest: Any
        ) -> Any:
            source = None if given is None else Source(given, trusted, trust_pickle, system)
            return function(source=source, **rest)

        return with_source

    return decorate


MODEL_HELP = "A .skops file, package.module:factory, or a folder of a transformers model; with --trust-pickle also .pkl or .joblib."


takes_data = click.option(
    "--data", type=FILE, required=True, metavar="FILE", help="Rows: .csv, .tsv, .parquet, .npy or .npz."
)


def takes_label(what: str, required: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--label`; `what` is done with it."""
    return click.option("--label", required=required, metavar="COLUMN", help=f"The column of true labels: {what}.")


class NewFile(click.Path):
    """A file to write, in a folder that exists; looked at before any work is done."""

    def __init__(self, suffixes: tuple[str, ...]) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)
        self.suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(super().convert(value, param, ctx)))
        if path.suffix.lower() not in self.suffixes:
            self.fail(f"{str(value)!r} has to end in {' or '.join(self.suffixes)}.", param, ctx)
        if not path.parent.is_dir():
            self.fail(f"there is no folder {str(path.parent)!r} to write {path.name} in.", param, ctx)
        return path


def note(message: str) -> None:
    """One line on stderr that is no error."""
    click.echo(f"{click.style('warning:', fg='yellow')} {message}", err=True)


@contextlib.contextmanager
def doubting(rows: Rows) -> Iterator[None]:
    """Say what is doubtful about the rows, and say it again where the work on them fails."""
    for doubt in rows.doubts:
        note(f"{doubt}.")
    try:
        yield
    except (InputError, ModelError) as error:
        if not rows.doubts:
            raise
        raise type(error)(f"{error} Perhaps because of this: {rows.doubts[0]}.") from error
