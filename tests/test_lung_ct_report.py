"""The page of results: what it says, what it must not load, and pictures by hand."""

import base64
import dataclasses
import html
import io
import re

import numpy as np
import pytest

from pellucid.core.errors import InputError
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import report
from pellucid.studies.lung_ct.benchmarking import PICTURES
from pellucid.studies.lung_ct.overlay import BLUE, OUTLINE, RED, overlay, painted

LINE = lung_ct.MethodLine(
    "Grad-CAM",
    "GradCAM(layer='layer3')",
    **{"patches": 6, "patients": 5, "nodules": 6, "seconds": 0.0123, "seconds_p95": 0.02, "forwards": 3.21},
    **{"peak_bytes": 4.5e6, "cosine": 0.9994, "cosine_low": 0.97, "cosine_high": 1.0, "centred_cosine": 0.7},
    **{"degenerate": 0.25, "degenerate_copies": 0.3, "deletion_ahead": 0.5, "deletion_ahead_low": 0.2},
    **{
        "insertion_ahead": 0.4,
        "insertion_ahead_low": 0.1,
        "pointing": 0.6,
        "pointing_low": 0.3,
        "pointing_chance": 0.05,
    },
    notes=("the map is coarser than the nodule: its cells are 8 mm wide",),
)
SLOW = lung_ct.MethodLine(
    "RISE (air)",
    "RISE(samples=9)",
    nodules=6,
    seconds=2.0,
    forwards=500.0,
    pointing=0.2,
    pointing_low=0.01,
    pointing_chance=0.05,
)
FAILED = lung_ct.MethodLine("LRP", "LRP()", failed="ModelError: no rule for <b>gelu</b> & more")
ABOUT = {
    **{"network": "abcdef0123456789", "kind": "narrow", "recipe": {"size": 8, "step": 1.0}, "split": "test"},
    **{"patches": 6, "patients": 5, "nodules": 6, "diameter_mm": 5.0, "target": "output 1", "judged": ["Stability()"]},
    **{"device": "a <device>", "versions": {"torch": "2"}},
}


def written(folder, *lines):
    lung_ct.Benchmark(ABOUT, lines).write(folder)
    maps = np.stack([np.full((8, 8), np.nan if line.failed else 0.5) for line in lines])
    np.savez(folder / PICTURES, patch=np.zeros((8, 8)), inside=np.eye(8, dtype=bool), maps=maps)
    return lung_ct.write_report(folder).read_text(encoding="utf-8")


def cells(page, name):
    """The cells of a method's lines in the tables, without markup"""
    rows = re.findall(rf'<tr><th scope="row">{re.escape(name)}</th>(.*?)</tr>', page)
    return [[re.sub(r"<[^>]+>|&nbsp;", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


def test_the_page_has_every_number_and_loads_nothing(tmp_path):
    page = written(tmp_path, LINE, SLOW, FAILED)
    cost, stays, lies, notes, published = cells(page, "Grad-CAM")
    assert cost[:2] == ["12.3", "20"] and cost[3] == "3.21" and cost[-1] == "4.5"
    assert stays[:2] == ["0.999 (0.97 to 1.000)", "0.70"] and stays[3:5] == ["25\u00a0%", "30\u00a0%"]
    assert stays[5].startswith("+0.5 (+0.2 to") and lies[:2] == ["60\u00a0% (30\u00a0% to –)", "5\u00a0%"]
    assert "8 mm wide" in notes[0] and published == ["85.1", "900", "1.000"]
    assert cells(page, "LRP") == [["failed: ModelError: no rule for &lt;b&gt;gelu&lt;/b&gt; &amp; more"]]
    assert "a &lt;device&gt;" in page and "<b>" not in page and "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page) and "default-src 'none'" in html.unescape(page)
    assert page.count("<figure>") == 3  # the patch, and two maps


def test_the_page_says_only_what_intervals_bear():
    said = report.sentences([LINE, SLOW, FAILED])
    assert said[0].startswith(
        "Grad-CAM takes 12.3 ms a patch, 3.21 times one forward pass; RISE (air) 2,000 ms, 500 times."
    )
    assert said[1].endswith("intervals considered: Grad-CAM.") and said[2].endswith("intervals considered: Grad-CAM.")
    assert "Grad-CAM (25\u00a0%)" in said[3] and said[4].endswith("in a cell: Grad-CAM.")
    only = report.sentences([dataclasses.replace(SLOW, nodules=0)])
    assert len(only) == 2 and only[1].endswith("none that can be told.")
    assert report.sentences([FAILED]) == ["No method has numbers."]


def test_predictions_have_a_page_of_their_own(tmp_path):
    with pytest.raises(InputError, match="no results"):
        lung_ct.write_report(tmp_path)
    (tmp_path / "assessment.json").write_text(
        '{"split": "test", "network": "0123456789abcdef", "patches": 8, "patients": 4, "nodules": 3, "auc": 0.875, '
        '"auc_interval": [0.5, 1.0], "brier": 0.1, "calibration_error": 0.2, "sensitivity": {"0.05": [0.5, 0.25, 0.75]}}'
    )
    page = lung_ct.write_report(tmp_path).read_text(encoding="utf-8")
    assert cells(page, "AUC") == [["0.88 (0.50 to 1.000)"]] and "Cost of one patch" not in page
    assert cells(page, "sensitivity at 5\u00a0% false positives") == [["0.50 (0.25 to 0.75)"]]
    assert "8 of 4 patients, 3 with a nodule, test split" in page and not list(tmp_path.glob("*.part"))


def test_numbers_for_people():
    assert [report.three(v) for v in (13914.6, 999.9, 0.01234, -2.0, np.nan)] == [
        "13,915",
        "1e+03",
        "0.0123",
        "−2",
        "–",
    ]
    assert [report.digits(v) for v in (0.9951, 0.5, -0.123, np.nan)] == ["0.995", "0.50", "−0.12", "–"]
    assert [report.signed(v) for v in (0.5, -0.012, np.inf)] == ["+0.5", "−0.012", "–"]


def test_what_raises_is_red_what_lowers_blue_and_the_readers_outline_is_around():
    patch, inside = np.full((4, 4), 0.0), np.zeros((4, 4), bool)
    values = np.zeros((4, 4))
    values[0, 0], values[3, 3], values[0, 3] = 1.0, -1.0, 0.25
    inside[1:3, 1:3] = True
    picture = painted(patch, values, inside)
    assert picture.shape == (192, 192, 3)
    np.testing.assert_allclose(picture[24, 24], RED)
    np.testing.assert_allclose(picture[-24, -24], BLUE)
    weight = 0.25**0.7
    np.testing.assert_allclose(picture[24, -24], weight * RED + (1 - weight) * 0.5)
    np.testing.assert_allclose(picture[24, 72], 0.5)
    yellow = (picture == OUTLINE).all(2)
    assert (
        yellow[48, 48:144].all()
        and yellow[143, 48:144].all()
        and yellow[48:144, 48].all()
        and yellow[48:144, 143].all()
    )
    assert yellow.sum() == (4 * 96 - 4) + (4 * 94 - 4)
    edge = painted(patch, values, np.ones((4, 4), bool))
    assert (edge[:2] == OUTLINE).all() and not (edge[2, 2] == OUTLINE).all()
    data = base64.b64decode(overlay(patch, values, inside).partition("base64,")[2])
    from matplotlib.pyplot import imread

    np.testing.assert_allclose(imread(io.BytesIO(data))[..., :3], picture, atol=1 / 255)
