"""Pages for people: tables at the width of the terminal, and a bar with the time left.

Whatever a user's file or model said is put in as plain text, never as markup. A bar grows to the right of its axis for
what raises the score and to the left for what lowers it, so it reads without colour too.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from pellucid.core.budget import Receipt
    from pellucid.core.records import Attribution
    from pellucid.core.scores import Line, Scorecard

RAISES, LOWERS, QUIET, LOUD = "red", "blue", "dim", "bold"
_HALF = 8  # cells of a bar on either side of its axis
_MOST_ROWS = 10  # explained rows that are shown


def out() -> Console:
    """The page: colours only on a terminal, 80 columns where there is none."""
    return Console(highlight=False, soft_wrap=False)


def is_terminal() -> bool:
    """Whether somebody watches stderr."""
    return Console(stderr=True).is_terminal


@contextlib.contextmanager
def progress(task: str, total: float | None = None, unit: str = "model rows") -> Iterator[Callable[[int], None]]:
    """A bar on stderr that vanishes at the end; call what it yields with the number of model rows (or others) just done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda rows: None
        return
    count = TextColumn("{task.completed:,.0f}" + ("/{task.total:,.0f}" if total else "") + f" {unit}")
    columns = [TextColumn("{task.description}"), BarColumn(20), count, TimeElapsedColumn()]
    if total:
        columns += [TextColumn("left"), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True) as bar:
        number = bar.add_task(task, total=total)
        yield lambda rows: bar.advance(number, rows)


def waiting(task: str) -> contextlib.AbstractContextManager[Any]:
    """A sign of life on stderr for work whose length nobody knows; nothing where there is no terminal."""
    return Console(stderr=True).status(f"{task} ...")


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str, float], None]]:
    """The same for work in parts: call it with what is being done and the share that is done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text, share: None
        return
    name = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = [
        BarColumn(16, table_column=Column(min_width=16)),
        TaskProgressColumn(table_column=Column(min_width=4)),
        TimeElapsedColumn(table_column=Column(min_width=7)),
        TextColumn("left", table_column=Column(min_width=4)),
        TimeRemainingColumn(table_column=Column(min_width=7)),
    ]
    with Progress(*columns, name, console=console, transient=True, expand=True) as bar:
        number = bar.add_task("starting", total=1.0)
        yield lambda text, share: bar.update(number, description=escape(text), completed=share)


def table(*columns: str, right: Sequence[str] = (), **options: Any) -> Table:
    """A table without vertical rules; the columns named in `right` hold numbers."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style=LOUD, **options)
    for column in columns:
        number = column in right
        made.add_column(column, justify="right" if number else "left", no_wrap=number, overflow="fold")
    return made


def show_frame(frame: Any) -> None:
    """A data frame as a table: numbers to four digits and to the right, all else as text."""
    import pandas as pd

    numbers = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name])]
    made = table(*frame.columns, right=numbers)
    for line in frame.to_numpy(dtype=object).tolist():
        made.add_row(*(Text(f"{value:.4g}" if isinstance(value, float) else str(value)) for value in line))
    out().print(made)


def facts(pairs: Iterable[tuple[str, Any]]) -> Table:
    """Two columns, name and fact; facts that are None are left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style=QUIET, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, fact in pairs:
        if fact is not None:
            grid.add_row(name, fact if isinstance(fact, Text) else Text(str(fact)))
    return grid


def warn(console: Console, messages: Iterable[str]) -> None:
    """One line each, marked."""
    for message in messages:
        console.print(Text.assemble(("! ", "bold yellow"), message))


@dataclass(frozen=True)
class Shown:
    """What a page says of the explained rows beyond the record: their place in the file, labels, the classes explained."""

    numbers: Sequence[int]
    labels: Sequence[Any] | None = None
    classes: Sequence[str] | None = None
    top: int = 8


def show_attribution(record: Attribution, shown: Shown) -> None:
    """The top features of each row, then the receipt."""
    console = out()
    for i in range(min(len(record), _MOST_ROWS)):
        console.print(_row_title(record, i, shown))
        if record.done[i]:
            if record.texts is not None and is_coloured(console):
                console.print(_coloured(record, i))
            console.print(_row_table(record, i, shown.top))
        else:
            console.print(Text("left out: the budget was spent\n", style=QUIET))
    if len(record) > _MOST_ROWS:
        console.print(f"... and {len(record) - _MOST_ROWS} more rows: --json prints all, --out keeps them.\n")
    show_receipt(console, record.receipt)


def is_coloured(console: Console) -> bool:
    """Whether colours would be seen."""
    return console.color_system is not None


def _coloured(record: Attribution, i: int) -> Text:
    """A row's text on grounds of its values."""
    from pellucid.plot import text_terminal

    return Text.from_ansi(text_terminal(record, i))


