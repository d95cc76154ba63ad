"""The page on models that need no explaining tells the truth: examples print what it says, the table has all models."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "glassbox.md").read_text(encoding="utf-8")


def test_the_examples_print_what_they_say():
    names = {"__name__": "glassbox"}
    parts = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(parts) == 2
    for code, output in parts:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "glassbox.md", "exec"), names)
        assert printed.getvalue() == output
    assert "if education <= High School then <=50k" in PAGE


def test_the_table_has_the_models_of_the_script():
    pytest.importorskip("sklearn")
    made = importlib.util.spec_from_file_location("glassbox_benchmark", ROOT / "benchmarks" / "glassbox.py")
    script = importlib.util.module_from_spec(made)
    made.loader.exec_module(script)
    with contextlib.redirect_stdout(io.StringIO()):
        names = [name for name in script.models() if not name.startswith(("imodels", "interpret"))]
    measured = PAGE.partition("<!-- measured -->\n")[2].partition("<!-- end -->")[0]
    for name in names:
        assert all(f"| {data} | {name} |" in measured for data in ("compas", "adult"))
