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

from lung_world import balls  # noqa: E402
from pellucid.core.errors import InputError, StoreError  # noqa: E402
from pellucid.studies import lung_ct  # noqa: E402
from pellucid.studies.lung_ct import network as networks  # noqa: E402

PLAN = lung_ct.phantom_plan(epochs=4, warmup=1, batch=8, patience=9)


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


def read_log(folder):
    with (folder / "log.csv").open() as file:
        return list(csv.DictReader(file))


def test_it_learns_and_writes_down_how(patches, whole):
    folder, told = whole
    lines = read_log(folder)
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
    logs = [[{**line, "seconds": ""} for line in read_log(folder)] for folder in (tmp_path, whole[0])]
    assert logs[0] == logs[1] and [line["epoch"] for line in logs[0]] == ["1", "2", "3", "4"]  # each epoch once
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
        {"warmup_rate": 0.0},
        {"decay": -0.1},
        {"patience": 0},
        {"precision": "float8"},
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
        "no numbers": body | {name: torch.full_like(body[name], float("nan"))},
        "and 97 more": {},
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
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"state_dict": {"conv1.weight": 3}}, tmp_path / "numbers.pth")
    (tmp_path / "half.safetensors").write_bytes(b"\x00" * 5)
    for name in ("bad.pth", "list.pth", "numbers.pth", "half.safetensors"):
        with pytest.raises(InputError, match=f"{name} holds no weights that can be read safely"):
            networks.start_from(networks.build("narrow"), tmp_path / name)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(InputError, match="there is no file"):
        networks.start_from(networks.build("narrow"), tmp_path / "none.pth")
    with pytest.raises(InputError, match="expected resnet18 or narrow"):
        networks.build("wide")


def test_networks_leave_the_random_state_and_say_where_their_map_is():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, again, other = (networks.build("narrow", seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first.fc.weight, again.fc.weight) and not torch.equal(first.fc.weight, other.fc.weight)
    first.train()
    assert lung_ct.map_layer(first, 32) == "layer3" and lung_ct.map_layer(first, 64) == "layer4" and first.training


class Said(torch.nn.Module):
    """Answers the same logits for every patch"""

    def __init__(self, *logits):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor([logits]))

    def forward(self, x):
        return self.logits + torch.zeros(len(x), 1)


def loss_of(patches, monkeypatch, tmp_path, **plan):
    """The training loss of an epoch in which a network says (2, 0) to everything; it goes nowhere from there"""
    monkeypatch.setattr(networks, "build", lambda kind, seed=0: Said(2.0, 0.0))
    plan = lung_ct.phantom_plan(epochs=1, warmup=0, batch=5, rate=1e-9, **plan)
    lines = []
    lung_ct.train(patches, tmp_path / "out", plan, device="cpu", heard=lines.append)
    return lines[0]["loss"]


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_loss_is_the_cross_entropy_of_smoothed_labels_and_of_balanced_classes(
    tmp_path, monkeypatch, smoothing, balanced
):
    """Nine backgrounds and three nodules; by hand: the costs of saying (2, 0) are log(1 + e^-2) and log(1 + e^2)"""
    made = balls(tmp_path / "balls", many=(12, 4, 0), every=4)
    costs = np.log1p(np.exp([-2.0, 2.0]))  # of a background, of a nodule
    weights = np.array([12 / (2 * 9), 12 / (2 * 3)]) if balanced else np.ones(2)
    even = smoothing / 2 * (weights @ costs)
    by_hand = (
        9 * ((1 - smoothing) * weights[0] * costs[0] + even) + 3 * ((1 - smoothing) * weights[1] * costs[1] + even)
    ) / 12
    found = loss_of(made, monkeypatch, tmp_path, smoothing=smoothing, balanced=balanced)
    assert found == pytest.approx(by_hand, rel=1e-6)


def test_a_loss_that_is_no_number_ends_the_training_and_spoils_nothing(patches, whole, tmp_path, monkeypatch):
    plan = lung_ct.phantom_plan(epochs=4, warmup=1, batch=8, patience=9, rate=1e30)
    with pytest.raises(
        InputError, match=r"(the loss is (nan|inf) in epoch \d|no numbers after training).* than 1e\+30"
    ):
        lung_ct.train(patches, tmp_path, plan, device="cpu")
    assert [line["phase"] for line in read_log(tmp_path)] == ["head"]
    assert all(bool(torch.isfinite(value).all()) for value in weights(tmp_path).values())
    with pytest.raises(InputError, match=r"no numbers after training: take a lower rate than 0\.002"):
        silent(patches, monkeypatch, tmp_path)


