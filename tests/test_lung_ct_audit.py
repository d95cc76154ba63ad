"""The audit of the lung network: sizes of nodules, the readers' outlines, the usual methods, no name of a patient."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("monai")

import pellucid as pc
from lung_patches import marked, saved
from pellucid.cli.app import app
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct.auditing import sizes, usual_methods


def test_nodules_by_size():
    index = pd.DataFrame({"label": [1, 1, 1, 1, 0], "diameter": [5.9, 6.0, 8.0, 8.1, np.nan]})
    small, middle, large = "nodule below 6 mm", "nodule of 6 to 8 mm", "nodule above 8 mm"
    assert sizes(index).tolist() == [small, middle, middle, large, "background"]


def test_the_usual_methods_start_from_air_at_a_map_that_says_where(tmp_path):
    network, _ = lung_ct.load_network(saved(tmp_path / "network", marked(tmp_path / "patches")))
    gradients, cam, hidden = usual_methods(network, 32)
    assert gradients.baseline == hidden.baseline == -1.0 and cam.layer == lung_ct.map_layer(network, 32)
    assert hidden == pc.Occlusion(window=8, stride=4, baseline=-1.0)


def test_a_network_is_audited(tmp_path):
    patches = marked(tmp_path / "patches")
    network = saved(tmp_path / "network", patches)
    given = ["lung-ct", "audit", "--network", str(network), "--patches", str(patches), "--out", str(tmp_path / "audit")]
    done = CliRunner().invoke(app, [*given, "--device", "cpu", "--rows", "3", "--method", "Saliency"])
    assert done.exit_code == 0, done.output
    (told,) = json.loads((tmp_path / "audit" / "audit.json").read_text())["models"]
    assert told["classes"] == ["background", "nodule"] and told["held_out"] is True
    assert {one["group"] for one in told["groups"]} == {"background", "nodule of 6 to 8 mm"}
    index = lung_ct.read_index(patches, "test")
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "Saliency" in page and "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert not any(who in page for who in [*index["name"], *index["patient"].unique()])
    assert told["rows_given"] == len(index)
    with pytest.raises(pc.InputError, match="another recipe"):
        described = json.loads((network / "model.json").read_text())
        described["recipe"]["step"] = 2.0
        (network / "model.json").write_text(json.dumps(described))
        lung_ct.audit(network, patches, tmp_path / "other")
