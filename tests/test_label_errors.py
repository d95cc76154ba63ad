"""What influence is for: wrong labels, poisoned rows, the worth of a row, and a biased prediction led back to its rows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import nn

import pellucid as pc
import uses_of_influence as uses


def found_early(score, flipped, share):
    """The share of wrong labels among the first rows of a ranking, the highest score first."""
    first = np.argsort(-score, kind="stable")[: int(share * len(score))]
    return flipped[first].sum() / flipped.sum()


def flip(y, share, classes, seed=0):
    """Some labels changed to another class, and which."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, (y + rng.integers(1, classes, len(y))) % classes, y), wrong


def test_wrong_labels_are_found_first_among_digits():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300] / 16, y[:300]
    noisy, wrong = flip(y, 0.1, 10)
    model = uses.logistic(X, noisy, 0.01)
    made = pc.influence(model, (X, noisy), (X, noisy), pc.InfluenceFunctions(l2=0.01))
    own = found_early(made.self_influence, wrong, 0.25)
    by_loss = found_early(made.losses, wrong, 0.25)
    assert own > 0.9 and own > by_loss - 0.05
    precision = wrong[np.argsort(-made.self_influence)[: wrong.sum()]].mean()
    assert precision > 0.6  # of as many rows as there are wrong labels


@pytest.mark.realdata
def test_wrong_labels_among_film_reviews(data_dir):
    """rt-polarity with 10 % of the labels flipped: most are in the first quarter of the ranking, as by loss."""
    texts, y = uses.reviews(data_dir)
    X = TfidfVectorizer(min_df=3, sublinear_tf=True).fit_transform(texts).astype(np.float32)
    noisy, wrong = flip(y, 0.1, 2)
    fitted = LogisticRegression(max_iter=500).fit(X, noisy)
    model, side = nn.Sequential(nn.Linear(X.shape[1], 2)), fitted.coef_[0] / 2
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor(np.stack([-side, side])))
        model[0].bias.copy_(torch.tensor([-1.0, 1.0]) * float(fitted.intercept_[0]) / 2)
    rows = X.toarray()
    kept = [(model.state_dict(), 1.0)]
    made = pc.influence(model, (rows, noisy), (rows[:10], noisy[:10]), pc.TracIn(layer="0"), checkpoints=kept)
    loss = -np.log(fitted.predict_proba(X)[np.arange(len(y)), noisy])
    np.testing.assert_allclose(made.losses, loss[:10], atol=1e-4)
    own, by_loss = (found_early(score, wrong, 0.25) for score in (made.self_influence, loss))
    print(f"self-influence {own:.3f}, loss {by_loss:.3f}")
    assert own >= 0.6 and own >= by_loss - 0.05


def test_removing_what_helps_raises_the_loss_more_than_removing_at_random():
    """Ground truth by training again, paired over ten draws: the 15 rows of most worth of 300, as many at random, and of least."""
    rise = uses.worth()
    for better, worse in (("most", "chance"), ("chance", "least")):
        gained = rise[better] - rise[worse]
        assert gained.mean() > 3 * gained.std(ddof=1) / np.sqrt(10)
    assert (rise["most"] > rise["chance"]).all()
    most, chance, least = (rise[name].mean() for name in ("most", "chance", "least"))
    assert measured("worth of 300") == f"most worth {most:+.3f}, any {chance:+.3f}, least {least:+.3f}"


def measured(question):
    """What the page says was measured."""
    page = (Path(__file__).parents[1] / "docs" / "examples.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {question}")]
    return line.split(" | ")[1].rstrip(" |")


def test_poisoned_rows_are_the_strongest_proponents_of_what_they_were_planted_for():
    fooled, found = uses.poisoned_digits()
    assert fooled == 1.0 and found >= 0.95
    assert measured("20 poisoned") == f"{fooled:.0%} of victims fooled; {found:.0%} of the first 20 rows are planted"


@pytest.mark.realdata
def test_poisoned_reviews_are_found_and_gradients_alone_find_them_not(data_dir):
    told = uses.poisoned_reviews(data_dir)
    assert told["after"] > told["before"] + 0.5 and told["found"] >= 0.9 > 0.5 > told["alike"]
    said = measured("40 poisoned")
    assert f"{told['found']:.0%} of the first 40 rows are planted, by gradients alone {told['alike']:.0%}" in said
    assert f"{told['before']:.0%} with right labels, {told['after']:.0%} with these" in said


def test_a_biased_prediction_is_led_back_to_the_rows_that_made_it():
    """Loans of group B were refused whatever the income in a tenth of the rows; they speak for an unfair refusal."""
    told = uses.biased_loans()
    assert told["found"] > 0.9 and told["before"] < 0.5 < 0.9 < told["after"]
    said = f"chance of a loan {told['before']:.0%} with them, {told['after']:.0%} without"
    assert measured("an unfair refusal") == f"{told['found']:.0%} of as many first rows are biased; {said}"
