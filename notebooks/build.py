"""Runs the notebooks and keeps them with their pictures: `python notebooks/build.py [NAME ...]` writes build/notebooks/NAME.ipynb.

The sources are plain Python in jupytext's percent format, so that they can be read, compared and run as scripts.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "notebooks"
HELPERS = {"build", "handwriting", "houses", "mobilenet", "people", "photographs", "scenes"}


def sources() -> list[Path]:
    """Every notebook of this folder."""
    return sorted(path for path in HERE.glob("*.py") if path.stem not in HELPERS)


def needs_data(source: Path) -> bool:
    """Whether a notebook says that it has nothing to show without the folder of real data."""
    return "# Needs `PELLUCID_DATA`" in source.read_text(encoding="utf-8")


def build(source: Path, out: Path = OUT) -> Path:
    """One executed notebook; an error in a cell is an error here."""
    notebook = jupytext.read(source)
    client = NotebookClient(notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(HERE)}})
    with (
        tempfile.TemporaryDirectory() as pipes
    ):  # of this machine, no network ports; at a full path, for kernels run in HERE
        manager = client.create_kernel_manager()
        manager.transport, manager.ip = "ipc", f"{pipes}/kernel"
        client.execute()
    out.mkdir(parents=True, exist_ok=True)
    made = out / f"{source.stem}.ipynb"
    nbformat.write(notebook, made)
    return made


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    for source in sources():
        if needs_data(source) and "PELLUCID_DATA" not in os.environ:
            print(f"{source.name}: left out, it needs the folder of real data (PELLUCID_DATA)")
        elif not wanted or source.stem in wanted:
            print(f"{source.name} ...", flush=True)
            print(build(source))
