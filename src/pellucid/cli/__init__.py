"""The command line: `pellucid audit | explain | anchor | ... `; `pellucid --help` lists them all.

One subcommand per verb or study, each in its own file. Nothing heavy is imported before a command runs, so `--help` is quick.
"""

from __future__ import annotations

import io
import sys


def main() -> None:
    """The entry point: runs a command and ends the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without these letters shows others, and no error
    try:
        from pellucid.cli.app import app

        app(prog_name="pellucid")
    except KeyboardInterrupt:  # during the imports; later ones are met in `app`
        sys.exit(130)
