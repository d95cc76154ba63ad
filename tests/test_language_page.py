"""The page on language models shows what its script prints, line by line; numbers of a training differ between machines."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"

pytestmark = [
    pytest.mark.slow,  # a network is trained
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def said(line: str) -> str:
    """What a line says before the words that lead, without its numbers but those of rows."""
    line = re.sub(r"(rows +\d+).*", r"\1", line) if "rows" in line else re.split(r"\s+base\s| {3,}(?=\w)", line)[0]
    return re.sub(r"[+-]?\d+\.\d*(e[+-]\d+)?|[+-]nan|\d+e-\d+", "#", line).rstrip()


def test_every_line_that_the_script_prints_stands_on_the_page(monkeypatch, capsys):
    pytest.importorskip("transformers", reason="transformers is an optional framework")
    spec = importlib.util.spec_from_file_location("language_models", DOCS / "language_models.py")
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "language_models", script)
    spec.loader.exec_module(script)
    script.main()
    printed = [said(line) for line in capsys.readouterr().out.splitlines() if not line.startswith("##")]
    page = (DOCS / "language_models.md").read_text(encoding="utf-8")
    shown = [said(line) for block in re.findall(r"```text\n(.*?)```", page, re.S) for line in block.splitlines()]
    assert len(printed) > 35
    assert sorted(printed) == sorted(shown)
