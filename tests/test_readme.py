"""The README tells the truth: its tables come from the cards, its example prints what it says."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest

from pellucid.core import registry

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tables():
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_cards():
    for page in (README, (ROOT / "docs/taxonomy.md").read_text(encoding="utf-8")):
        assert tables().filled(page) == page, "run python docs/tables.py"


@pytest.mark.parametrize("name", [*registry.METHODS, *registry.METRICS])
def test_every_method_and_metric_is_in_a_table(name: str):
    assert f"| `{name}` |" in README


def test_the_first_example_prints_what_it_says():
    code, output = re.search(r"```python\n(.*?)```\n```text\n(.*?)```", README, re.DOTALL).groups()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    assert printed.getvalue() == output


def test_every_name_in_the_examples_is_public():
    used = set(re.findall(r"\bpc\.([A-Za-z]\w*)", README))
    assert used <= {*registry.PUBLIC, "plot"}


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)]+)\)", README))
def test_links_lead_somewhere(link: str):
    assert (ROOT / link).exists()
