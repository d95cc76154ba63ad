"""The command line's verbs on training data and units: `influence`, `hardest`, `visualize`, as a user meets them."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from sklearn.datasets import load_digits
from torch import nn

import pellucid as pc
from pellucid.cli.app import app
from pellucid.cli.data import as_classes

MODELS = """
    import numpy as np
    import torch
    from torch import nn

    def told(weights="net.pt"):
        net = nn.Linear(64, 3).double()
        net.load_state_dict(torch.load(weights, weights_only=True))
        return net

    def number():
        torch.manual_seed(0)
        return nn.Linear(64, 1).double()

    def pictures():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
"""
WORDS = np.array(["nought", "one", "pair"])  # in the order of the outputs
PENALTY = 0.02


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A softmax regression on three digits trained to its minimum, with some wrong labels, and states from its training."""
    folder = tmp_path_factory.mktemp("trained")
    X, y = load_digits(n_class=3, return_X_y=True)
    X, y = X[:160] / 16, y[:160].copy()
    wrong = [5, 20, 40, 115, 130]  # the last two of them are no training rows
    y[wrong] = (y[wrong] + 1) % 3
    torch.manual_seed(0)
    net, rows, labels = nn.Linear(64, 3).double(), torch.tensor(X[:100]), torch.tensor(y[:100])
    ascent, keep = torch.optim.LBFGS(net.parameters(), max_iter=200), pc.Checkpoints(folder / "run")

    def closure():
        ascent.zero_grad()
        penalty = PENALTY / 2 * sum((p**2).sum() for p in net.parameters())
        loss = nn.functional.cross_entropy(net(rows), labels) + penalty
        loss.backward()
        return loss

    keep(net, 0.1)
    ascent.step(closure)
    keep(net, 0.1)
    torch.save(net.state_dict(), folder / "net.pt")
    columns = [f"p{i}" for i in range(64)]
    for name, part in (("train", slice(0, 100)), ("test", slice(100, 160))):
        frame = pd.DataFrame(X[part], columns=columns)
        frame.assign(kind=WORDS[y[part]]).to_csv(folder / f"{name}.csv", index=False)
        np.savez(folder / f"{name}.npz", x=X[part], y=y[part])
    shuffled = pd.read_csv(folder / "test.csv")
    shuffled[["kind", *columns[::-1]]].to_csv(folder / "turned.csv", index=False)
    np.save(folder / "pictures.npy", X[:20].reshape(-1, 1, 8, 8))
    (folder / "cli_trained_models.py").write_text(textwrap.dedent(MODELS))
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Run a command line in the user's folder, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])
    sys.modules.pop("cli_trained_models", None)


NET = ("--model", "cli_trained_models:told")
TRACED = ("influence", *NET, "--data", "train.csv", "--label", "kind", "--query", "test.csv")
FITTED = ("--l2", PENALTY)


def document(result: Any) -> dict[str, Any]:
    assert result.exit_code == 0 and result.stderr == "", result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def failed(result: Any, code: int, said: str) -> None:
    assert result.exit_code == code, result.output
    assert said in " ".join(result.stderr.split())


