"""Training: phases, resuming, the kept epoch, and weights that fit or are refused."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from safetensors.torch import save_file  # noqa: E402

from pellucid.core.errors import InputError, StoreError  # noqa: E402
from pellucid.studies import lung_ct  # noqa: E402
from pellucid.studies.lung_ct import network as networks  # noqa: E402
from pellucid.studies.lung_ct import patches as files  # noqa: E402

PLAN = lung_ct.phantom_plan(epochs=4, warmup=1, batch=8, patience=9)


def balls(folder, size=16, many=(16, 8, 8), seed=0):
    """Patches of noise, with a bright ball in the middle of every other one."""
    rng = np.random.default_rng(seed)
    ball = np.linalg.norm(np.indices((size,) * 3) - size // 2, axis=0) < 4
    recipe = lung_ct.Recipe(size=size)
    recipe.keep(folder)
    rows = []
    for split, count in zip(lung_ct.SPLITS, many, strict=True):
        for i in range(count):
            label, name = i % 2, f"{split}-{i:04d}"
            values = (rng.normal(-0.8, 0.1, (size,) * 3) + label * ball).astype(np.float32)
            digest = files.save(folder / "patches" / f"{name}.npy", np.clip(values, -1, 1))
            place = {"z": 0.0, "y": 0.0, "x": 0.0, "diameter": 8.0, "malignancy": 3.0, "readers": 2 * label}
            rows.append(
                {"name": name, "patient": name, "scan": name, "split": split, "label": label, "digest": digest} | place
            )
    files.write_index(folder, rows)
    return folder


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return balls(tmp_path_factory.mktemp("balls"))


@pytest.fixture(scope="module")
def whole(patches, tmp_path_factory):
    """A training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("network")
    return folder, lung_ct.train(patches, folder, PLAN, device="cpu")


def weights(folder):
    return networks.load_network(folder)[0].state_dict()


def test_it_learns_and_writes_down_how(patches, whole):
    folder, told = whole
    with (folder / "log.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["phase"] for line in lines] == ["head", "upper", "upper", "upper"]
    aucs = [float(line["validation_auc"]) for line in lines]
    assert told["validation_auc"] == max(aucs) == 1.0 and told["best_epoch"] == 1 + aucs.index(1.0)
    described = json.loads((folder / "model.json").read_text())
    assert described["best_epoch"] == told["best_epoch"] and described["recipe"]["size"] == 16
    network, _ = lung_ct.load_network(folder)
    test = lung_ct.read_index(patches, "test")
    with torch.no_grad():
        said = network(torch.as_tensor(lung_ct.load(patches, test["name"]))).argmax(1).numpy()
    assert not network.training and np.mean(said == test["label"]) >= 0.75


class Killed(Exception):
    pass


def test_a_killed_training_goes_on_to_the_same_end(patches, whole, tmp_path):
    def kill(line):
        if line["epoch"] == 2:  # after the line was written, before the state was: the epoch is taken again
            raise Killed

    with pytest.raises(Killed):
        lung_ct.train(patches, tmp_path, PLAN, device="cpu", heard=kill)
    heard = []
    told = lung_ct.train(patches, tmp_path, PLAN, device="cpu", heard=lambda line: heard.append(line["epoch"]))
    assert heard == [2, 3, 4] and told == whole[1]
    ours, theirs = weights(tmp_path), weights(whole[0])
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    again = lung_ct.train(patches, tmp_path, PLAN, device="cpu", heard=lambda line: pytest.fail("it was at its end"))
    assert again == told
    with pytest.raises(InputError, match="another training"):
        lung_ct.train(patches, tmp_path, lung_ct.phantom_plan(epochs=5), device="cpu")
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".pt", ".pth", ".pkl")]


def after(patches, folder, plan):
    """What changed from the weights that the plan begins with"""
    lung_ct.train(patches, folder, plan, device="cpu")
    from safetensors.torch import load_file

    told = json.loads((folder / "resume.json").read_text())
    now = load_file(folder / told["tensors"])
    first = networks.build(plan.network, plan.seed).state_dict()
    changed = {key for key, value in first.items() if not torch.equal(now[f"network.{key}"], value)}
    return {key.partition(".")[0] for key in changed}


def test_the_second_phase_leaves_the_lower_layers_as_they_were(patches, tmp_path):
    plan = lung_ct.phantom_plan(epochs=2, warmup=1, upper="layer4", batch=8)
    assert after(patches, tmp_path, plan) == {"layer4", "fc"}  # batch statistics of the others too


def test_the_first_phase_is_the_head_alone():
    plan = lung_ct.Plan(warmup=3, epochs=10, upper="layer3")
    learns = {
        name: [plan.learns(name, epoch) for epoch in (0, 2, 3)]
        for name in ("conv1", "layer2", "layer3.0", "layer4", "fc.bias")
    }
    assert learns == {
        "conv1": [False, False, False],
        "layer2": [False, False, False],
        "layer3.0": [False, False, True],
        "layer4": [False, False, True],
        "fc.bias": [True, True, True],
    }
    everything = lung_ct.Plan(upper="all", warmup=1)
    assert not everything.learns("conv1", 0) and everything.learns("conv1", 1)


