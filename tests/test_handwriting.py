"""The digits that the notebook on examples stands on: where they come from, how they are made smaller and mislabelled."""

import gzip

import numpy as np
import torch

import handwriting


def test_the_digits_of_the_folder_come_first(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    raw, labels = rng.integers(0, 256, (1797, 28, 28), np.uint8), rng.integers(0, 10, 1797, np.uint8)
    (tmp_path / "mnist").mkdir()
    for name, head, values in (("images-idx3", 16, raw), ("labels-idx1", 8, labels)):
        packed = gzip.compress(bytes(head) + values.tobytes(), 1)
        (tmp_path / "mnist" / f"t10k-{name}-ubyte.gz").write_bytes(packed)
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    at = handwriting.digits()
    assert at.title == "MNIST" and at.y.tolist() == labels.tolist()
    np.testing.assert_allclose(at.pictures, raw / 255)
    np.testing.assert_allclose(at.rows[5].reshape(7, 7)[2, 3], raw[5, 8:12, 12:16].mean() / 255)
    assert handwriting.small(at).shape == (1797, 1, 14, 14)


def test_without_a_folder_they_are_those_of_scikit_learn(monkeypatch):
    monkeypatch.delenv("PELLUCID_DATA", raising=False)
    at = handwriting.digits()
    assert at.pictures.shape == (1797, 8, 8) and at.rows.max() == 1
    np.testing.assert_array_equal(handwriting.small(at)[:, 0], at.pictures.astype(np.float32))


def test_labels_that_are_changed_are_wrong_and_the_others_are_not():
    y = np.arange(2000) % 10
    noisy, wrong = handwriting.wrongly_labelled(y, 0.1)
    np.testing.assert_array_equal(noisy != y, wrong)
    assert set(noisy.tolist()) == set(range(10)) and 0.07 < wrong.mean() < 0.13


def test_the_regression_is_at_the_minimum_of_its_penalised_loss():
    rng = np.random.default_rng(0)
    X, y, l2 = rng.random((60, 5)), np.arange(60) % 10, 0.05
    model = handwriting.regression(X, y, l2)
    loss = torch.nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y))
    (loss + l2 / 2 * sum((p**2).sum() for p in model.parameters())).backward()
    assert max(float(p.grad.abs().max()) for p in model.parameters()) < 1e-5


def test_precision_counts_wrong_labels_from_the_top():
    wrong = np.array([True, False, True, False])
    (line, *_) = handwriting.precision(wrong, {"a": np.array([3.0, 2, 1, 0])}).axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), [1, 1 / 2, 2 / 3, 1 / 2])