def held(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


def expected(folder: Path, rows: list[int], method: Any, **more: Any) -> pc.Influence:
    """What the library says of the same rows."""
    net = nn.Linear(64, 3).double()
    net.load_state_dict(torch.load(folder / "net.pt", weights_only=True))
    train, test = (held(folder / f"{name}.npz") for name in ("train", "test"))
    return pc.influence(net, (train["x"], train["y"]), (test["x"][rows], test["y"][rows]), method, **more)


# influence


def test_influence_prints_who_helps_and_who_harms_and_keeps_the_record(run, folder: Path):
    result = run(*TRACED, *FITTED, "--rows", "7,2", "--top", 3, "--out", "traced.npz", "--plot", "traced.png")
    assert result.exit_code == 0 and result.stderr == "", result.output
    record, lines = pc.load(folder / "traced.npz"), [line.split() for line in result.stdout.splitlines()]
    assert record.method == pc.InfluenceFunctions(l2=PENALTY) and record.scores.shape == (2, 100)
    labels = pd.read_csv(folder / "train.csv")["kind"]
    for i, row in enumerate((7, 2)):
        begins = lines.index(["row", str(row), "label", pd.read_csv(folder / "test.csv")["kind"][row]])
        assert lines[begins + 1] == ["loss", f"{record.losses[i]:.4g}"]
        shown = [line for line in lines[begins : begins + 12] if line and line[-1] in ("helps", "harms")][:6]
        helped = [[str(j), labels[j], f"{s:+.3g}", "helps"] for j, s in record.proponents(3, i)]
        harmed = [[str(j), labels[j], f"{s:+.3g}", "harms"] for j, s in record.opponents(3, i)]
        assert shown == helped + harmed
    text = " ".join(result.stdout.split())
    alone = ", ".join(map(str, np.argsort(-record.self_influence)[:3]))
    assert f"rows {alone}: no other row teaches what they say" in text and "0 nought, 1 one, 2 pair" in text
    assert (folder / "traced.png").read_bytes().startswith(b"\x89PNG")
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_influence_as_json_is_what_the_library_gives(run, folder: Path):
    told = document(run(*TRACED, *FITTED, "--rows", "0:2", "--top", 1, "--json"))
    record = expected(folder, [0, 1], pc.InfluenceFunctions(l2=PENALTY))
    np.testing.assert_allclose(told["scores"], record.scores, rtol=1e-9)
    assert told["rows"] == [0, 1] and told["classes"] == list(WORDS) and told["labels"][0] in WORDS
    first = told["strongest"][1]
    assert [one["row"] for one in first] == [record.proponents(1, 1)[0][0], record.opponents(1, 1)[0][0]]
    assert first[0]["label"] == pd.read_csv(folder / "train.csv")["kind"][first[0]["row"]]


def test_influence_of_arrays_with_numbers_for_labels_and_of_columns_in_another_order(run, folder: Path):
    arrays = ("influence", *NET, "--data", "train.npz", "--label", "y", "--query", "test.npz")
    told = document(run(*arrays, *FITTED, "--rows", "0:2", "--json"))
    turned = document(run(*TRACED[:-1], "turned.csv", *FITTED, "--rows", "0:2", "--json"))
    assert told["scores"] == turned["scores"] and told["classes"] is None


def test_influence_of_the_training_rows_themselves(run):
    told = document(run(*TRACED[:-2], *FITTED, "--rows", "5", "--json"))
    assert told["strongest"][0][0]["row"] == 5  # a wrong label rests on its own row


def test_no_row_is_shown_on_both_sides(run):
    first = document(run(*TRACED, *FITTED, "--rows", "0", "--top", 100, "--json"))["strongest"][0]
    rows = [one["row"] for one in first]
    assert len(rows) == len(set(rows)) <= 100 and {one["score"] > 0 for one in first} == {True, False}


def test_influence_through_checkpoints_factors_and_another_loss(run, folder: Path):
    told = document(run(*TRACED, "--method", "TracIn", "--checkpoints", "run", "--rows", "0", "--json"))
    record = expected(folder, [0], pc.TracIn(), checkpoints=folder / "run")
    np.testing.assert_allclose(told["scores"], record.scores, rtol=1e-9)
    asked = (*TRACED, "--method", "EKFAC", "--rows", "0", "--factors", "kept.npz", "--json")
    assert document(run(*asked))["scores"] == document(run(*asked))["scores"]
    assert (folder / "kept.npz").exists()
    squared = (
        "influence",
        "--model",
        "cli_trained_models:number",
        "--data",
        "train.npz",
        "--label",
        "y",
        "--damping",
        1,
    )
    told = document(run(*squared, "--task", "SquaredError", "--rows", "0", "--json"))
    assert told["receipt"]["target"] == "SquaredError()"


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (TRACED[:-4], 2, "Missing option '--label'"),
        ((*TRACED, "--method", "TracIn"), 1, "give checkpoints="),
        ((*TRACED, "--method", "LIME"), 1, "does not trace training data"),
        ((*TRACED, "--factors", "f.npz"), 1, "no factors to keep"),
        ((*TRACED[:-1], "pictures.npy"), 1, "no array 'kind'"),
        ((*TRACED[:-1], "test.npz"), 1, "no array 'kind'"),
        (("influence", *NET, "--data", "test.csv", "--label", "p0", "--query", "train.csv"), 1, "holds no numbers"),
        ((*TRACED, "--rows", "60"), 1, "no row 60"),
    ],
)
def test_influence_says_what_is_wrong(run, args: tuple[str, ...], code: int, said: str):
    failed(run(*args), code, said)


def test_a_query_without_a_column_of_the_training_rows(run, folder: Path):
    pd.read_csv(folder / "test.csv").drop(columns="p7").to_csv(folder / "short.csv", index=False)
    failed(run(*TRACED[:-1], "short.csv"), 1, "short.csv has no column 'p7', which the training rows have")


def test_words_become_places_among_the_sorted_words():
    train, query = np.array(["b", "a", "c"], dtype=object), np.array(["c", "a"], dtype=object)
    lots, names = as_classes(train, train, query)
    assert [lot.tolist() for lot in lots] == [[1, 0, 2], [2, 0]] and names == ["a", "b", "c"]
    assert as_classes(np.array([1, 2]), np.array([2]))[1] is None
    with pytest.raises(pc.InputError, match="no training row has the label 'd'"):
        as_classes(train, np.array(["d"], dtype=object))


