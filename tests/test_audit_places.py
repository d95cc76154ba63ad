"""An audit that is told where the answer lies: shares by hand, what is held to a mask, the warning, the page, and bad masks."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import pellucid as pc
from pellucid.cli.app import app
from pellucid.report.gate import gate
from pellucid.report.places import held_to, of_rows
from pellucid.report.subject import subject

NEAR, FAR = slice(0, 2), slice(3, 5)


def looks_at(*box):
    """Says how bright a box is: the second class if it is brighter than a half."""

    def model(x):
        score = np.asarray(x, float)[(slice(None), *box)].reshape(len(x), -1).mean(axis=1) - 0.5
        return np.stack([-score, score], axis=1)

    return model


CORNER, ELSEWHERE = looks_at(NEAR, NEAR, NEAR), looks_at(FAR, FAR, FAR)


def volumes(n=6, shape=(5, 5, 5), seed=0):
    """Every other volume bright in both places; the masks say that the answer lies in the corner."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 2
    x, masks = rng.uniform(0, 0.3, (n, *shape)), np.zeros((n, *shape), bool)
    for i in np.flatnonzero(y):
        x[(i, *[NEAR] * len(shape))] += 0.7
        x[(i, *[FAR] * len(shape))] += 0.7
        masks[(i, *[NEAR] * len(shape))] = True
    return x, y, masks


def audited(model, x, y, masks, **options):
    method = [pc.Occlusion(window=2, baseline=0.0)]
    return pc.audit(model, x, y, where=masks, methods=method, classes=["dark", "bright"], rows=len(x), **options)


def line(made, metric):
    return next(one for one in made.comparison.scorecards[0].lines if one.metric == metric)


def test_maps_of_a_model_that_looks_there_lie_inside(tmp_path):
    x, y, masks = volumes()
    made = audited(CORNER, x, y, masks, out=tmp_path)
    shown = [one["row"] for one in made.rows]
    marked = [row for row in shown if y[row]]
    assert line(made, "Localization").rows == len(marked) >= 2
    assert line(made, "Localization").mean == pytest.approx(1) and line(made, "PointingGame").mean == 1
    assert line(made, "Localization").chance == pytest.approx(8 / 125)
    assert "misplaced" not in {warned["code"] for warned in made.warnings}
    page = (tmp_path / "audit.html").read_text()
    assert "share inside" in page and "inside the known place" in page and page.count("100 %") >= len(marked)
    assert gate([made], ["misplaced"]).passed


def test_a_model_that_looks_elsewhere_is_told_of():
    x, y, masks = volumes()
    made = audited(ELSEWHERE, x, y, masks)
    (warned,) = [one for one in made.warnings if one["code"] == "misplaced"]
    assert "Occlusion does not point to where the answer is known to lie" in warned["headline"]
    assert "0 % of what Occlusion shows lies inside" in warned["sentence"] and "6 % if it were" in warned["sentence"]
    assert gate([made], ["misplaced"]).exit_code == 3


def test_a_channel_of_the_masks_is_taken_off():
    x, y, masks = volumes()
    made = subject(lambda v: CORNER(v[:, 0]), x[:, None], y, None, None)
    assert made.space == (1, 5, 5, 5)  # a function's channels are not known: masks have its shape
    np.testing.assert_array_equal(of_rows(made, masks[:, None])[:, 0], masks)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(125, 2))
    known = subject(net, x[:, None], y, None, None)
    np.testing.assert_array_equal(of_rows(known, masks[:, None]), masks)
    np.testing.assert_array_equal(of_rows(known, masks), masks)


def test_a_mask_is_not_held_against_a_wrong_answer():
    x, y, masks = volumes()
    y[1] = 0  # called bright, said to be dark: its mask is of something else
    known = subject(CORNER, x, y, None, None)
    held = held_to(known, of_rows(known, masks), [0, 1, 3])
    assert not held[0].any() and not held[1].any() and held[2].sum() == 8
    unknown = subject(CORNER, x, None, None, None)
    assert held_to(unknown, of_rows(unknown, masks), [1]).sum() == 8  # nobody says that it is wrong


def test_without_a_place_to_hold_to_it_is_left_out():
    x, y, masks = volumes()
    made = audited(CORNER, x, y, np.zeros_like(masks))
    assert any(one["part"] == "localisation of Occlusion" for one in made.left_out)
    assert gate([made], ["misplaced"]).exit_code == 4
    plain = pc.audit(CORNER, x, y, methods=["Occlusion(window=2)"], rows=1)
    assert not any("localisation" in one["part"] for one in plain.left_out)


def test_other_masks_are_another_audit(tmp_path):
    x, y, masks = volumes(4)
    audited(CORNER, x, y, masks, out=tmp_path)
    again = audited(CORNER, x, y, masks, out=tmp_path, resume=True)
    assert again.resumed["parts"] and line(again, "Localization").mean == pytest.approx(1)
    other = audited(CORNER, x, y, masks[:, ::-1, ::-1, ::-1], out=tmp_path, resume=True)
    assert not other.resumed["parts"] and line(other, "Localization").mean == pytest.approx(0)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(lambda m: m[:3], "expected masks"), (lambda m: m[:, :4], "expected masks"), (lambda m: 3 * m, "no mask")],
)
def test_bad_masks_are_refused(spoil, says):
    x, y, masks = volumes()
    with pytest.raises(pc.InputError, match=says):
        audited(CORNER, x, y, spoil(masks.astype(int)))
    with pytest.raises(pc.InputError, match="rows that have space"):
        pc.audit(lambda t: t[:, :2], x[:, 0, 0], y, where=masks[:, 0, 0])


def test_by_the_command(tmp_path, monkeypatch):
    x, y, masks = volumes()
    np.savez(tmp_path / "rows.npz", x=x, y=y)
    np.save(tmp_path / "masks.npy", masks)
    (tmp_path / "bright.py").write_text(
        "import numpy as np\n\ndef build():\n    def model(x):\n        s = x[:, :2, :2, :2].mean((1, 2, 3)) - 0.5\n"
        "        return np.stack([-s, s], axis=1)\n    return model\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    given = ["audit", "--model", "bright:build", "--data", "rows.npz", "--label", "y", "--where", "masks.npy"]
    done = CliRunner().invoke(app, [*given, "--method", "Occlusion(window=2)", "--rows", "6", "--json"])
    assert done.exit_code == 0, done.output
    card = pc.load(tmp_path / "audit" / json.loads(done.stdout)["models"][0]["records"]["Occlusion scorecard"])
    assert next(one.mean for one in card.lines if one.metric == "Localization") == pytest.approx(1)
