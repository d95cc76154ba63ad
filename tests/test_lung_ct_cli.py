"""`pellucid lung-ct`: each step by its command."""

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from lung_world import phantom
from pellucid.cli.app import app
from pellucid.studies import lung_ct


def run(*arguments):
    return CliRunner().invoke(app, ["lung-ct", *map(str, arguments)])


def test_phantom(tmp_path):
    done = run("phantom", "--out", tmp_path / "made", "--patients", 1, "--seed", 5)
    assert done.exit_code == 0 and "1 patients" in done.output
    (series,) = lung_ct.find(tmp_path / "made", lung_ct.Tally())
    assert len(series.slices) == len(lung_ct.chest(1, 5).hu)


def test_prepare(tmp_path):
    made = phantom()
    options = ("--data", made / "dicom", "--readings", made / "xml", "--size", 32, "--shares", 0.5, 0, 0.5)
    done = run("prepare", *options, "--out", tmp_path / "patches")
    assert done.exit_code == 0, done.output
    assert "2 used, 0 refused" in done.output and "validation: 0 patches" in done.output
    assert "PHANTOM" not in done.output and (tmp_path / "patches.key").exists()
    index = lung_ct.read_index(tmp_path / "patches", "test")
    assert f"test: {len(index)} patches of 1 patients, {index['label'].sum()} with a nodule" in done.output
    other = run("prepare", *options, "--out", tmp_path / "patches", "--step", 2)
    assert other.exit_code == 1 and "another recipe" in other.output


def script(name):
    return Path(lung_ct.__file__).parent / "slurm" / f"{name}.sbatch"


@pytest.mark.parametrize(
    ("name", "step", "folders"),
    [("launch", "train", {"patches", "out"}), ("infer", "evaluate", {"network", "patches", "out"})],
)
def test_the_batch_scripts_are_scripts_and_call_what_there_is(name, step, folders):
    subprocess.run(["bash", "-n", str(script(name))], check=True)
    text = script(name).read_text()
    calls = re.findall(rf"(?:{name}\.sbatch|lung-ct {step}) (.*)", text)
    asked = {option for call in calls for option in re.findall(r"--[a-z-]+", call)}
    known = {option for parameter in app.commands["lung-ct"].commands[step].params for option in parameter.opts}
    assert len(calls) >= 2 and {f"--{folder}" for folder in folders} <= asked <= known
    assert all(f'--{folder} "${folder.upper()}"' in text for folder in folders)


def test_inference_hands_its_folders_and_options_on(tmp_path):
    """With stand-ins for srun and python, what would run is written down."""
    for name, text in {"srun": 'exec "$@"', "python": 'printf "%s\\n" "$@" > "$TOLD"'}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    world = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TOLD": str(tmp_path / "told")}
    folders = {"NETWORK": "/a network", "PATCHES": "/b", "OUT": "/c"}
    command = ["bash", str(script("infer")), "--xai", "GradCAM, RISE", "--report"]
    subprocess.run(command, check=True, env=world | folders)
    told = (tmp_path / "told").read_text().splitlines()
    assert told[:4] == ["-m", "pellucid", "lung-ct", "evaluate"]
    assert told[4:] == [
        "--network",
        "/a network",
        "--patches",
        "/b",
        "--out",
        "/c",
        "--xai",
        "GradCAM, RISE",
        "--report",
    ]
    missing = subprocess.run(command, env=world, capture_output=True, text=True)
    assert missing.returncode != 0 and "train wrote" in missing.stderr
