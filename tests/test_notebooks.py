"""Every notebook runs from its first cell to its last, offline, and shows its pictures."""

import nbformat
import pytest

import build as notebooks

OFFLINE = [source for source in notebooks.sources() if not notebooks.needs_data(source)]


@pytest.mark.slow
@pytest.mark.parametrize("source", OFFLINE, ids=lambda path: path.stem)
def test_a_notebook_runs(source, tmp_path, monkeypatch):
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    made = nbformat.read(notebooks.build(source, tmp_path), as_version=4)
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 5 and not [o for o in outputs if o.get("name") == "stderr"], source


def test_most_notebooks_need_no_folder_of_real_data():
    assert {"counterfactuals", "gradient_based", "perturbation_based", "bias_by_group", "example_based"} <= {
        source.stem for source in OFFLINE
    }


def test_sources_hold_no_outputs():
    for source in notebooks.sources():
        text = source.read_text(encoding="utf-8")
        assert text.startswith("# ---\n# jupyter:") and "image/png" not in text
