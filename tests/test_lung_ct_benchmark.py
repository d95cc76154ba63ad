"""Explanations of patches side by side: every number against a closed form or its own slow way, and runs that go on."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.stats import binomtest, ttest_1samp

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

import pellucid as pc  # noqa: E402
from lung_patches import marked, saved  # noqa: E402
from pellucid.cli.app import app  # noqa: E402
from pellucid.core.errors import InputError, StoreError  # noqa: E402
from pellucid.studies import lung_ct  # noqa: E402
from pellucid.studies.lung_ct import benchmarking as running  # noqa: E402
from pellucid.studies.lung_ct import judging  # noqa: E402

SIZE = 8
FAST = "GradCAM, Occlusion(window=8, baseline=-1.0)"


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return marked(tmp_path_factory.mktemp("balls"))


@pytest.fixture(scope="module")
def network(patches, tmp_path_factory):
    return saved(tmp_path_factory.mktemp("network"), patches)


class Linear(torch.nn.Module):
    """The number of a nodule is <w, x>; all inputs are noted."""

    def __init__(self, w):
        super().__init__()
        self.w, self.seen = torch.nn.Parameter(torch.tensor(w, dtype=torch.float32)), []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        score = torch.einsum("nzyx,zyx->n", x[:, 0], self.w)
        return torch.stack([-score, score], 1)


def subject(n=3, w=None, **more):
    """Patches of three patients under a linear network, whose nodule is a cube of 3 voxels."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 0.5, (n, 1, SIZE, SIZE, SIZE)).astype(np.float32)
    inside = np.zeros((n, SIZE, SIZE, SIZE), bool)
    inside[:, 2:5, 2:5, 2:5] = True
    w = 0.1 + inside[0] if w is None else w
    plain = {"patients": np.array(["p1", "p2", "p3"])[np.arange(n) % 3], "step": 1.0, "diameter": 3.0}
    return judging.Subject(Linear(w).eval(), x, inside=inside, **(plain | more))


def tried(method):
    return lung_ct.Tried("it", method)


@pytest.mark.parametrize("baseline", [-1.0, 0.0])
def test_a_linear_network_gives_known_numbers(baseline):
    asked = subject()
    line, maps = judging.judge(asked, tried(pc.IntegratedGradients(steps=2, baseline=baseline)))
    expected = asked.network.w.detach().numpy() * (asked.x[:, 0] - baseline)  # (n, size, size, size)
    np.testing.assert_allclose(maps.reshape(expected.shape), expected, atol=1e-5)
    flat, inside = expected.reshape(3, -1), asked.inside.reshape(3, -1)
    gain = np.maximum(flat, 0)
    shares = (gain * inside).sum(1) / gain.sum(1)
    assert line.mass == pytest.approx(shares.mean(), rel=1e-4) and line.mass_chance == pytest.approx(27 / SIZE**3)
    assert line.energy == pytest.approx(((np.abs(flat) * inside).sum(1) / np.abs(flat).sum(1)).mean(), rel=1e-4)
    hits = int(inside[np.arange(3), flat.argmax(1)].sum())
    wilson = binomtest(hits, 3).proportion_ci(method="wilson")
    assert (line.pointing, line.pointing_low, line.pointing_high) == pytest.approx((hits / 3, wilson.low, wilson.high))
    assert line.deletion_ahead > 0 and line.insertion_ahead > 0 and line.grain_mm == 1.0 and not line.notes
    assert line.rows_forward == 2 + 2 and line.rows_backward == 2 and line.nodules == line.patients == 3
    assert line.forwards == pytest.approx(line.seconds / line.forward_seconds) and line.seconds <= line.seconds_p95
    # noise moves a map by w * noise, so the cosine is known but for the draw
    noise = (
        judging.SIGMA
        * np.random.default_rng(1).normal(size=(200, 3, SIZE**3))
        * asked.network.w.detach().numpy().ravel()
    )
    cosines = ((flat + noise) * flat).sum(-1) / np.linalg.norm(flat + noise, axis=-1) / np.linalg.norm(flat, axis=-1)
    assert 1 - line.cosine == pytest.approx(1 - cosines.mean(), rel=0.1)


