"""What verbs that ask about rows of a file have in common: rows are read, the model is asked, and it is told what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pellucid.cli.common import Source, doubting
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, Material, keep, tell_cost
from pellucid.core.registry import resolve

if TYPE_CHECKING:
    import numpy as np

    from pellucid.cli.data import Rows


class Asking(Protocol):
    """What a command asks of a model, and by which verb."""

    @property
    def verb(self) -> str: ...

    @property
    def seconds(self) -> float | None: ...

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any: ...


@dataclass(frozen=True)
class Question:
    """What is asked of the model: by which method, about which number, hiding what, for how long, and by which verb."""

    method: Any = None
    target: Any = None
    masker: Any = None
    seconds: float | None = None
    verb: str = "explain"
    more: Mapping[str, Any] = field(default_factory=dict)  # further arguments, of this verb alone

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any:
        """The record of the rows x."""
        budget = None if self.seconds is None else resolve("Budget")(seconds=self.seconds)
        return resolve(self.verb)(
            model,
            x,
            self.method,
            target=self.target,
            background=background,
            masker=self.masker,
            names=names,
            budget=budget,
            progress=progress,
            **self.more,
        )


@dataclass(frozen=True)
class Told:
    """What the file and the model know of the explained rows, beside the record."""

    rows: list[int]
    labels: list[Any] | None
    classes: list[str] | None
    background: str | None


def answered(source: Source, material: Material, question: Asking, answer: Answer) -> tuple[Any, Told]:
    """Read the file and the model, ask, and keep the record where that is wanted."""
    from pellucid.cli.data import choose, read_rows

    with own_stdout():
        table = read_rows(material.data, material.label)
        index = choose(material.rows, len(table), table.source)
        model = source.load()
        with doubting(table):
            record, reference = _explained(model, table, index, material, question)
        keep(record, answer)
    rows = table.take(index)
    labels = None if rows.y is None else rows.y.tolist()
    return record, Told(index.tolist(), labels, explained_classes(model, record), reference)


def _explained(
    model: Any, table: Rows, index: np.ndarray, material: Material, question: Asking
) -> tuple[Any, str | None]:
    """The record of the chosen rows, and in words what stood for the usual."""
    from pellucid.cli.data import count, suited

    x, names = suited(model, table.take(index).x)
    reference = usual(model, table, x, material, texts=getattr(getattr(question, "method", None), "reads", False))
    record = _watched(question, model, x, None if reference is None else reference.x, names)
    return (
        record,
        None
        if reference is None
        else f"{count(len(reference), 'row')} of {reference.source}, none of them explained here",
    )


def usual(model: Any, table: Rows, x: Any, material: Material, texts: bool = False) -> Rows | None:
    """Reference rows: of the other file, or of this one if it holds a table; none for pictures unless given.

    Nor for texts, unless the method reads `texts`.
    """
    from pellucid.cli.data import read_features, reference

    if material.size == 0 or (getattr(x, "ndim", 2) == 1 and not texts):
        return None
    if material.background is not None:
        return reference(model, read_features(material.background, material.label), x, material.size)
    found = reference(model, table, x, material.size) if table.x.ndim == 2 else None
    return found if found is not None and len(found) else None


def _watched(question: Asking, model: Any, x: Any, background: Any, names: Any) -> Any:
    """The answer under a bar; a first row explained by itself tells how much there is to do, where rows cost alike."""
    from pellucid.cli import screen

    total = None
    alike = question.verb == "explain"
    if alike and screen.is_terminal() and question.seconds is None and len(x) > 2:
        with screen.progress("one row first") as advance:
            one = question.ask(model, x[:1], background, names, advance).receipt
        total = len(x) * (one.rows_forward + one.rows_backward)
    if question.verb == "compare":
        with screen.waiting("explaining and judging"):
            return question.ask(model, x, background, names)
    with screen.progress("explaining" if alike else "searching", total) as advance:
        return question.ask(model, x, background, names, advance)


def explained_classes(model: Any, record: Any) -> list[str] | None:
    """The name of the class whose score is explained in each row, where the model has names and the target is a class."""
    names, label = getattr(model, "classes_", None), getattr(getattr(record, "target", None), "label", None)
    if names is None or isinstance(names, list) or label is None:
        return None
    labels = label if isinstance(label, tuple) else (label,) * len(record)
    return [str(names[one]) for one in labels]


def tell_sentences(
    record: Any, told: Told, answer: Answer, show: Callable[[Any, int, Told], None], **more: Any
) -> None:
    """One JSON document with a sentence for each row, or a page on which `show` puts each row, and then what it cost."""
    if answer.as_json:
        said = [record.sentence(i) for i in range(len(record))]
        print_json({**plain(record), **more, "sentences": said, **dataclasses.asdict(told)})
        return
    for i in range(len(record)):
        show(record, i, told)
    tell_cost(record, answer, [("background", told.background)])


def row_title(told: Told, i: int) -> Any:
    """The row's number, and its label where there are labels."""
    from rich.text import Text

    from pellucid.cli import screen

    title = Text.assemble((f"row {told.rows[i]}", screen.LOUD))
    if told.labels is not None:
        title.append(f"  label {told.labels[i]}")
    return title
