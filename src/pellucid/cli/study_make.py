"""`pellucid study make`: kept records and a file of labels become a questionnaire and the researcher's own file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pellucid.core.errors import InputError
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    from pellucid.studies.human import Item

_FILE = click.Path(path_type=Path)


@dataclass(frozen=True, eq=False)
class Given:
    """What the command line brings to a task."""

    records: list[Any]
    labels: Any  # a frame, or None
    examples: int
    when: str
    accuracy: float | None
    wrong: tuple[str, ...]
    speaks_for: str

    def column(self, name: str, needed: bool = True) -> Any:
        """A column of labels, one a row; `needed` False allows for none."""
        if self.labels is not None and name in self.labels.columns:
            return self.labels[name].to_numpy()
        if not needed:
            return None
        known = "none" if self.labels is None else ", ".join(map(str, self.labels.columns))
        raise InputError(f"this task needs a column {name!r} in the file of --labels; it has {known}.")

    def pair(self) -> tuple[Any, Any]:
        """Two records, where a task needs two."""
        if len(self.records) != 2:
            raise InputError(f"this task needs two records, and {len(self.records)} is given: repeat --record.")
        return self.records[0], self.records[1]

    @property
    def words(self) -> dict[str, str]:
        return {"speaks_for": self.speaks_for}


def _forward(human: Any, given: Given) -> Any:
    said = given.column("predicted")
    return human.forward_simulation(given.records[0], said, examples=given.examples, when=given.when, **given.words)


def _counterfactual(human: Any, given: Given) -> Any:
    record, other = given.pair()
    changed = other.data if other.texts is None else other.texts
    return human.counterfactual_simulation(
        record, given.column("predicted"), changed, given.column("predicted_changed"), **given.words
    )


def _bug(human: Any, given: Given) -> Any:
    said = given.column("predicted"), given.column("predicted_other")
    return human.find_bug(*given.pair(), said, truth=given.column("truth", needed=False), **given.words)


def _better(human: Any, given: Given) -> Any:
    said = given.column("predicted"), given.column("predicted_other")
    return human.better_model(*given.pair(), said, truth=given.column("truth", needed=False), **given.words)


def _label(human: Any, given: Given) -> Any:
    return human.fix_label(given.records[0], given.column("given"), given.column("truth"), **given.words)


def _features(human: Any, given: Given) -> Any:
    return human.drop_features(given.records[0], given.wrong, **given.words)


def _decide(human: Any, given: Given) -> Any:
    if given.accuracy is None:
        raise InputError("decide needs --accuracy: how often the machine is right on test data, as people are told.")
    said, true = given.column("predicted"), given.column("truth")
    return human.decide(given.records[0], said, true, accuracy=given.accuracy, **given.words)


TASKS: dict[str, Callable[[Any, Given], tuple[Item, ...]]] = {
    "forward-simulation": _forward,
    "counterfactual-simulation": _counterfactual,
    "find-bug": _bug,
    "better-model": _better,
    "fix-label": _label,
    "drop-features": _features,
    "decide": _decide,
}


@click.command(short_help="A questionnaire out of records.")
@click.argument("task", type=click.Choice(list(TASKS)))
@click.option(
    "--record",
    "records",
    type=_FILE,
    multiple=True,
    required=True,
    metavar="FILE.npz",
    help="As `pellucid explain --out` keeps it; twice for two models, or for inputs before and after a change.",
)
@click.option(
    "--labels", type=_FILE, metavar="FILE.csv", help="One line a row: predicted, truth, given, predicted_other ..."
)
@click.option("--out", type=_FILE, required=True, metavar="FOLDER", help="Gets study.html and study.json.")
@click.option("--title", default="A study", show_default=True, help="What participants read above every page.")
@click.option(
    "--examples", type=click.IntRange(0), default=4, show_default=True, help="Rows that are shown with their answer."
)
@click.option(
    "--when",
    type=click.Choice(["before", "beside"]),
    default="before",
    show_default=True,
    help="Where explanations are.",
)
@click.option("--accuracy", type=float, metavar="SHARE", help="How often the machine is right, for decide.")
@click.option(
    "--wrong", multiple=True, metavar="FEATURE", help="A feature that does not belong there; may be repeated."
)
@click.option("--speaks-for", default="", metavar="WORDS", help="What positive values argue for.")
@click.option(
    "--consent", type=_FILE, metavar="FILE.txt", help="The text that participants agree to, instead of the usual one."
)
@click.option("--who", default="", metavar="WORDS", help="Whom participants may ask.")
@click.option("--within", is_flag=True, help="Every participant meets all conditions.")
@click.option(
    "--seats", type=click.IntRange(1), default=200, show_default=True, help="Participants that are planned for."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of who meets what.")
def make(
    task: str, records: tuple[Path, ...], labels: Path | None, out: Path, consent: Path | None, **options: Any
) -> None:
    """Write a questionnaire (study.html) and the researcher's own file with the right answers (study.json).

    \b
    pellucid study make forward-simulation --record why.npz --labels labels.csv --out mystudy
    pellucid study make better-model --record good.npz --record bad.npz --labels labels.csv --out mystudy
    """
    from pellucid.studies import human

    told = {name: options.pop(name) for name in ("examples", "when", "accuracy", "wrong", "speaks_for")}
    given = Given([_record(path) for path in records], None if labels is None else _table(labels), **told)
    if consent is not None:
        options["consent"] = consent.read_text(encoding="utf-8").strip()
    study = human.Study(items=TASKS[task](human, given), **options)
    out.mkdir(parents=True, exist_ok=True)
    page, own = human.write(study, out / "study.html"), study.save(out / "study.json")
    click.echo(
        f"{len(study.questions)} questions in {len(study.conditions)} conditions: {page} for participants, {own} for you alone"
    )


def _record(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    made = resolve("load")(path)
    if not isinstance(made, (resolve("Attribution"), resolve("Importance"))):
        raise InputError(f"{path.name} holds a {type(made).__name__}: give what `pellucid explain --out` keeps.")
    return made


def _table(path: Path) -> Any:
    import pandas as pd

    return pd.read_csv(path, dtype=str)