def test_noise_has_the_stated_deviation_in_the_patches_own_space():
    asked = subject(n=2)
    asked = dataclasses.replace(asked, x=0.1 * asked.x - 0.5)  # rows that span a fraction of [-1, 1]
    judging.judge(asked, tried(pc.Saliency()))
    seen = torch.cat(asked.network.seen).numpy()
    steps = [z - x for z in seen for x in asked.x if np.std(z - x) < 0.03 and (z != x).all()]
    assert len(np.unique(steps, axis=0)) == 2 * judging.TRIALS
    assert np.std(steps) == pytest.approx(0.02, rel=0.03) and np.mean(steps) == pytest.approx(0, abs=0.002)


def test_slopes_are_judged_by_magnitude_and_contributions_by_sign():
    w = np.full((SIZE,) * 3, 0.01)
    w[2:5, 2:5, 2:5], w[0, 0, 0] = -1.0, 0.5
    asked = subject(w=w)
    asked = dataclasses.replace(asked, x=np.abs(asked.x))
    assert judging.judge(asked, tried(pc.SmoothGrad(samples=2)))[0].pointing == 1
    assert judging.judge(asked, tried(pc.SmoothGrad(pc.IntegratedGradients(steps=2), samples=2)))[0].pointing < 1
    assert judging.judge(asked, tried(pc.LRP()))[0].pointing < 1


def test_maps_without_a_pattern_are_counted_and_judge_nothing():
    line, _ = judging.judge(subject(w=np.zeros((SIZE,) * 3)), tried(pc.Saliency()))
    assert line.degenerate == line.degenerate_copies == 1
    assert all(
        np.isnan(value) for value in (line.cosine, line.centred_cosine, line.deletion_ahead, line.pointing, line.mass)
    )


def test_patches_without_a_mask_have_no_localisation():
    asked = subject()
    asked = dataclasses.replace(asked, inside=np.zeros_like(asked.inside), diameter=np.nan)
    line, _ = judging.judge(asked, tried(pc.Occlusion(window=4, baseline=-1.0)))
    assert np.isnan(line.pointing) and line.nodules == 0 and line.grain_mm == 4 and line.deletion_ahead > 0


def test_coarse_maps_and_offsets_are_said_to_be(patches, network):
    model, _ = lung_ct.load_network(network)
    rows = lung_ct.explained_rows(patches, "test", (), 2)
    asked = running.subject_of(model, patches, rows)
    layer = lung_ct.map_layer(model, 16)
    line, _ = judging.judge(dataclasses.replace(asked, diameter=3.9), tried(pc.GradCAM(layer=layer)))
    assert line.grain_mm == 4.0 and "4 mm wide, half of the nodules 3.9 mm" in line.notes[0]
    line, _ = judging.judge(asked, tried(pc.RISE(samples=4, cells=4, baseline=-1.0)))
    assert asked.diameter == 8.0 and line.grain_mm == 4.0 and "offset" in line.notes[0] and len(line.notes) >= 1


def test_a_patient_counts_once():
    values, who = np.array([1.0, 0.0, np.nan, 0.5, 0.9, np.nan]), np.array(list("aaabcd"))
    means = [0.5, 0.5, 0.9]
    mean, low, high = lung_ct.over_patients(values, who)
    expected = ttest_1samp(means, 0).confidence_interval()
    assert mean == pytest.approx(np.mean(means)) and (low, high) == pytest.approx((expected.low, expected.high))
    hits = binomtest(2, 3).proportion_ci(method="wilson")
    found = lung_ct.over_patients(np.array([1.0, 1, 0, 1, 1]), np.array(list("abcab")), hits=True)
    assert found == pytest.approx((2 / 3, hits.low, hits.high))
    assert np.isnan(lung_ct.over_patients(values[:2], who[:2])[1:]).all()
    assert np.isnan(lung_ct.over_patients(values[2:3], who[2:3])).all()