# hardest

HARD = ("hardest", *NET, "--data", "test.npz")


def test_hardest_ranks_rows_and_checks_the_ranking_against_the_labels(run, folder: Path):
    result = run(*HARD, "--label", "y", "--rows", "10:60", "--top", 4, "--out", "hard.npz", "--plot", "hard.png")
    assert result.exit_code == 0 and result.stderr == "", result.output
    record, text = pc.load(folder / "hard.npz"), " ".join(result.stdout.split())
    y = held(folder / "test.npz")["y"]
    lines = [line.split() for line in result.stdout.splitlines()]
    for row, score in record.top(4):
        wrong = ["wrong"] * bool(record.wrong[row])
        assert [str(row + 10), f"{score:.4g}", str(record.predicted[row]), str(y[row + 10]), *wrong] in lines
    assert f"{int(record.wrong.sum())} of 50 rows" in text
    assert f"{record.auroc()[0]:.1%} of pairs" in text and f"{record.found(0.1):.0%} of the errors" in text
    assert (folder / "hard.png").read_bytes().startswith(b"\x89PNG")
    assert not {"label", "errors", "wrong"} & set(run(*HARD).stdout.split())


def test_hardest_as_json_with_rows_that_are_left_out_as_background(run, folder: Path):
    told = document(
        run(*HARD, "--label", "y", "--rows", "0:20", "--method", "FarFromPrototypes", "--prototypes", 9, "--json")
    )
    rows = held(folder / "test.npz")
    net = nn.Linear(64, 3).double()
    net.load_state_dict(torch.load(folder / "net.pt", weights_only=True))
    made = pc.hardest(net, rows["x"][:20], pc.FarFromPrototypes(9), y=rows["y"][:20], background=rows["x"][20:])
    np.testing.assert_allclose(told["scores"], made.scores)
    assert (
        told["order"] == made.order.tolist()
        and told["rows"] == list(range(20))
        and told["wrong"] == made.wrong.tolist()
    )


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((*HARD, "--method", "FarFromPrototypes"), "needs background="),
        ((*HARD, "--method", "TracIn"), "finds no hard rows"),
        (("hardest", *NET, "--data", "test.csv", "--label", "kind"), "the model numbers its classes"),
    ],
)
def test_hardest_says_what_is_wrong(run, args: tuple[str, ...], said: str):
    failed(run(*args), 1, said)


# label-errors and relabel


def test_label_errors_rank_the_planted_ones_first_and_a_table_is_mended(run, folder: Path):
    frame = pd.read_csv(folder / "train.csv")
    truth = frame["kind"].copy()
    for row in (5, 20, 40):  # each was moved on by one word
        truth[row] = WORDS[(list(WORDS).index(truth[row]) - 1) % 3]
    frame.assign(right=truth).to_csv(folder / "checked.csv", index=False)
    asked = ("label-errors", *NET, "--data", "checked.csv", "--label", "kind", "--truth", "right", "--top", 4)
    result = run(*asked, "--page", "labels.html", "--out", "labels.npz", "--plot", "labels.png")
    assert result.exit_code == 0 and result.stderr == "", result.output
    record, text = pc.load(folder / "labels.npz"), " ".join(result.stdout.split())
    assert set(record.order[:3]) == {5, 20, 40} and record.wrong.sum() == 3
    assert "3, of which 100% are in the first quarter" in text and "3: 100% are wrong" in text
    assert [line.split()[0] for line in result.stdout.splitlines() if re.match(r" *\d.*wrong $", line)] == list(
        map(str, record.order[:3])
    )
    assert f"Row {record.order[0]}: “" in (folder / "labels.html").read_text(encoding="utf-8")
    assert (folder / "labels.png").read_bytes().startswith(b"\x89PNG")
    assert record.classes == tuple(WORDS) and record.labels.tolist() == frame["kind"].tolist()
    mend(run, folder, frame, truth)


def mend(run, folder: Path, frame: pd.DataFrame, truth: pd.Series) -> None:
    lines = [f'5,"{frame["kind"][5]}",relabel,"{truth[5]}"', f'20,"{frame["kind"][20]}",drop,""']
    (folder / "decided.csv").write_text("\n".join(["row,was,decision,label", *lines]), encoding="utf-8")
    told = run("relabel", "--data", "train.csv", "--label", "kind", "--decisions", "decided.csv", "--out", "mended.csv")
    assert told.exit_code == 0 and "1 label changed, 1 row dropped: mended.csv" in told.stdout
    expected = frame.copy()
    expected.loc[5, "kind"] = truth[5]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "mended.csv"), expected.drop(index=20).reset_index(drop=True))
    failed(
        run("relabel", "--data", "test.csv", "--label", "kind", "--decisions", "decided.csv", "--out", "no.csv"),
        1,
        "on the page and is",
    )
    assert not (folder / "no.csv").exists()


