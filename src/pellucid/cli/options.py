"""Options that many commands have, and the command whose method brings options of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import click

from pellucid.cli.fields import FIELD, field_options
from pellucid.cli.kinds import MASKER, METHOD, Duration, TargetType
from pellucid.core.errors import PellucidError

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def takes_method(default: str | None, help: str) -> Callable[[Decorated], Decorated]:
    """Add `--method`; a command of the class `MethodCommand` has its fields as options besides."""
    return click.option("--method", type=METHOD, default=default, metavar="METHOD", help=help)


def takes_target(help: str) -> Callable[[Decorated], Decorated]:
    """Add `--target`."""
    return click.option("--target", type=TargetType(), metavar="TARGET", help=help)


def takes_masker(help: str = "What is hidden and how, as in 'Grid(window=16)'.") -> Callable[[Decorated], Decorated]:
    """Add `--masker`."""
    return click.option("--masker", type=MASKER, metavar="MASKER", help=help)


def takes_top(default: int, what: str) -> Callable[[Decorated], Decorated]:
    """Add `--top`, how many of something are shown."""
    help = f"{what} shown."
    return click.option("--top", type=click.IntRange(min=1), default=default, show_default=True, metavar="N", help=help)


ANY_TARGET = "A class name, an output column, 'Margin(0, 1)', or \"LogOdds('A', 'B')\"."
takes_budget = click.option("--budget", type=Duration(), metavar="TIME", help="A hard limit: 60s, 2m, 1h.")


class MethodCommand(click.Command):
    """A command that looks for `--method` first and then has that method's, or its default's, fields as options of its own.

    The callback's `method` is the finished value: the spelling, with the fields that were given besides.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        option = next(param for param in self.params if param.name == "method")
        text = _given_method(args) or option.get_default(ctx)
        if isinstance(text, str) and not ctx.resilient_parsing:
            method = option.type.convert(text, option, ctx)
            ctx.meta["pellucid.fields"] = field_options(method, {opt for param in self.params for opt in param.opts})
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *ctx.meta.get("pellucid.fields", [])]

    def invoke(self, ctx: click.Context) -> Any:
        given = {name.removeprefix(FIELD): ctx.params.pop(name) for name in list(ctx.params) if name.startswith(FIELD)}
        given = {
            name: value
            for name, value in given.items()
            if ctx.get_parameter_source(FIELD + name) is not click.core.ParameterSource.DEFAULT
        }
        if given:
            try:
                ctx.params["method"] = dataclasses.replace(ctx.params["method"], **given)
            except PellucidError as error:
                raise click.UsageError(str(error), ctx) from error
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        fields = ctx.meta.get("pellucid.fields", [])
        own = [param.get_help_record(ctx) for param in self.get_params(ctx) if param not in fields]
        with formatter.section("Options"):
            formatter.write_dl([record for record in own if record is not None])
        if fields:
            records = [param.get_help_record(ctx) for param in fields]
            with formatter.section(f"Options of {fields[0].owner}"):
                formatter.write_dl([record for record in records if record is not None])


def _given_method(args: list[str]) -> str | None:
    """What follows `--method`, the last one if there are several."""
    found = None
    for position, arg in enumerate(args):
        if arg == "--":
            break
        if arg.startswith("--method="):
            found = arg.partition("=")[2]
        elif arg == "--method" and position + 1 < len(args):
            found = args[position + 1]
    return found