def silent(patches, monkeypatch, folder):
    """A network whose loss is a number in training and which answers NaN in validation"""

    class Moody(Said):
        def forward(self, x):
            return super().forward(x) * (1.0 if self.training else float("nan"))

    monkeypatch.setattr(networks, "build", lambda kind, seed=0: Moody(2.0, 0.0))
    lung_ct.train(patches, folder / "moody", lung_ct.phantom_plan(epochs=1, warmup=0, batch=8), device="cpu")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_half_precision_learns_too_and_is_what_it_says(patches, whole, tmp_path, monkeypatch, precision):
    kinds = set()
    monkeypatch.setattr(networks, "build", watched(networks.build, kinds))
    plan = lung_ct.phantom_plan(epochs=4, warmup=1, batch=8, patience=9, precision=precision)
    told = lung_ct.train(patches, tmp_path, plan, device="cpu")
    assert kinds == {getattr(torch, precision)} and told["validation_auc"] == 1.0
    ours, theirs = weights(tmp_path), weights(whole[0])
    same = all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert same == (precision == "float32")  # a processor's "auto"
    assert {value.dtype for value in ours.values()} == {torch.float32, torch.int64}


def watched(build, kinds):
    def made(kind, seed=0):
        network = build(kind, seed)
        network.layer1.register_forward_hook(lambda module, given, out: kinds.add(out.dtype))
        return network

    return made


def test_what_runs_in_half_precision_where():
    from pellucid.studies.lung_ct.places import Where, where

    with where() as found, where("meta") as given:
        assert found.device == ("cuda" if torch.cuda.is_available() else "cpu") and given.device == "meta"
    place = Where("cpu")
    assert place.first and not place.gpu and not place.needs_scaling() and not place.needs_scaling("bfloat16")
    for precision, on in (("auto", False), ("float32", False), ("bfloat16", True)):
        with place.mixed(precision):
            assert torch.is_autocast_enabled("cpu") is on
    assert place.gather("parts") == ["parts"] and not Where("cpu", 1, 2).first
    network = torch.nn.Linear(1, 1)
    place.align(network)  # alone there is nobody to ask
    assert place.wrap(network) is network


def test_a_gpu_of_many_kinds(monkeypatch):
    """What would run on GPUs, told from the outside: bfloat16 where there is one, else float16 with scaled gradients"""
    from pellucid.studies.lung_ct.places import Where

    place, asked = Where("cuda:1"), []
    monkeypatch.setattr(torch, "autocast", lambda device, dtype: asked.append((device, dtype)))
    for has in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has: has)
        place.mixed()
        place.mixed("bfloat16")
        assert place.gpu and place.needs_scaling() is (not has) and not place.needs_scaling("float32")
    half = ("cuda", torch.bfloat16)
    assert asked == [half, half, ("cuda", torch.float16), half]


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


PROCESS = """
import torch
from pellucid.studies.lung_ct.places import where
with where("cpu") as place:
    torch.manual_seed(place.rank)  # so that the networks differ until one is given to all
    network = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    wrapped = place.wrap(network)
    first = network[0].weight.detach().clone()
    (network[0](torch.full((1, 2), 1.0 + place.rank)).sum() * 0 + wrapped(torch.randn(4, 2)).sum() * (1 + place.rank)).backward()
    mine = network[1].running_mean.clone()
    place.align(network)
    parts = place.gather((place.rank, first, network[1].bias.grad, mine, network[1].running_mean))
    if place.first:
        (a, b) = parts
        assert place.size == 2 and [part[0] for part in parts] == [0, 1]
        assert torch.equal(a[1], b[1])
        assert torch.equal(a[2], b[2]) and a[2].item() == 4 * (1 + 2) / 2  # the mean of the gradients of both
        assert not torch.equal(a[3], b[3]) and torch.equal(a[4], b[4]) and torch.equal(a[4], a[3])
        print("together")
assert not torch.distributed.is_initialized()
"""


@pytest.mark.slow
def test_two_processes_share_weights_gradients_and_statistics(tmp_path):
    source = str(Path(lung_ct.__file__).parents[3])
    common = {
        "PYTHONPATH": source,
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29632",
        "WORLD_SIZE": "2",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS], env=os.environ | common | {"RANK": rank}, stdout=subprocess.PIPE, text=True
        )
        for rank in ("0", "1")
    ]
    said = [process.communicate(timeout=300)[0].strip() for process in processes]
    assert said == ["together", ""] and all(process.returncode == 0 for process in processes)


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
