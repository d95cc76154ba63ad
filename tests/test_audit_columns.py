"""A column that decides alone: its share against a closed form, leaks that are found, honest tables left in peace."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from pellucid.report import columns, demo
from pellucid.report.columns import ColumnSearch, applies, search
from pellucid.report.subject import subject


def suspected(test):
    return [test.names[j] for j in np.flatnonzero(test.suspicious)]


def leaking(seed=0):
    """The breast-cancer table with a column that holds the answer, and a model that was trained on it."""
    split = demo.tumours(seed)
    frames = []
    for rows, answers in (split.train, split.test):
        noise = np.random.default_rng(len(answers)).normal(0, 0.1, len(answers))
        frames.append((rows.assign(case_number=(answers == "malignant") + noise), answers))
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(*frames[0])
    return model, frames[1]


def test_in_a_linear_regression_a_column_s_share_is_its_share_of_the_variance():
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(500, 4)))[0]  # columns of equal size that do not go together
    weights = np.array([2.0, 1.0, -1.0, 0.0])
    made = subject(lambda batch: batch @ weights, x, x @ weights, None, None)
    assert made.task == "regression"
    test = search(made, ColumnSearch(repeats=20))
    np.testing.assert_allclose(test.share[:, 0], [4 / 6, 1 / 6, 1 / 6, 0], atol=0.02)
    assert (test.share[:, 1] < test.share[:, 0]).all() and (test.share[:, 2] > test.share[:, 0]).all()


def test_shares_of_an_additive_model_sum_to_one():
    x = np.random.default_rng(1).normal(size=(800, 3))
    test = search(subject(lambda b: np.sin(b).sum(axis=1), x, None, None, None), ColumnSearch(repeats=10))
    assert test.share[:, 0].sum() == pytest.approx(1, abs=0.05)


def test_blocks_of_columns_change_nothing(monkeypatch):
    x = np.random.default_rng(2).normal(size=(60, 5))
    made = subject(lambda b: np.stack([b[:, 0] * b[:, 1], b[:, 2]], axis=1), x, None, None, None)
    whole = search(made).share
    monkeypatch.setattr(columns, "_CELLS", 1)
    np.testing.assert_allclose(search(made).share, whole, rtol=1e-12)


@pytest.mark.parametrize("told", [True, False])
def test_a_leak_is_found_with_and_without_true_answers(told):
    model, (rows, answers) = leaking()
    test = search(subject(model, rows, answers if told else None, None, None))
    assert suspected(test) == ["case_number"]
    assert test.of_truth == told and test.share[-1, 0] > 0.9


def test_the_plain_table_is_left_in_peace():
    split = demo.tumours()
    for told in (split.test[1], None):
        test = search(subject(demo.boosted(split), split.test[0], told, None, None))
        assert suspected(test) == [] and test.share[:, 0].max() < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_leaks_and_peace_whatever_the_seed(seed):
    model, test = leaking(seed)
    assert suspected(search(subject(model, *test, None, None))) == ["case_number"]
    split = demo.tumours(seed)
    forest = RandomForestClassifier(50, random_state=seed).fit(*split.train)
    assert suspected(search(subject(forest, *split.test, None, None))) == []


def test_a_model_without_skill_has_no_shares():
    """There is nothing to share out where answers are no better than dealt out at random."""
    x = np.random.default_rng(3).normal(size=(50, 3))
    made = subject(lambda b: np.stack([b[:, 0], -b[:, 0]], axis=1), x, (x[:, 0] > 0).astype(int), None, None)
    test = search(made)
    assert test.quality < test.chance and np.isnan(test.share).all() and not test.suspicious.any()


def test_the_test_says_when_it_does_not_apply():
    few = subject(lambda b: b.sum(axis=1), np.ones((5, 4)), None, None, None)
    narrow = subject(lambda b: b.sum(axis=1), np.ones((50, 2)), None, None, None)
    assert "20 rows" in applies(few) and "3 columns" in applies(narrow)


def test_frames_keep_their_names_and_levels():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"kind": rng.choice(["a", "b"], 200), "size": rng.normal(size=200), "noise": rng.normal(size=200)}
    )
    said = lambda rows: (rows["kind"] == "a").to_numpy().astype(float)  # noqa: E731
    test = search(subject(said, frame, None, None, None))
    assert test.names == ("kind", "size", "noise")
    np.testing.assert_allclose(test.share[:, 0], [1, 0, 0], atol=0.02)
    assert suspected(test) == ["kind"]