def test_readers_agree_where_half_of_them_drew(patches):
    index = lung_ct.read_index(patches, "test")
    inside = lung_ct.agreed(patches, index)
    away = np.linalg.norm(np.indices((16,) * 3) - 8, axis=0)
    for row, label in enumerate(index["label"]):
        assert np.array_equal(inside[row], away < 4) if label else not inside[row].any()
    three = index.assign(readers=3 * index["label"])
    assert np.array_equal(lung_ct.agreed(patches, three)[1], away < 3)  # 2 of 3, which one of 3 is not


def test_what_is_explained(patches):
    rows = lung_ct.explained_rows(patches, "test", (), 3)
    assert set(rows["label"]) == {1} and rows["patient"].nunique() == 3 and rows["name"].is_monotonic_increasing
    assert len(lung_ct.explained_rows(patches, "test", (), 9)) == 4
    name = lung_ct.read_index(patches, "test")["name"][0]
    assert lung_ct.explained_rows(patches, "test", [name], 1)["label"].tolist() == [0]
    background = lung_ct.read_index(patches).query("label == 0")
    with pytest.raises(InputError, match="no nodule"):
        from unittest.mock import patch

        with patch.object(running, "chosen_rows", return_value=background):
            lung_ct.explained_rows(patches, "test", (), 3)


def test_names_and_spellings_of_methods():
    both = lung_ct.tried("integratedgradients", 64, "layer3")
    assert [one.method.baseline for one in both] == [-1.0, 0.0]
    everything = lung_ct.tried("all", 64, "layer3")
    assert everything == lung_ct.standard(64, "layer3") and lung_ct.tried("All,GradCAM", 64, "layer3") == everything
    assert {type(one.method).__name__ for one in everything} == {
        *("GradCAM", "GradCAMPlusPlus", "IntegratedGradients", "Occlusion", "SmoothGrad", "RISE", "LRP", "ScoreCAM")
    }
    assert all(one.method.layer == "layer3" for one in everything if hasattr(one.method, "layer"))
    assert all(getattr(one.method, "baseline", -1.0) == -1.0 for one in everything if "tissue" not in one.name)
    spelled = lung_ct.tried(
        "LRP, SmoothGrad(method=IntegratedGradients(steps=3, baseline=-1.0), samples=2)", 64, "layer3"
    )
    assert spelled[0].name == "LRP" and spelled[1].method.method == pc.IntegratedGradients(steps=3, baseline=-1.0)
    for wrong in ("", "GradCAM, Nothing", "GradCAM(", "Deletion()", "TCAV()", "LRP(colour=3)", "3"):
        with pytest.raises(InputError, match=r"no method|names no|single predictions"):
            lung_ct.tried(wrong, 64, "layer3")


def test_results_are_written_and_read_back(patches, network, tmp_path):
    found = lung_ct.benchmark(network, patches, tmp_path, FAST, device="cpu", most=2)
    again = lung_ct.Benchmark.of(tmp_path)
    assert again.about == json.loads(json.dumps(found.about)) and [line.facts() for line in again.lines] == [
        line.facts() for line in found.lines
    ]
    with (tmp_path / "explanations.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == ["Grad-CAM", "Occlusion(window=8, baseline=-1.0)"]
    assert float(lines[0]["cosine"]) == found.lines[0].cosine and pc.GradCAM(layer="layer2").layer in lines[0]["method"]
    assert found.about["patches"] == found.about["patients"] == 2 and found.about["diameter_mm"] == 8.0
    text = (tmp_path / "explanations.json").read_text() + (tmp_path / "explanations.csv").read_text()
    assert str(tmp_path) not in text and "Stability(trials=5, sigma=0.02, seed=0, relative=False)" in text
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]
    with pytest.raises(StoreError, match="holds no"):
        lung_ct.Benchmark.of(tmp_path / "methods")


