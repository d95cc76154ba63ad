"""The command line's verbs on layers: `activations`, `concepts`, `probe`, as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import pellucid as pc
from nets import mlp
from pellucid.cli.app import app

REVIEWS = [
    "a great film",
    "great fun",
    "so great",
    "the great end",
    "boring",
    "a boring film",
    "so boring",
    "bored !",
] * 3


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", rng.normal(size=(12, 4)))
    np.save(tmp_path / "high.npy", rng.normal(size=(25, 4)) + 1)
    np.save(tmp_path / "any.npy", rng.normal(size=(60, 4)))
    x = rng.normal(size=(60, 4))
    table = pd.DataFrame(x, columns=list("abcd")).assign(
        kind=np.where(x[:, 0] > 0, "up", "down"), group=np.arange(60) % 6
    )
    table.to_csv(tmp_path / "rows.csv", index=False)
    pd.DataFrame({"text": REVIEWS, "liked": ["great" in one for one in REVIEWS]}).to_csv(
        tmp_path / "reviews.csv", index=False
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def read_aloud() -> pc.TextModel:
    """A model that the command line can name."""
    from small_bert import bert, tokenizer

    return pc.TextModel(bert(), tokenizer())


def test_activations_are_kept_by_the_names_of_their_layers(folder: Path):
    asked = ("activations", "--model", "nets:mlp", "--data", "rows.npy", "--layer", "1", "--layer", "0")
    done = run(*asked, "--rows", "0:5", "--out", "seen.npz")
    assert done.exit_code == 0 and "5 x 8" in done.stdout and "seen.npz" in done.stdout
    with np.load(folder / "seen.npz") as file:
        assert file.files == ["1", "0"]
        np.testing.assert_array_equal(file["1"], pc.activations(mlp(), np.load("rows.npy")[:5], "1")["1"])
    told = json.loads(run(*asked, "--json").stdout)
    assert told["layers"][0]["shape"] == [12, 8] and told["rows"] == 12
    wrong = run(*asked[:-1], "one")
    assert wrong.exit_code == 1 and "no layer 'one'" in wrong.stderr
    pd.DataFrame({"text": REVIEWS[:3]}).to_csv("words.csv", index=False)
    reading = ("--model", "test_cli_inside:read_aloud", "--data", "words.csv", "--layer", "bert.encoder.layer.*")
    texts = run("activations", *reading)
    assert texts.exit_code == 0 and "bert.encoder.layer.1" in texts.stdout


def test_concepts_are_scored_kept_and_drawn(folder: Path):
    asked = ("concepts", "--model", "nets:mlp", "--data", "rows.npy", "--layer", "1", "--target", "1")
    sets = ("--concept", "high=high.npy", "--random", "any.npy", "--cav", "mean-difference", "--runs", "60")
    done = run(*asked, *sets, "--out", "c.npz", "--plot", "c.png")
    assert done.exit_code == 0 and "high at 1" in done.stdout
    record = pc.load(folder / "c.npz")
    given = {name: np.load(f"{name}.npy") for name in ("rows", "high", "any")}
    same = pc.concepts(
        mlp(), {"high": given["high"]}, record.method, layer="1", inputs=given["rows"], target=1, random=given["any"]
    )
    np.testing.assert_array_equal(record.runs, same.runs)
    assert record.method == pc.TCAV(cav="mean-difference", runs=60) and (folder / "c.png").stat().st_size > 1000
    told = json.loads(run(*asked, *sets, "--json").stdout)
    assert told["concepts"] == ["high"] and told["words"][0].startswith("high at 1")
    twice = run(*asked, *sets, "--concept", "high=any.npy")
    assert twice.exit_code == 1 and "stands there twice" in twice.stderr
    bad = run(*asked, "--concept", "high.npy")
    assert bad.exit_code == 2 and "is no concept" in bad.stderr


def test_probes_read_labels_of_tables_and_texts(folder: Path):
    asked = ("probe", "--model", "nets:mlp", "--data", "rows.csv", "--label", "kind", "--layer", "0", "--layer", "1")
    done = run(*asked, "--control", "group", "--out", "p.npz", "--plot", "p.png")
    assert done.exit_code == 0 and "selectivity" in done.stdout
    table = pd.read_csv("rows.csv")
    types = table["group"].tolist()
    same = pc.probe(mlp(), table[list("abcd")].to_numpy(), table["kind"].to_numpy(), layer=["0", "1"], control=types)
    np.testing.assert_array_equal(pc.load(folder / "p.npz").selectivity, same.selectivity)
    assert run(*asked, "--control", "nobody").exit_code == 1
    texts = run(
        *("probe", "--model", "test_cli_inside:read_aloud", "--data", "reviews.csv", "--label", "liked"),
        *("--layer", "bert.embeddings", "--controls", "1", "--json"),
    )
    assert texts.exit_code == 0 and json.loads(texts.stdout)["classes"] == [False, True]


def test_similarity_of_kept_layers_and_of_running_networks(folder: Path):
    asked = ("activations", "--model", "nets:mlp", "--data", "any.npy", "--layer", "*", "--out", "seen.npz")
    assert run(*asked).exit_code == 0
    done = run("similarity", "seen.npz", "--plot", "alike.png", "--out", "s.npz")
    assert (
        done.exit_code == 0 and "3 x 3 layers over 60 inputs" in done.stdout and (folder / "alike.png").stat().st_size
    )
    record = pc.load(folder / "s.npz")
    network = ("similarity", "--model", "nets:mlp", "--data", "any.npy")
    told = json.loads(run(*network, "--unbiased", "--json").stdout)
    assert told["matches"] == [0, 1, 2] and told["rows"] == ["0", "1", "2"]
    same = json.loads(run(*network, "--json").stdout)
    np.testing.assert_allclose(same["matrix"], record.matrix, rtol=1e-5)
    np.save("wide.npy", np.load("any.npy")[:, :2])
    two = run("similarity", "seen.npz", "wide.npy", "--method", "SVCCA", "--variance", "1")
    assert two.exit_code == 0 and "wide" in two.stdout
    some = run(*network, "--other", "nets:mlp", "--layer", "0", "--other-layer", "1")
    assert some.exit_code == 0 and "1 x 1 layers" in some.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "give files of layers"),
        (("any.npy", "--model", "nets:mlp"), "not both"),
        (("any.npy", "any.npy", "any.npy"), "3 files"),
        (("any.npy", "--layer", "0"), "--layer is for networks"),
        (("nothing.npz",), "no file of layers"),
        (("--model", "nets:mlp"), "--data FILE"),
    ],
)
def test_similarity_says_what_it_needs(folder: Path, words: tuple[str, ...], says: str):
    done = run("similarity", *words)
    assert done.exit_code != 0 and says in done.stderr


def test_a_dissection_from_masks_and_from_a_label_map(folder: Path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 2, 8, 8))
    np.save("pictures.npy", x)
    np.save("bright.npy", x[:, 0] > 1)
    np.save("labels.npy", np.where(x[:, 0] > 1, 1, 0))
    asked = ("concepts", "--model", "nets:cnn", "--data", "pictures.npy", "--layer", "0")
    method = ("--method", "NetworkDissection", "--quantile", "0.2")
    done = run(*asked, *method, "--concept", "bright=bright.npy", "--plot", "d.png")
    assert done.exit_code == 0 and "bright at 0: " in done.stdout and (folder / "d.png").stat().st_size
    told = json.loads(run(*asked, *method, "--masks", "labels.npy", "--names", "dark,bright", "--json").stdout)
    assert told["concepts"] == ["dark", "bright"] and "IoU" in told["words"][1]
    both = run(*asked, *method, "--masks", "labels.npy", "--concept", "bright=bright.npy")
    assert both.exit_code == 1 and "give one of them" in both.stderr
    none = run(*asked, *method)
    assert none.exit_code == 1 and "there are no concepts" in none.stderr
