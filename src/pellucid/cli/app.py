"""The group of commands, and the one place that turns what went wrong into one line and an exit code.

0 done, 1 an error that the message explains, 2 a command that was not written right, 130 interrupted by Ctrl-C. An audit that
is a gate (`--fail-on`) ends with 3 where it found something, and with 4 where something could not be told.
"""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Callable
from typing import Any

import click

from pellucid.cli.activations import activations
from pellucid.cli.advise import advise
from pellucid.cli.anchor import anchor
from pellucid.cli.audit import audit
from pellucid.cli.compare import compare
from pellucid.cli.concepts import concepts
from pellucid.cli.counterfactual import counterfactual
from pellucid.cli.distill import distill
from pellucid.cli.effect import effect
from pellucid.cli.estimate import estimate
from pellucid.cli.evaluate import evaluate
from pellucid.cli.explain import explain
from pellucid.cli.hardest import hardest
from pellucid.cli.importance import importance
from pellucid.cli.influence import influence
from pellucid.cli.interact import interact
from pellucid.cli.label_errors import label_errors, relabel
from pellucid.cli.lung_ct import lung_ct
from pellucid.cli.methods import methods
from pellucid.cli.positional_bias import positional_bias
from pellucid.cli.probe import probe
from pellucid.cli.prototypes import prototypes
from pellucid.cli.similarity import similarity
from pellucid.cli.study import study
from pellucid.cli.summarize import summarize
from pellucid.cli.visualize import visualize
from pellucid.core.errors import PellucidError

INTERRUPTED = 130


class Group(click.Group):
    """Commands whose failures are one line on stderr, never a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Click's own entry, with our endings; `standalone_mode=False` still means none of them."""
        run: Any = super().main
        ended_by_us = kwargs.pop("standalone_mode", True)
        if not ended_by_us:
            return run(*args, standalone_mode=False, **kwargs)
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            sys.exit(_exit_code(lambda: run(*args, standalone_mode=False, **kwargs)))


def _exit_code(run: Callable[[], Any]) -> int:
    """Run a command to its end and say how it ended."""
    try:
        code = run()
    except click.UsageError as error:
        return _fail(f"{error.format_message()} {_help_hint(error)}", 2)
    except click.ClickException as error:
        return _fail(error.format_message(), 1)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except PellucidError as error:
        return _fail(str(error), 1)
    except MemoryError:
        return _fail("out of memory: explain fewer rows, or use fewer background rows.", 1)
    except OSError as error:
        return 1 if error.errno == errno.EPIPE else _fail(_file_trouble(error), 1)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    click.echo(f"{click.style('pellucid:', fg='red')} {' '.join(message.split())}", err=True)
    return code


def _help_hint(error: click.UsageError) -> str:
    path = "pellucid" if error.ctx is None else error.ctx.command_path
    return f"(`{path} --help` shows how to use it.)"


def _file_trouble(error: OSError) -> str:
    """`No such file or directory: rows.csv`; other system errors by their own words."""
    what = error.strerror or str(error)
    return f"{what}: {error.filename}" if error.filename is not None else what


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """A warning of any library in one line: what it says, not where on this machine it was said."""
    text = " ".join(str(message).split())
    click.echo(f"{click.style('warning:', fg='yellow')} {text}", err=True)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pellucid", message="pellucid %(version)s")
def app() -> None:
    """Explain machine-learning models, with evidence.

    Every explanation carries a receipt, an error bar and a check.
    """


_COMMANDS = (
    audit,
    explain,
    estimate,
    interact,
    anchor,
    counterfactual,
    importance,
    effect,
    summarize,
    prototypes,
    influence,
    hardest,
    label_errors,
    relabel,
    visualize,
    activations,
    concepts,
    probe,
    distill,
    similarity,
    evaluate,
    compare,
    advise,
    methods,
    study,
    lung_ct,
    positional_bias,
)
for _command in _COMMANDS:
    app.add_command(_command)
