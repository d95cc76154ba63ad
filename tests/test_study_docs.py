"""The handbook's page on studies tells the truth: its example prints what it says."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from pellucid.studies import human

PAGE = (Path(__file__).parents[1] / "docs" / "studies.md").read_text(encoding="utf-8")


def test_the_example_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    world = {}
    for code, output in re.findall(r"```python\n(.*?)```\n(?:```text\n(.*?)```)?", PAGE, re.DOTALL):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "studies.md", "exec"), world)
        assert printed.getvalue() == output
    assert {path.name for path in tmp_path.iterdir()} == {"study.json", "study.html", "result.html", "result.png"}


@pytest.mark.parametrize("name", re.findall(r"\| `(\w+)` \|", PAGE))
def test_every_task_of_the_table_exists(name):
    assert name in human.__all__
