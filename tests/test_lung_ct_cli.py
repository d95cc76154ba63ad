"""`pellucid lung-ct`: each step by its command."""

from click.testing import CliRunner

from pellucid.cli.app import app
from pellucid.studies import lung_ct


def run(*arguments):
    return CliRunner().invoke(app, ["lung-ct", *map(str, arguments)])


def test_phantom(tmp_path):
    done = run("phantom", "--out", tmp_path / "made", "--patients", 1, "--seed", 5)
    assert done.exit_code == 0 and "1 patients" in done.output
    (series,) = lung_ct.find(tmp_path / "made", lung_ct.Tally())
    assert len(series.slices) == len(lung_ct.chest(1, 5).hu)