def counting(monkeypatch, fail=None):
    """Which methods are judged from now on; `fail` is raised before one of that name."""
    judged, plain = [], judging.judge

    def judge(asked, one, heard):
        judged.append(one.name)
        if fail and one.name == fail[0]:
            raise fail[1]
        return plain(asked, one, heard)

    monkeypatch.setattr(running, "judge", judge)
    return judged


def test_an_interrupted_run_goes_on(patches, network, tmp_path, monkeypatch):
    ways = {"device": "cpu", "most": 2}
    judged = counting(monkeypatch, ("Occlusion(window=8, baseline=-1.0)", KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        lung_ct.benchmark(network, patches, tmp_path, FAST, **ways)
    (first,) = lung_ct.Benchmark.of(tmp_path).lines
    judged = counting(monkeypatch)
    lines = lung_ct.benchmark(network, patches, tmp_path, FAST, **ways).lines
    assert judged == ["Occlusion(window=8, baseline=-1.0)"] and lines[0].facts() == first.facts()
    heard = []
    lung_ct.benchmark(network, patches, tmp_path, FAST, heard=lambda *told: heard.append(told), **ways)
    assert len(judged) == 1 and heard == [("done", 1.0)]
    lung_ct.benchmark(network, patches, tmp_path, "GradCAM", device="cpu", most=3)  # other patches
    assert judged[1:] == ["Grad-CAM"]
    other = saved(tmp_path / "other", patches, seed=1)
    lung_ct.benchmark(other, patches, tmp_path, "GradCAM", **ways)  # another network
    assert judged[2:] == ["Grad-CAM"]
    (kept,) = {path for path in (tmp_path / "methods").iterdir() if "Occlusion" in path.read_text()}
    kept.write_text("{}")
    with pytest.raises(StoreError, match="made anew"):
        lung_ct.benchmark(network, patches, tmp_path, FAST, **ways)


def test_a_method_that_fails_is_a_line_and_the_rest_goes_on(patches, network, tmp_path, monkeypatch):
    asked = "GradCAM(layer='nowhere'), Occlusion(window=8, baseline=-1.0)"
    judged = counting(monkeypatch)
    bad, good = lung_ct.benchmark(network, patches, tmp_path, asked, device="cpu", most=1).lines
    assert "nowhere" in bad.failed and np.isnan(bad.seconds) and not good.failed and good.seconds > 0
    lung_ct.benchmark(network, patches, tmp_path, asked, device="cpu", most=1)
    assert judged.count(bad.name) == 2 and judged.count(good.name) == 1  # what failed is tried again
    judged = counting(monkeypatch, ("Grad-CAM", torch.cuda.OutOfMemoryError("CUDA out of memory.\n Tried")))
    (line,) = lung_ct.benchmark(network, patches, tmp_path, "GradCAM", device="cpu", most=1).lines
    assert line.failed == "OutOfMemoryError: CUDA out of memory. Tried"


def test_the_network_is_left_as_it_was_found():
    from pellucid.studies.lung_ct import network as networks

    model = networks.build("narrow").train()
    with running.placed(model, "cpu") as (ready, told):
        assert not ready.training and "processor" in told
    assert model.training


def test_the_command(patches, network, tmp_path):
    options = [
        "--network",
        str(network),
        "--patches",
        str(patches),
        "--out",
        str(tmp_path),
        "--device",
        "cpu",
        "--most",
        "1",
    ]
    done = CliRunner().invoke(app, ["lung-ct", "evaluate", *options, "--xai", "GradCAM,GradCAM(layer='nowhere')"])
    assert done.exit_code == 0, done.output
    assert "AUC" in done.output and "Grad-CAM" in done.output and "failed: " in done.output
    assert lung_ct.Benchmark.of(tmp_path).about["patches"] == 1
    name = lung_ct.read_index(patches, "test")["name"][0]
    done = CliRunner().invoke(app, ["lung-ct", "evaluate", *options, "--name", name, "--xai", "GradCAM"])
    (line,) = lung_ct.Benchmark.of(tmp_path).lines
    assert done.exit_code == 0 and line.nodules == 0 and line.patches == 1, done.output
