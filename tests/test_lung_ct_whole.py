"""From synthetic chests to a network that finds their nodules: the whole way, on a processor."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from sklearn.metrics import roc_auc_score  # noqa: E402

from pellucid.studies import lung_ct  # noqa: E402


@pytest.mark.slow
def test_a_network_learns_the_phantom(tmp_path):
    made = lung_ct.write_phantom(tmp_path / "phantom", patients=20)
    key = lung_ct.Pseudonyms(bytes(32))
    recipe = lung_ct.Recipe(size=32, shares=(0.6, 0.15, 0.25))
    tally = lung_ct.prepare(made / "dicom", made / "xml", tmp_path / "patches", recipe, key)
    assert tally.used == 20 and not tally.refused
    plan = lung_ct.phantom_plan(epochs=8)
    lung_ct.train(tmp_path / "patches", tmp_path / "network", plan, device="cpu")
    network, described = lung_ct.load_network(tmp_path / "network")
    test = lung_ct.read_index(tmp_path / "patches", "test")
    with torch.no_grad():
        said = torch.softmax(network(torch.as_tensor(lung_ct.load(tmp_path / "patches", test["name"]))), 1)[
            :, 1
        ].numpy()
    assert len(test) >= 20 and test["patient"].nunique() == 5
    assert described["validation_auc"] >= 0.9 and roc_auc_score(test["label"], said) >= 0.9
    assert np.median(said[test["label"] == 1]) > 0.5 > np.median(said[test["label"] == 0])
