"""The page on the stability figure: its table is what its script measures."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("stability_figure", DOCS / "figures" / "stability.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_the_page_has_a_line_for_each_method_of_the_script(script):
    page = (DOCS / "stability.md").read_text(encoding="utf-8")
    measured = page.partition("<!-- measured -->\n")[2].partition("<!-- end -->")[0]
    names = [line.split("|")[1].strip(" `") for line in measured.splitlines()[2:]]
    assert names == [script._name(method) for method in script.METHODS]


@pytest.mark.slow
def test_the_script_measures(script, monkeypatch):
    monkeypatch.setattr(script, "ROWS", 2)
    table = script.table(script.network(2))
    assert table.count("\n") == len(script.METHODS) + 1 and "nan" not in table