def test_label_errors_by_influence_as_json(run, folder: Path):
    asked = ("label-errors", *NET, "--data", "train.npz", "--label", "y", "--method", "SelfInfluence", "--json")
    told = document(run(*asked, "--method-method", f"InfluenceFunctions(l2={PENALTY})"))
    own = expected(folder, [0], pc.InfluenceFunctions(l2=PENALTY)).self_influence
    np.testing.assert_allclose(told["scores"], own, rtol=1e-9)
    assert told["order"] == np.argsort(-own, kind="stable").tolist()
    through = document(run(*asked, "--method-method", "TracIn()", "--checkpoints", "run"))
    assert through["scores"] != told["scores"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("label-errors", *NET, "--data", "train.csv"), 2, "Missing option '--label'"),
        (
            ("label-errors", *NET, "--data", "train.csv", "--label", "kind", "--truth", "no"),
            1,
            "--truth: train.csv has no column",
        ),
        (
            ("label-errors", *NET, "--data", "train.csv", "--label", "kind", "--method", "LIME"),
            1,
            "finds no label errors",
        ),
        (("label-errors", *NET, "--data", "train.csv", "--label", "kind", "--page", "p.txt"), 2, "has to end in .html"),
        (
            ("label-errors", *NET, "--data", "two.csv", "--label", "kind"),
            1,
            "tells 3 classes and the label column holds 2 words",
        ),
        (
            ("relabel", "--data", "train.npz", "--label", "y", "--decisions", "x.json", "--out", "m.csv"),
            1,
            "train.npz is no table",
        ),
    ],
)
def test_label_errors_say_what_is_wrong(run, folder: Path, args: tuple[str, ...], code: int, said: str):
    frame = pd.read_csv(folder / "train.csv")
    frame[frame["kind"] != "one"].to_csv(folder / "two.csv", index=False)
    failed(run(*args), code, said)


# visualize

SEEN = ("visualize", "--model", "cli_trained_models:pictures")


def test_visualize_makes_pictures_like_real_ones_and_draws_them(run, folder: Path):
    asked = (*SEEN, "--unit", "1:2", "--like", "pictures.npy", "--images", 2, "--steps", 8)
    result = run(*asked, "--out", "unit.npz", "--plot", "unit.png")
    assert result.exit_code == 0 and result.stderr == "", result.output
    record, text = pc.load(folder / "unit.npz"), " ".join(result.stdout.split())
    assert record.unit == pc.Unit(channel=2, layer="1") and record.images.shape == (2, 1, 8, 8)
    for i in range(2):
        assert f"{i} {record.activations[i]:.4g} {record.curve[0, i]:.4g}" in text
    assert f"largest on real ones {record.natural:.4g}" in text
    assert (folder / "unit.png").read_bytes().startswith(b"\x89PNG")
    told = document(run(*SEEN, "--unit", 1, "--shape", "1,8,8", "--steps", 3, "--json"))
    assert np.shape(told["images"]) == (1, 1, 8, 8) and told["unit"]["channel"] == 1
    assert "largest on real ones" not in run(*SEEN, "--unit", 1, "--shape", "1,8,8", "--steps", 3).stdout


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (SEEN, 2, "Missing option '--unit'"),
        ((*SEEN, "--unit", "0:2:3"), 2, "'0:2:3' is no unit: write 3 for an output"),
        ((*SEEN, "--unit", "Unit()"), 2, "give a channel, or a direction"),
        ((*SEEN, "--unit", "9:1"), 1, "9"),
        ((*SEEN, "--unit", "1", "--steps", "0"), 2, "steps"),
    ],
)
def test_visualize_says_what_is_wrong(run, args: tuple[str, ...], code: int, said: str):
    failed(run(*args), code, said)


@pytest.mark.parametrize(
    ("text", "unit"),
    [("3", 3), ("a.b.0:12", "Unit(channel=12, layer='a.b.0')"), ("Unit(channel=1, place=(2, 3))", None)],
)
def test_units_as_they_are_written(text: str, unit: Any):
    from pellucid.cli.kinds import UnitType
    from pellucid.core.spelling import parse

    wanted = parse(text) if unit is None else parse(unit) if isinstance(unit, str) else unit
    assert UnitType().convert(text, None, None) == wanted


@pytest.mark.parametrize(
    "args", [["influence"], ["visualize"], ["hardest", "--method", "Disagreement"]], ids=lambda args: args[0]
)
def test_help_shows_the_fields_of_the_method(run, args: list[str]):
    shown = run(*args, "--help")
    assert shown.exit_code == 0 and "Options of " in shown.stdout
