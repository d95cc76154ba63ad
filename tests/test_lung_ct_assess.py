"""Assessments: closed forms, ties, and intervals that know that patches of one patient are alike."""

import csv
import json
import sys

import numpy as np
import pytest

from pellucid.core.errors import InputError
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct.assess import calibration

TRUTH = np.array([0, 0, 0, 0, 1, 1, 1])
SCORE = np.array([0.1, 0.2, 0.3, 0.6, 0.3, 0.7, 0.9])


def auc(truth, score):
    return lung_ct.assess(truth, score, np.arange(len(truth))).auc


def sensitivity(truth, score, share, monkeypatch):
    monkeypatch.setattr(sys.modules[calibration.__module__], "FALSE_POSITIVES", (share,))
    return lung_ct.assess(truth, score, np.arange(len(truth))).sensitivity[f"{share:g}"][0]


def test_auc_by_hand_and_by_scikit_learn():
    from sklearn.metrics import roc_auc_score

    # of 12 pairs: 0.9 and 0.7 win 4 each; 0.3 wins 2, ties 1, loses 1
    assert auc(TRUTH, SCORE) == pytest.approx((4 + 4 + 2.5) / 12)
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 2, 200), rng.integers(0, 12, 200) / 12
    assert auc(truth, score) == pytest.approx(roc_auc_score(truth, score))


def test_sensitivity_at_false_positives_by_hand(monkeypatch):
    # two nodules lie above 0.6; the third ties with background at 0.3, so both pass or none
    for share, found in ((0.0, 2 / 3), (0.25, 2 / 3), (0.5, 1.0), (1.0, 1.0)):
        assert sensitivity(TRUTH, SCORE, share, monkeypatch) == pytest.approx(found)
    truth, score = np.r_[np.zeros(100, int), 1], np.r_[np.arange(100) / 100, 0.945]
    for share, found in ((0.04, 0.0), (0.05, 1.0)):  # five lie above 0.945
        assert sensitivity(truth, score, share, monkeypatch) == found


def test_calibration_by_hand():
    found = lung_ct.assess(TRUTH, SCORE, np.arange(7))
    assert found.brier == pytest.approx(np.mean([0.01, 0.04, 0.09, 0.36, 0.49, 0.09, 0.01]))
    bins = calibration(np.array([0, 1, 1]), np.array([0.11, 0.19, 1.0]))
    assert bins == ((pytest.approx(0.15), 0.5, 2), (1.0, 1.0, 1))
    # each alone in its bin but the two of 0.3
    by_hand = (0.1 + 0.2 + 2 * 0.2 + 0.6 + 0.3 + 0.1) / 7
    assert found.calibration_error == pytest.approx(by_hand)
    assert found.patients == 7 and found.nodules == 3


def test_an_interval_without_width_is_not_taken_for_certainty():
    warned = "these 7 patients"
    assert warned in " ".join(lung_ct.assess(TRUTH, TRUTH.astype(float), np.arange(7)).lines())
    assert warned not in " ".join(lung_ct.assess(TRUTH, SCORE, np.arange(7)).lines())


def test_copies_of_a_patients_patches_make_no_interval_narrower():
    rng = np.random.default_rng(1)
    truth, patients = rng.integers(0, 2, 60), np.repeat(np.arange(20), 3)
    score = np.clip(0.5 + 0.2 * (truth - 0.5) + 0.2 * rng.normal(size=60), 0, 1)
    once = lung_ct.assess(truth, score, patients)
    many = lung_ct.assess(np.tile(truth, 9), np.tile(score, 9), np.tile(patients, 9))
    assert many.auc == pytest.approx(once.auc)
    np.testing.assert_allclose(many.auc_interval, once.auc_interval, atol=1e-12)
    order = rng.permutation(60)
    mixed = lung_ct.assess(truth[order], score[order], patients[order])
    np.testing.assert_allclose(mixed.auc_interval, once.auc_interval, atol=1e-12)  # who a patch is of goes with it
    low, high = once.auc_interval
    assert low < once.auc < high
    alone = lung_ct.assess(np.tile(truth, 9), np.tile(score, 9), np.arange(540))  # as if all were of different people
    assert alone.auc_interval[1] - alone.auc_interval[0] < 0.6 * (high - low)


def test_intervals_cover_the_truth():
    """Of 60 studies of 30 patients, about 95 % of intervals hold the AUC that scores of this kind have."""
    from scipy.stats import norm

    rng, held = np.random.default_rng(2), 0
    for _ in range(60):
        truth = np.tile([0, 1], 60)
        score = norm.cdf(rng.normal(size=120) + truth)
        low, high = lung_ct.assess(truth, score, np.repeat(np.arange(30), 4)).auc_interval
        held += low <= norm.cdf(1 / np.sqrt(2)) <= high
    assert 50 <= held <= 60


def test_one_class_is_refused():
    with pytest.raises(InputError, match="both classes"):
        lung_ct.assess(np.ones(3), np.ones(3) / 2, np.arange(3))


def test_a_network_is_evaluated_and_written_down(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("monai")
    from pellucid.studies.lung_ct import network as networks
    from test_lung_ct_train import balls

    patches = balls(tmp_path / "patches")
    recipe = json.loads((patches / "recipe.json").read_text())
    model = networks.build("narrow")
    networks.save(model, tmp_path / "network", {"network": "narrow", "recipe": recipe})
    found = lung_ct.evaluate(tmp_path / "network", patches, tmp_path / "out", device="cpu", batch=3)
    index = lung_ct.read_index(patches, "test")
    with torch.no_grad():
        logits = model.eval()(torch.as_tensor(lung_ct.load(patches, index["name"])))
    by_hand = torch.softmax(logits.double(), 1)[:, 1].numpy()
    with (tmp_path / "out" / "predictions.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == index["name"].tolist()
    np.testing.assert_allclose([float(line["probability"]) for line in lines], by_hand, atol=2e-6)
    assert found.auc == pytest.approx(auc(index["label"].to_numpy(), by_hand))
    assert json.loads((tmp_path / "out" / "assessment.json").read_text())["auc"] == found.auc
    single = index["name"][1]
    assert lung_ct.evaluate(tmp_path / "network", patches, tmp_path / "one", names=[single], device="cpu") is None
    assert (tmp_path / "one" / "predictions.csv").read_text().splitlines()[1].startswith(f"{single},1,")
    model.train()
    lung_ct.predict(model, lung_ct.load(patches, [single]), "cpu")
    assert model.training  # as it was found
    with pytest.raises(InputError, match="not in the index"):
        lung_ct.evaluate(tmp_path / "network", patches, tmp_path / "out", names=["nobody"])
    networks.save(model, tmp_path / "network", {"network": "narrow", "recipe": recipe | {"step": 2.0}})
    with pytest.raises(InputError, match="another recipe"):
        lung_ct.evaluate(tmp_path / "network", patches, tmp_path / "out")
