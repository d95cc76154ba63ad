"""The page on units and layers tells the truth: its examples print what it says, its words are public names."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import pellucid as pc

PAGE = (Path(__file__).parents[1] / "docs" / "representations.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_print_what_the_page_says():
    assert len(EXAMPLES) == PAGE.count("```python") == 3
    names: dict[str, object] = {"__name__": "representations"}
    for code, output in EXAMPLES:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "representations.md", "exec"), names)
        assert printed.getvalue() == output


@pytest.mark.parametrize("name", ["concepts", "similarity"])
def test_every_verb_of_the_table_exists(name):
    assert f"| `{name}` with" in PAGE and callable(getattr(pc, name))
