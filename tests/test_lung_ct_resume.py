"""Going on with a training: after kill -9 at any moment, and with files that are damaged or not one's own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from safetensors.torch import load_file, save_file  # noqa: E402

from lung_world import balls  # noqa: E402
from pellucid.core.errors import InputError, StoreError  # noqa: E402
from pellucid.studies import lung_ct  # noqa: E402
from pellucid.studies.lung_ct import network as networks  # noqa: E402

PLAN = lung_ct.phantom_plan(epochs=3, warmup=1, batch=8, patience=9)


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return balls(tmp_path_factory.mktemp("balls"))


@pytest.fixture(scope="module")
def half(patches, tmp_path_factory):
    """A training that was stopped in its third epoch, after two were kept"""

    def kill(line):
        if line["epoch"] == 3:
            raise Killed

    folder = tmp_path_factory.mktemp("half")
    with pytest.raises(Killed):
        lung_ct.train(patches, folder, PLAN, device="cpu", heard=kill)
    return folder


def spoilt(half, folder, **changes):
    """A copy whose lines say something else; None takes a thing away"""
    copy = shutil.copytree(half, folder)
    told = json.loads((copy / "resume.json").read_text()) | changes
    (copy / "resume.json").write_text(json.dumps({key: value for key, value in told.items() if value is not None}))
    return copy


@pytest.mark.parametrize(
    "name",
    [
        "../half/resume-2.safetensors",
        "/etc/passwd",
        "resume-9.safetensors",
        "model.safetensors",
        "resume.json",
        "",
        3,
        "resume-2.safetensors\n",
    ],
)
def test_the_tensors_lie_in_the_same_folder_whatever_the_lines_say(patches, half, tmp_path, name):
    shutil.copytree(half, tmp_path / "half")  # so that a path that leads there would lead to tensors that fit
    copy = spoilt(half, tmp_path / "copy", tensors=name)
    with pytest.raises(
        StoreError, match=r"cannot be gone on with .* give a new folder, or delete resume\.json"
    ) as error:
        lung_ct.train(patches, copy, PLAN, device="cpu")
    assert "passwd" not in str(error.value) and str(tmp_path) not in str(error.value)


@pytest.mark.parametrize("what", ["described", "lines", "tensors", "scaler"])
def test_lines_that_are_not_whole_are_told(patches, half, tmp_path, what):
    with pytest.raises(StoreError, match="KeyError"):
        lung_ct.train(patches, spoilt(half, tmp_path / "copy", **{what: None}), PLAN, device="cpu")


def test_damaged_files_of_a_training_are_told(patches, half, tmp_path):
    lines = json.loads((half / "resume.json").read_text())["lines"]
    copies = [
        spoilt(half, tmp_path / str(i), lines=wrong) for i, wrong in enumerate([lines[1:], [1, 2], "no", lines[::-1]])
    ]
    copies += [spoilt(half, tmp_path / "text"), spoilt(half, tmp_path / "list"), spoilt(half, tmp_path / "cut")]
    (copies[-3] / "resume.json").write_text("{")
    (copies[-2] / "resume.json").write_text("[]")
    tensors = copies[-1] / "resume-2.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:1000])
    copies.append(spoilt(half, tmp_path / "fewer"))
    held = load_file(half / "resume-2.safetensors")
    save_file({key: value for key, value in held.items() if "fc" not in key}, copies[-1] / "resume-2.safetensors")
    copies.append(spoilt(half, tmp_path / "other"))
    save_file(held | {"other.x": torch.ones(1)}, copies[-1] / "resume-2.safetensors")
    for copy in copies:
        with pytest.raises(StoreError, match="cannot be gone on with"):
            lung_ct.train(patches, copy, PLAN, device="cpu")
    with pytest.raises(InputError, match="another training"):
        lung_ct.train(patches, spoilt(half, tmp_path / "plan"), lung_ct.phantom_plan(epochs=9), device="cpu")


def test_what_a_killed_run_left_half_written_goes(patches, half, tmp_path):
    copy = spoilt(half, tmp_path / "copy")
    left = f".resume-3.safetensors.{'0f' * 16}.part"
    for name in (left, ".mine.part", "resume-x.safetensors", "resume-1.safetensors"):
        (copy / name).write_bytes(b"x")
    lung_ct.train(patches, copy, PLAN, device="cpu")
    names = {path.name for path in copy.iterdir()}
    ours = {"model.safetensors", "model.json", "log.csv", "resume.json", "resume-3.safetensors"}
    assert names == ours | {".mine.part", "resume-x.safetensors"}  # what is not ours stays


def test_a_network_that_is_damaged_is_told(half, tmp_path):
    for i, (name, text) in enumerate(
        [
            ("model.safetensors", "x"),
            ("model.json", "[]"),
            ("model.json", "{"),
            ("model.json", '{"network": ["narrow"]}'),
        ]
    ):
        copy = shutil.copytree(half, tmp_path / str(i))
        (copy / name).write_text(text)
        with pytest.raises(StoreError, match="no network of ours"):
            lung_ct.load_network(copy)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "", "none"])
def test_names_of_an_index_lead_nowhere_else(patches, tmp_path, name):
    copy = shutil.copytree(patches, tmp_path / "copy")
    shutil.copy(next((copy / "patches").iterdir()), tmp_path / "secret.npy")
    with pytest.raises(InputError, match="cannot be read") as error:
        lung_ct.load(copy, [name])
    assert "passwd" not in str(error.value) and "secret" not in str(error.value)
    first = sorted(path.stem for path in (copy / "patches").iterdir())[0]
    (copy / "patches" / f"{first}.npy").write_bytes((tmp_path / "secret.npy").read_bytes()[:-9])
    with pytest.raises(InputError, match=f"patches: {first} cannot be read"):
        lung_ct.load(copy, [first])


@pytest.mark.slow
def test_kill_9_at_any_moment_and_the_end_is_the_same(patches, tmp_path):
    source = str(Path(lung_ct.__file__).parents[3])
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    plan = "lung_ct.phantom_plan(epochs=6, warmup=1, batch=8, patience=9)"

    def started(*folders):
        calls = [f"lung_ct.train({str(patches)!r}, {str(tmp_path / f)!r}, {plan}, device='cpu')" for f in folders]
        command = [sys.executable, "-c", "; ".join(["from pellucid.studies import lung_ct", *calls])]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    killed = 0
    for wait in (0.0, 0.1):  # after the first state that is kept: in a pass, or while something is written
        kept = (tmp_path / "ours" / "resume.json").stat().st_mtime_ns if killed else 0
        with started("ours") as process:
            while process.poll() is None:
                path = tmp_path / "ours" / "resume.json"
                if path.exists() and path.stat().st_mtime_ns > kept:
                    time.sleep(wait)
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.002)
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
    with started("ours", "theirs") as process:
        assert process.wait(300) == 0, process.stderr.read()[-2000:]
    ours, theirs = (networks.load_network(tmp_path / name)[0].state_dict() for name in ("ours", "theirs"))
    assert killed and all(torch.equal(ours[key], theirs[key]) for key in theirs)
    lines = [json.loads((tmp_path / name / "resume.json").read_text())["lines"] for name in ("ours", "theirs")]
    assert [{**line, "seconds": 0} for line in lines[0]] == [{**line, "seconds": 0} for line in lines[1]]
    assert not list((tmp_path / "ours").glob(".*"))
