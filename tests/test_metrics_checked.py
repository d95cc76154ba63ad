"""The metrics are checked themselves: where the truth is known, each puts it above corrupted copies of it in 95 % of draws."""

import dataclasses
import importlib.util
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

import pellucid as pc
from contract.metric_cases import CHECKED, EXCUSED
from pellucid.core import registry
from pellucid.metrics import checked
from pellucid.metrics.checked import COLUMNS, CORRUPTIONS, ROWS, WORLDS, rates

DOCS = Path(__file__).parents[1] / "docs"


def test_every_metric_is_checked_or_says_why_not():
    """A new metric takes a line in CHECKED or in EXCUSED of tests/contract/metric_cases.py."""
    assert set(CHECKED) | set(EXCUSED) == set(registry.METRICS) and not set(CHECKED) & set(EXCUSED)
    for name, check in CHECKED.items():
        assert type(check.metric).__name__ == type(check.quick).__name__ == name
        assert set(check.metric.card.blind) <= {*WORLDS, *CORRUPTIONS}


@pytest.mark.parametrize("draws", [8, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", list(CHECKED))
def test_the_truth_beats_corrupted_copies_of_it(name, draws):
    check, blind = CHECKED[name], set(CHECKED[name].metric.card.blind)
    seen: set[str] = set()
    for world in check.worlds:
        for corruption, rate in rates(check.quick, world, draws, told=check.told).items():
            if rate < 0.95:
                assert {world, corruption} & blind, (world, corruption, rate)
                seen |= {world, corruption} & blind
    assert seen == blind  # nothing is excused that needs no excuse


# -- the worlds --------------------------------------------------------------------------------------------------------


def shapley(scene, row):
    """By coalitions of all columns, plainly: v(S) is the mean over the background of x_S beside b_rest."""
    from math import comb

    def v(members):
        z = scene.background.copy()
        z[:, members] = scene.x[row, members]
        return scene.model(z).mean()

    p, values = COLUMNS, np.zeros(COLUMNS)
    for j in range(p):
        others = [k for k in range(p) if k != j]
        for size in range(p):
            for some in itertools.combinations(others, size):
                values[j] += (v([*some, j]) - v(list(some))) / (p * comb(p - 1, size))
    return values


@pytest.mark.parametrize("world", ["linear", "additive", "rule"])
def test_the_truth_of_a_table_is_its_shapley_values(world):
    scene = WORLDS[world](np.random.default_rng(3))
    for row in (0, 1):
        np.testing.assert_allclose(scene.truth[row], shapley(scene, row), atol=1e-12)
    np.testing.assert_allclose(scene.truth.sum(axis=1), scene.model(scene.x) - scene.base, atol=1e-12)


def test_the_rules_of_the_rows_are_fulfilled_by_different_columns():
    scene = WORLDS["rule"](np.random.default_rng(0))
    assert (scene.model(scene.x) == 1).all() and 0 < scene.base < 0.5
    assert ((scene.truth > 0.1).sum(axis=1) == 2).all()
    assert ((scene.truth[0] > 0.1) != (scene.truth[1] > 0.1)).any()


@pytest.mark.parametrize("world", ["patch", "edges"])
def test_the_truth_of_a_picture_decides_the_score(world):
    scene = WORLDS[world](np.random.default_rng(0))
    ground = scene.x[scene.truth == 0].mean()
    gone = scene.model(np.where(scene.truth > 0, ground, scene.x))
    alone = scene.model(np.where(scene.truth > 0, scene.x, ground))
    score = scene.model(scene.x)
    assert (gone < 0.8 * score).all() and (np.abs(alone - score) < 0.1 * score).all()


def test_corruptions_do_what_they_are_called():
    values, rng = np.random.default_rng(0).normal(size=(ROWS, 3, 4)), np.random.default_rng(1)
    made = {name: corrupt(values, rng) for name, corrupt in CORRUPTIONS.items()}
    assert all(one.shape == values.shape and (one != values).any() for one in made.values())
    flat = {name: one.reshape(ROWS, -1) for name, one in made.items()}
    np.testing.assert_array_equal(np.sort(flat["swapped"]), np.sort(values.reshape(ROWS, -1)))
    np.testing.assert_array_equal(made["flipped"], -values)
    np.testing.assert_array_equal(made["another row's"][0], values[-1])
    assert np.corrcoef(flat["noise"].ravel(), values.ravel())[0, 1] == pytest.approx(1 / np.sqrt(5), abs=0.15)
    assert abs(np.corrcoef(flat["invented"].ravel(), values.ravel())[0, 1]) < 0.25


def test_equal_but_for_rounding_is_not_told_apart(monkeypatch):
    answers = itertools.cycle([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3, 0.3])
    monkeypatch.setattr(checked, "quality", lambda *given: next(answers))
    assert set(rates(pc.Deletion(), "linear", draws=2).values()) == {0.0}


# -- the known failure -------------------------------------------------------------------------------------------------


def test_a_fill_that_was_never_seen_fools_deletion_and_a_painted_one_does_not():
    """The figures on Deletion's card; also what the truth of `edges` owes to the fill."""
    found = {
        fill: rates(pc.Deletion(fill=fill, steps=6, randoms=1), "edges", draws=2)
        for fill in ("zeros", None, pc.NoisyLinear())
    }
    assert found[None]["noise"] == found["zeros"]["noise"] == 0
    assert set(found[pc.NoisyLinear()].values()) == {1.0}
    assert "in 100 % of draws, by default or with zeros, and in 0 % with NoisyLinear()" in pc.Deletion.card.weaknesses


def test_the_page_tells_what_its_script_measures(monkeypatch, tmp_path):
    spec = importlib.util.spec_from_file_location("metrics_checked", DOCS / "figures" / "metrics_checked.py")
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "metrics_checked", script)
    spec.loader.exec_module(script)
    page = (DOCS / "metrics_checked.md").read_text(encoding="utf-8")
    few = {"Completeness": dataclasses.replace(CHECKED["Completeness"], worlds=("linear",))}
    lines = script.table(script.measure(few, draws=4)).splitlines()
    assert lines[0] in page and "| swapped 0 % |" in lines[2]
    assert all(f"| `{name}` |" in page for name in CHECKED)
    assert all(f"| `{name}` | {why} |" in page for name, why in EXCUSED.items())
    script.draw(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000 and (DOCS / "images" / "metrics_checked.png").is_file()
