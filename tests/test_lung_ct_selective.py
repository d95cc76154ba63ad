"""The lung study's selective explanations: files, order, the limit of time by a clock, and the option of `evaluate`."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("monai")

import pellucid as pc
from pellucid.cli.app import app
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import network as networks
from test_lung_ct_train import balls


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Patches, a network with random weights, and predictions that are set by hand."""
    folder = tmp_path_factory.mktemp("selective")
    patches = balls(folder / "patches")
    recipe = json.loads((patches / "recipe.json").read_text())
    networks.save(networks.build("narrow"), folder / "network", {"network": "narrow", "recipe": recipe})
    return folder


def predicted(made, folder, probabilities):
    names = lung_ct.read_index(made / "patches")["name"].tolist()[: len(probabilities)]
    folder.mkdir()
    lines = [f"{name},0,{p}" for name, p in zip(names, probabilities, strict=True)]
    (folder / "predictions.csv").write_text("\n".join(["name,label,probability", *lines]) + "\n")
    return names


def test_what_is_called_for_is_explained_and_written_down(made, tmp_path):
    names = predicted(made, tmp_path / "out", [0.9, 0.02, 0.45, 0.6])
    policy = pc.ExplainWhen(above=0.5, lead=0.2)
    found = lung_ct.explain_when(made / "network", made / "patches", tmp_path / "out", policy, device="cpu")
    assert found.order.tolist() == [3, 0, 2] and found.saved == 0.25
    with (tmp_path / "out" / "selection.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == names
    assert [line["reason"] for line in lines] == ["above", "not called for", "lead", "above"]
    assert [line["outcome"] for line in lines] == ["explained", "not called for", "explained", "explained"]
    assert float(lines[2]["probability"]) == 0.45 and 0.99 < float(lines[2]["uncertainty"]) < 1
    told = json.loads((tmp_path / "out" / "selection.json").read_text())
    assert told["outcomes"] == {"explained": 3, "limit reached": 0, "not called for": 1}
    assert told["called_for_by"] == {"above": 2, "lead": 1} and told["policy"] == repr(policy)
    assert told["seconds_saved_estimate"] == pytest.approx(told["seconds_each"])
    assert not any(name in json.dumps(told) for name in names)
    network, _ = lung_ct.load_network(made / "network")
    x = lung_ct.load(made / "patches", [names[2]])
    alone = pc.explain(network, x, pc.GradCAM(layer=lung_ct.map_layer(network, x.shape[-1])), target=1)
    kept = np.load(tmp_path / "out" / "explained" / f"{names[2]}.npy")
    assert kept.dtype == np.float32 and kept.shape == x.shape[2:]
    np.testing.assert_allclose(kept, alone.values[0], rtol=1e-4, atol=1e-7)
    assert sorted(path.stem for path in (tmp_path / "out" / "explained").iterdir()) == sorted(names[:1] + names[2:])


def test_the_limit_of_time_holds_over_blocks(made, tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.studies.lung_ct.selective._AT_ONCE", 2)
    names = predicted(made, tmp_path / "out", [0.5, 0.6, 0.7, 0.8, 0.9])
    now = 0.0

    def clock():
        nonlocal now
        now += 0.25
        return now

    policy, method = pc.ExplainWhen(seconds=4.0), pc.Saliency()
    found = lung_ct.explain_when(
        made / "network", made / "patches", tmp_path / "out", policy, method, device="cpu", clock=clock
    )
    done = int(found.explained.sum())
    assert 0 < done < 5 and found.explained[:done].all()  # the most uncertain first
    assert sorted(path.stem for path in (tmp_path / "out" / "explained").iterdir()) == sorted(names[:done])
    assert "Saliency" in json.loads((tmp_path / "out" / "selection.json").read_text())["method"]


def test_nothing_called_for_is_nothing_done(made, tmp_path):
    predicted(made, tmp_path / "out", [0.01, 0.02])
    found = lung_ct.explain_when(
        made / "network", made / "patches", tmp_path / "out", pc.ExplainWhen(above=0.5), device="cpu"
    )
    assert found.saved == 1 and found.seconds_saved is None and not (tmp_path / "out" / "explained").exists()
    with pytest.raises(pc.InputError, match="holds no predictions"):
        lung_ct.explain_when(made / "network", made / "patches", tmp_path / "none", pc.ExplainWhen())


def test_by_the_command(made, tmp_path):
    given = ["lung-ct", "evaluate", "--network", str(made / "network"), "--patches", str(made / "patches")]
    given += ["--out", str(tmp_path / "out"), "--device", "cpu", "--explain-by", "Saliency"]
    done = CliRunner().invoke(app, [*given, "--explain-when", "ExplainWhen(rows=1)"])
    assert done.exit_code == 0, done.output
    n = len(lung_ct.read_index(made / "patches", "test"))
    assert f"1 of {n} explained" in done.output and len(list((tmp_path / "out" / "explained").iterdir())) == 1
    wrong = CliRunner().invoke(app, [*given, "--explain-when", "Always()"])
    assert wrong.exit_code == 2 and "ExplainWhen" in wrong.output