def _row_title(record: Attribution, i: int, shown: Shown) -> Text:
    score, base, gap = record.scores[i], record.base_values[i], record.gap[i]
    title = Text.assemble((f"row {shown.numbers[i]}", LOUD))
    if shown.labels is not None:
        title.append(f"  label {shown.labels[i]}")
    title.append(f"\nscore {score:.4g}")
    if shown.classes is not None:
        title.append(f" for {shown.classes[i]}")
    if np.isfinite(base) and np.isfinite(gap):
        title.append(f" = base {base:.4g} {_signed(score - base - gap)} explained {_signed(_tidy(gap, score))} gap")
    return title


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.4g}"


def _tidy(gap: float, score: float) -> float:
    """Rounding of the model's own arithmetic is shown as 0."""
    return 0.0 if abs(gap) <= 1e-9 * max(1.0, abs(score)) else gap


def _row_table(record: Attribution, i: int, top: int) -> Table:
    names, values, stderr, data = parts(record, i)
    order = np.argsort(-np.abs(values), kind="stable")
    shown = order[:top]
    columns = ["feature", *["data"] * (data is not None), "value", *["± std. error"] * (stderr is not None), ""]
    made = table(*columns, right=("data", "value", "± std. error"))
    write, largest = _writer(values), float(np.abs(values).max(initial=0.0))
    for j in shown:
        cells: list[Any] = [Text(names[j])]
        cells += [Text(_datum(data[j]))] if data is not None else []
        cells += [write(values[j])]
        cells += [f"{stderr[j]:.2g}"] if stderr is not None else []
        made.add_row(*cells, _bar(values[j], largest))
    if len(order) > top:
        rest = order[top:]
        blanks = [""] * (data is not None)
        made.add_row(Text(f"{len(rest)} others together", style=QUIET), *blanks, write(values[rest].sum()), style=QUIET)
    return made


