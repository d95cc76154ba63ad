"""`pellucid estimate`: what would `pellucid explain` cost?"""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from pellucid.cli.asking import answered
from pellucid.cli.common import Source, takes_model
from pellucid.cli.options import ANY_TARGET, MethodCommand, takes_masker, takes_method, takes_target
from pellucid.cli.output import print_json
from pellucid.cli.shared import Answer, Material, takes_rows
from pellucid.core.registry import resolve


@dataclasses.dataclass(frozen=True)
class _Price:
    """What would be asked of the model."""

    method: Any
    target: Any
    masker: Any
    verb: str = "estimate"
    seconds: None = None

    def ask(self, model: Any, x: Any, background: Any, names: Any, progress: Any = None) -> Any:
        return resolve("estimate")(
            model, x, self.method, target=self.target, background=background, masker=self.masker, names=names
        )


@click.command(cls=MethodCommand, short_help="What would explain cost? One row is tried, then two.")
@takes_model()
@takes_rows()
@takes_method(None, "As in LIME or 'LIME(samples=500)'; its fields are options.")
@takes_target(ANY_TARGET)
@takes_masker()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def estimate(source: Source, material: Material, method: Any, target: Any, masker: Any, as_json: bool) -> None:
    """Say what it would cost to explain rows of a file: one row is explained, then two, and the rest is extrapolated.

    \b
    pellucid estimate --model model.skops --data rows.csv --label kind --rows 0:100 --method LIME
    """
    cost, told = answered(source, material, _Price(method, target, masker), Answer(None, None, as_json))
    if as_json:
        print_json({**dataclasses.asdict(cost), "rows": len(told.rows)})
        return
    from pellucid.cli import screen

    facts = [
        ("rows to explain", f"{len(told.rows):,}"),
        ("model rows", f"{cost.rows_forward:,} forward, {cost.rows_backward:,} backward"),
        ("seconds", f"{cost.seconds:.3g}"),
        ("peak memory", f"about {cost.peak_bytes / 2**20:.0f} MiB"),
        ("background", told.background),
    ]
    screen.out().print(screen.facts(facts))
