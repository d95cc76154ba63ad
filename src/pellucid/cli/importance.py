"""`pellucid importance`: what matters overall? The columns of a file, by what the model loses without them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from pellucid.cli.common import Source, doubting, takes_model
from pellucid.cli.kinds import Columns
from pellucid.cli.options import ANY_TARGET, MethodCommand, takes_masker, takes_method, takes_target, takes_top
from pellucid.cli.output import own_stdout, plain, print_json
from pellucid.cli.shared import Answer, Material, keep, takes_answer, takes_rows, tell_cost
from pellucid.core.errors import InputError

if TYPE_CHECKING:
    from pellucid.core.records import Importance


@dataclasses.dataclass(frozen=True)
class _Asked:
    """By which method and metric, in which groups of columns, and of which number."""

    method: Any
    metric: str | None
    groups: dict[str, list[str]] | None
    target: Any
    masker: Any


@click.command(cls=MethodCommand, short_help="What matters overall? The columns of a file.")
@takes_model()
@takes_rows(":", size=100, shown="what the model should say", usual_help="rows that --rows leaves out are the default")
@takes_method(
    "PermutationImportance", "As in ShapImportance or FriedmanH, which need no labels; its fields are options."
)
@click.option("--metric", metavar="NAME", help="A scorer of scikit-learn; accuracy or r2 by default.")
@click.option("--group", "groups", type=Columns(), multiple=True, metavar="NAME=A,B", help="Columns that count as one.")
@takes_target(ANY_TARGET)
@takes_masker()
@takes_top(20, "Columns")
@takes_answer("bars with their intervals")
def importance(
    source: Source,
    material: Material,
    answer: Answer,
    method: Any,
    metric: str | None,
    groups: tuple[tuple[str, list[str]], ...],
    target: Any,
    masker: Any,
    top: int,
) -> None:
    """Rank the columns of a file by what they matter to the model; give rows that it was not trained on.

    \b
    pellucid importance --model model.skops --data test.csv --label kind --repeats 20
    pellucid importance --model model.skops --data test.csv --label kind --group "money=income,debt"
    pellucid importance --model model.skops --data test.csv --label kind --method ShapImportance
    pellucid importance --model model.skops --data test.csv --label kind --method FriedmanH --beside income
    """
    asked = _Asked(method, metric, dict(groups) or None, target, masker)
    with own_stdout():
        record = _found(source, material, asked)
        keep(record, answer)
    if answer.as_json:
        print_json({**plain(record), "interval": record.interval()})
        return
    from pellucid.cli import screen
    from pellucid.core.registry import resolve

    told = "on untouched rows" if isinstance(method, resolve("PermutationImportance")) else "mean score"
    screen.show_frame(record.to_frame().head(top))
    tell_cost(record, answer, [("metric", record.metric), (told, f"{record.baseline:.4g}")])


def _found(source: Source, material: Material, asked: _Asked) -> Importance:
    from pellucid.cli import screen
    from pellucid.cli.asking import usual
    from pellucid.cli.data import choose, read_rows, suited
    from pellucid.core.registry import resolve

    table = read_rows(material.data, material.label)
    rows, model = table.take(choose(material.rows, len(table), table.source)), source.load()
    shap, judged = (isinstance(asked.method, resolve(name)) for name in ("ShapImportance", "PermutationImportance"))
    if rows.y is None and judged:
        raise InputError("this needs the true labels: name their column with --label, or take --method ShapImportance.")
    with doubting(table), screen.waiting("asking the model"):
        x, names = suited(model, rows.x)
        reference = usual(model, table, x, material) if shap else None
        record: Importance = resolve("importance")(
            model,
            x,
            rows.y if judged else None,
            _by_number(asked.method, names),
            metric=asked.metric,
            groups=asked.groups,
            target=asked.target,
            background=None if reference is None else reference.x,
            masker=asked.masker,
        )
    if names is None or asked.groups:
        return record
    beside = getattr(asked.method, "beside", None)
    metric = f"{record.metric.partition(' with ')[0]} with {beside}" if beside in names else record.metric
    return dataclasses.replace(record, names=names, metric=metric)


def _by_number(method: Any, names: tuple[str, ...] | None) -> Any:
    """The method for a model that was fitted to an array, whose columns have names in the file alone."""
    beside = getattr(method, "beside", None)
    return method if names is None or beside not in names else dataclasses.replace(method, beside=names.index(beside))