def test_rates_fall_along_half_a_cosine_in_each_phase():
    plan = lung_ct.Plan(warmup=2, epochs=6, rate=0.4, warmup_rate=0.1)
    middle = 0.4 * (1 + np.cos(np.pi / 4)) / 2
    np.testing.assert_allclose([plan.rate_at(e) for e in range(6)], [0.1, 0.05, 0.4, middle, 0.2, 0.4 - middle])


def test_training_ends_without_a_better_epoch(patches, tmp_path):
    plan = lung_ct.phantom_plan(epochs=30, warmup=0, batch=8, patience=1)
    told = lung_ct.train(patches, tmp_path, plan, device="cpu")
    assert told["epochs"] <= told["best_epoch"] + 1 < 30


def test_bad_plans_and_splits_are_refused(tmp_path):
    for wrong in (
        {"network": "vit"},
        {"upper": "layer9"},
        {"warmup": 9, "epochs": 9},
        {"smoothing": 1.0},
        {"rate": 0.0},
        {"batch": 1},
    ):
        with pytest.raises(InputError):
            lung_ct.Plan(**wrong)
    with pytest.raises(InputError, match="'validation' has 1 patches"):
        lung_ct.train(balls(tmp_path / "few", many=(4, 1, 0)), tmp_path / "out", PLAN)
    with pytest.raises(StoreError, match="no network of ours"):
        lung_ct.load_network(tmp_path)


def test_weights_are_taken_over_key_by_key(tmp_path):
    source = networks.build("narrow", 1).state_dict()
    body = {f"module.{key}": value for key, value in source.items() if not key.startswith("fc.")}
    torch.save({"state_dict": body | {"module.conv_seg.0.weight": torch.ones(2)}}, tmp_path / "good.pth")
    network = networks.build("narrow", 2)
    head = network.fc.weight.clone()
    digest = networks.start_from(network, tmp_path / "good.pth")
    now = network.state_dict()
    assert len(digest) == 64 and all(torch.equal(now[key], source[key]) for key in source if not key.startswith("fc."))
    assert torch.equal(network.fc.weight, head)  # it has no head to give
    name = "module.layer2.0.conv1.weight"
    cases = {
        "missing": {key: value for key, value in body.items() if key != name},
        "left over": body | {"module.layer9.weight": torch.ones(1)},
        "instead of": body | {name: body[name][:, :4]},
    }
    for why, tensors in cases.items():
        save_file({key: value.contiguous() for key, value in tensors.items()}, tmp_path / "bad.safetensors")
        before = {key: value.clone() for key, value in network.state_dict().items()}
        with pytest.raises(InputError, match=why):
            networks.start_from(network, tmp_path / "bad.safetensors")
        assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_file_of_weights_that_would_run_something_is_refused(tmp_path):
    import pickle

    class Bad:
        def __reduce__(self):
            return (os.system, ("touch " + str(tmp_path / "ran"),))

    (tmp_path / "bad.pth").write_bytes(pickle.dumps(Bad()))
    with pytest.raises(InputError, match="read safely"):
        networks.start_from(networks.build("narrow"), tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


def test_networks_leave_the_random_state_and_say_where_their_map_is():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, again, other = (networks.build("narrow", seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.fc.weight, again.fc.weight) and not torch.equal(first.fc.weight, other.fc.weight)
    first.train()
    assert lung_ct.map_layer(first, 32) == "layer3" and lung_ct.map_layer(first, 64) == "layer4" and first.training


@pytest.mark.slow
def test_the_full_network_has_medicalnets_shape():
    network = networks.build("resnet18")
    plane = [(1, 64, 343), *[(64, 64, 27)] * 4]  # by hand: channels in, channels out, cells of the kernel
    for low, high in ((64, 128), (128, 256), (256, 512)):
        plane += [(low, high, 27), *[(high, high, 27)] * 3]
    by_hand = sum(i * o * k + 2 * o for i, o, k in plane) + 512 * 2 + 2
    assert sum(p.numel() for p in network.parameters()) == by_hand == 32_987_202
    assert not [key for key in network.state_dict() if "downsample" in key]  # shortcuts of type A have no weights
    assert network.eval()(torch.zeros(1, 1, 32, 32, 32)).shape == (1, 2)


@pytest.mark.slow
def test_two_processes_under_torchrun(patches, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29631"]
    options = [
        "--patches",
        str(patches),
        "--out",
        str(tmp_path),
        "--network",
        "narrow",
        "--epochs",
        "3",
        "--device",
        "cpu",
    ]
    source = str(Path(lung_ct.__file__).parents[3])
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "-m", "pellucid", "lung-ct", "train", *options, "--batch", "8"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("validation AUC") == 1 and done.stderr.count("epoch 2 (upper)") == 1
    assert lung_ct.load_network(tmp_path)[1]["validation_auc"] > 0.8
