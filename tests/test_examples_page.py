"""The page on explaining by examples tells the truth: its example prints what it says, its table is what its script measures."""

import contextlib
import importlib.util
import io
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import pellucid as pc

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "examples.md").read_text(encoding="utf-8")


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("influence_figure", DOCS / "figures" / "influence.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


EXAMPLES = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_every_example_says_what_it_prints():
    assert len(EXAMPLES) == PAGE.count("```python") >= 2


@pytest.mark.parametrize(("code", "output"), EXAMPLES)
def test_the_example_prints_what_it_says(code, output, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "examples.md", "exec"), {"__name__": "examples"})
    assert printed.getvalue() == output


@pytest.mark.parametrize("name", ["prototypes", "influence", "hardest", "label_errors", "visualize"])
def test_every_verb_of_the_table_exists(name):
    assert f"| `{name}` |" in PAGE and callable(getattr(pc, name))


def test_the_page_has_a_line_for_each_method_of_the_script(script):
    measured = PAGE.partition("<!-- measured -->\n")[2].partition("<!-- end -->")[0]
    names = re.findall(r"^\| (`.*?`|the same from another start) \|", measured, re.MULTILINE)
    assert names == [*script.REGRESSION, *script.NETWORK, "the same from another start"]
    assert all(f"penalty {l2:g}" in measured for l2 in script.PENALTIES)


def test_the_script_trains_to_a_minimum_and_leaves_out_what_it_says(script):
    model, rise = script.left_out(0, 0.1, np.array([3, 7]))
    X, y, xq, yq = map(torch.tensor, script.digits())
    loss = torch.nn.functional.cross_entropy(model(X), y) + 0.05 * sum((p**2).sum() for p in model.parameters())
    assert max(float(g.abs().max()) for g in torch.autograd.grad(loss, list(model.parameters()))) < 1e-5
    told = script.foretold(model, pc.InfluenceFunctions(l2=0.1))
    assert rise.shape == (len(xq), 2) == (len(yq), 2)
    assert np.corrcoef(told[:, [3, 7]].ravel(), rise.ravel())[0, 1] > 0.99