def parts(record: Attribution, i: int) -> tuple[list[str], np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Names, values, standard errors and data of one row, over its players: columns, windows or single cells."""
    if record.players is not None:
        named, values, stderr = record.players.row(i)
        return list(named), values, stderr, None
    values = record.values[i].ravel()
    stderr = None if record.stderr is None else record.stderr[i].ravel()
    if record.layout == "table":
        names = record.feature_names or tuple(f"x{j}" for j in range(values.size))
        return list(names), values, stderr, record.data[i]
    places = (np.unravel_index(j, record.values.shape[1:]) for j in range(values.size))
    return [f"({', '.join(map(str, place))})" for place in places], values, stderr, None


def _writer(values: np.ndarray) -> Callable[[float], str]:
    """One format for a column: four digits of its largest value, all with the same decimals."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    size = math.floor(math.log10(largest)) if largest > 0 else 0
    if not -4 <= size <= 7:
        return lambda value: f"{value:+.2e}"
    decimals = max(0, 3 - size)
    return lambda value: f"{value:+.{decimals}f}"


def _datum(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)


def _bar(value: float, largest: float) -> Text:
    """A signed bar on either side of an axis; a value too small for a cell still leaves a mark."""
    full, sliver, axis = ("█", "▏", "│") if _has_blocks() else ("#", ".", "|")
    filled = 0 if largest == 0 else round(_HALF * abs(value) / largest)
    bar = full * filled if filled else sliver if value else ""
    if value < 0:
        return Text.assemble((bar.rjust(_HALF), LOWERS), (axis, QUIET), " " * _HALF)
    return Text.assemble(" " * _HALF, (axis, QUIET), (bar.ljust(_HALF), RAISES))


def _has_blocks() -> bool:
    return (sys.stdout.encoding or "utf-8").lower().startswith("utf")


def show_receipt(console: Console, receipt: Receipt) -> None:
    """How the answer was made, what it cost, and how far it holds."""
    backward = f" and {receipt.rows_backward:,} backward" if receipt.rows_backward else ""
    rows = "" if receipt.rows_forward == 1 else "s"
    console.print(Text("receipt", style=LOUD))
    console.print(
        facts(
            [
                ("method", receipt.method),
                ("target", receipt.target),
                ("scale", receipt.scale),
                ("masker", receipt.masker),
                ("layer", receipt.layer),
                ("seed", receipt.seed),
                ("cost", f"{receipt.rows_forward:,} model row{rows}{backward}, {receipt.seconds:.2f} s"),
                ("memory", f"about {receipt.peak_bytes / 2**20:,.0f} MB more than at the start"),
                ("largest gap", _small(receipt.gap)),
                ("largest std. error", _small(receipt.stderr)),
                ("converged", {True: "yes", False: "no", None: None}[receipt.converged]),
            ]
        )
    )
    warn(console, receipt.warnings)


def _small(value: float | None) -> str | None:
    return None if value is None else f"{value:.2g}"


def show_scorecard(card: Scorecard) -> None:
    """One line per metric: the mean with its interval, what a random explanation gets, and what may be said."""
    console, right = out(), ("mean, 95 %", "random")
    console.print(Text.assemble((card.method or card.receipt.method, LOUD)))
    made = table("metric", *right, "verdict", right=right)
    made.columns[0].no_wrap = True
    for line in card.lines:
        metric = Text(f"{line.metric} {'↑' if line.higher_is_better else '↓'}")
        made.add_row(
            metric, _pm(line.mean, line.high), "" if line.chance is None else f"{line.chance:.3g}", _verdict(line)
        )
    console.print(made)
    console.print(Text("↑ higher is better, ↓ lower is better; intervals over rows, paired against random", QUIET))
    warn(console, card.receipt.warnings)


def _pm(mean: float, high: float) -> str:
    return f"{mean:.3g} ± {high - mean:.2g}" if math.isfinite(high) else f"{mean:.3g}"


def _verdict(line: Line) -> Text:
    by = (
        ""
        if line.advantage is None or line.advantage_high is None
        else f" (by {_pm(line.advantage, line.advantage_high)})"
    )
    return Text(line.verdict + by)


def show_audit(found: dict[str, Any], page: str) -> None:
    """What an audit found, model by model, from the JSON that it wrote, and where its page is."""
    console = out()
    for model in found["models"]:
        console.print(Text.assemble((model["name"], LOUD), f"\n{model['summary']}"))
        for warning in found["warnings"]:
            if warning["model"] == model["name"] and warning["code"] != "left-out":  # those are listed below
                console.print(Text.assemble((f"! {warning['about']}: ", "bold yellow"), warning["sentence"]))
        if any(method["metrics"] for method in model["methods"]):
            console.print()
            console.print(_verdicts(model["methods"]))
        if (model["resumed"] or {}).get("parts"):
            console.print(
                Text(
                    f"resumed: {len(model['resumed']['parts'])} finished parts of the earlier run were taken over",
                    QUIET,
                )
            )
        if (model["resumed"] or {}).get("anew"):
            console.print(Text.assemble(("begun anew: ", "bold yellow"), model["resumed"]["anew"]))
        _show_left_out(console, [left for left in found["left_out"] if left["model"] == model["name"]])
        console.print()
    if found["gate"]:
        _show_gate(console, found["gate"])
    console.print(Text.assemble("page  ", (page, LOUD)), soft_wrap=True)


def _show_gate(console: Console, gate: dict[str, Any]) -> None:
    """Whether it passed, and what stood in the way."""
    for one in gate["found"]:
        console.print(Text.assemble((f"fails on {one['finding']}: ", "bold red"), f"{one['model']}: {one['headline']}"))
    for one in gate["untold"]:
        console.print(
            Text.assemble((f"cannot tell {one['finding']}: ", "bold yellow"), f"{one['model']}: {one['why']}")
        )
    said = "passed" if gate["passed"] else "not passed"
    console.print(Text.assemble("gate  ", (said, LOUD), f" on {', '.join(gate['fail_on'])}"))


def _show_left_out(console: Console, left_out: list[dict[str, Any]]) -> None:
    """What was not done, reason by reason."""
    for why in dict.fromkeys(left["why"] for left in left_out):
        parts = "; ".join(left["part"] for left in left_out if left["why"] == why)
        console.print(Text.assemble(("left out: ", "bold yellow"), f"{parts}\n  {why}"))


def _verdicts(methods: list[dict[str, Any]]) -> Table:
    """What the metrics say of every method, those that say the same together."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for method in methods:
        said: dict[str, list[str]] = {}
        for line in method["metrics"]:
            said.setdefault(line["verdict"], []).append(line["metric"])
        grid.add_row(Text(method["name"]), Text("\n").join(_verdict_line(verdict, said[verdict]) for verdict in said))
    return grid


def _verdict_line(verdict: str, metrics: list[str]) -> Text:
    good = verdict.startswith(("better", "passes"))
    return Text.assemble(f"{', '.join(metrics)}: ", (verdict, "" if good else "yellow"))
