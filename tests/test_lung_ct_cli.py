"""`pellucid lung-ct`: each step by its command."""

import re
import subprocess
from pathlib import Path

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


def test_the_batch_script_is_a_script_and_calls_what_there_is():
    script = Path(lung_ct.__file__).parent / "slurm" / "launch.sbatch"
    subprocess.run(["bash", "-n", str(script)], check=True)
    named = set(re.findall(r"--(\w+) \"\$(?:PATCHES|OUT)", script.read_text()))
    train = app.commands["lung-ct"].commands["train"]
    assert named == {"patches", "out"} and named < {option.name for option in train.params}
