"""From synthetic chests to a network that finds their nodules: the whole way, on a processor."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

import pellucid as pc  # noqa: E402
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
    found = lung_ct.evaluate(tmp_path / "network", tmp_path / "patches", tmp_path / "results", device="cpu")
    assert found.patients == 5 and found.patches >= 20 and found.auc >= 0.9
    network, described = lung_ct.load_network(tmp_path / "network")
    assert described["validation_auc"] >= 0.9
    test = lung_ct.read_index(tmp_path / "patches", "test")
    lands_on_nodules(network, tmp_path / "patches", test[test["label"] == 1].reset_index(drop=True))


def lands_on_nodules(network, patches, rows):
    """The pointing game against the readers' masks: hits above chance, its interval too; the baseline is air, which is -1."""
    x, agreed = lung_ct.load(patches, rows["name"]), lung_ct.agreed(patches, rows)
    a = pc.explain(network, x, pc.IntegratedGradients(steps=24, baseline=-1.0), target=1)
    (line,) = pc.evaluate(network, a, [pc.PointingGame()], truth=agreed).lines
    assert line.mean > 0.5 and line.low > line.chance and line.chance < 0.1
