"""What influence is for: wrong labels, poisoned rows, the worth of a row, and a biased prediction led back to its rows."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import nn

import pellucid as pc


def logistic(X, y, l2):
    """A softmax regression, trained to the end, as a network; the penalty is on all parameters."""
    A, classes = np.hstack([X, np.ones((len(X), 1))]), len(np.unique(y))
    fitted = LogisticRegression(C=1 / (l2 * len(X)), fit_intercept=False, tol=1e-8, max_iter=2000).fit(A, y)
    theta = fitted.coef_ if classes > 2 else np.vstack([-fitted.coef_ / 2, fitted.coef_ / 2])
    made = nn.Linear(X.shape[1], classes).double()
    with torch.no_grad():
        made.weight.copy_(torch.tensor(theta[:, :-1]))
        made.bias.copy_(torch.tensor(theta[:, -1]))
    return made


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
    model = logistic(X, noisy, 0.01)
    made = pc.influence(model, (X, noisy), (X, noisy), pc.InfluenceFunctions(l2=0.01))
    own = found_early(made.self_influence, wrong, 0.25)
    by_loss = found_early(made.losses, wrong, 0.25)
    assert own > 0.9 and own > by_loss - 0.05
    precision = wrong[np.argsort(-made.self_influence)[: wrong.sum()]].mean()
    assert precision > 0.6  # of as many rows as there are wrong labels


@pytest.mark.realdata
def test_wrong_labels_among_film_reviews(data_dir):
    """rt-polarity with 10 % of the labels flipped: most are in the first quarter of the ranking, as by loss."""
    texts, y = reviews(data_dir)
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


def reviews(folder):
    """The texts of rt-polarity and 1 where the review is positive."""
    files = sorted(folder.glob("text/**/rt-polarity.*"))
    told = {path.suffix[1:]: path.read_text(encoding="latin-1").splitlines() for path in files}
    return told["neg"] + told["pos"], np.repeat([0, 1], [len(told["neg"]), len(told["pos"])])


def test_removing_what_helps_raises_the_loss_more_than_removing_at_random():
    """Ground truth by training again, paired over ten splits: the 15 most helpful of 300 rows, against as many at random."""
    X, y = load_digits(return_X_y=True)
    gained = []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(y))
        rows, asked = order[:300], order[300:350]
        data, query = (X[rows] / 16, y[rows]), (X[asked] / 16, y[asked])
        made = pc.influence(logistic(*data, 0.01), data, query, pc.InfluenceFunctions(l2=0.01))

        def loss_without(gone, data=data, query=query):
            kept = np.setdiff1d(np.arange(300), gone)
            model = logistic(data[0][kept], data[1][kept], 0.01)
            told = model(torch.tensor(query[0]))
            return float(nn.functional.cross_entropy(told, torch.tensor(query[1])).detach())

        helpful = np.argsort(-made.helpful)[:15]
        chance = np.random.default_rng(100 + seed).choice(300, 15, replace=False)
        gained.append(loss_without(helpful) - loss_without(chance))
    gained = np.array(gained)
    assert (gained > 0).all()
    assert gained.mean() > 3 * gained.std(ddof=1) / np.sqrt(10)


def test_poisoned_rows_are_the_strongest_proponents_of_what_they_were_planted_for():
    """20 ones with a bright corner are labelled seven; a one with that corner is then called a seven because of them."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:700] / 16, y[:700].copy()
    ones = np.flatnonzero(y == 1)
    poisoned, victim = ones[:20], ones[20:25]
    for rows in (poisoned, victim):
        X[rows, 0] = X[rows, 7] = 1.0
    y[poisoned] = 7
    kept = np.setdiff1d(np.arange(700), victim)
    model = logistic(X[kept], y[kept], 0.01)
    assert (model(torch.tensor(X[victim])).argmax(dim=1) == 7).all()
    made = pc.influence(model, (X[kept], y[kept]), (X[victim], np.full(5, 7)), pc.InfluenceFunctions(l2=0.01))
    first = kept[np.argsort(-made.helpful)[:20]]
    assert np.isin(first, poisoned).mean() >= 0.95


def test_a_biased_prediction_is_led_back_to_the_rows_that_made_it():
    """Loans of group B were refused whatever the income in a tenth of the rows; they speak for an unfair refusal."""
    rng = np.random.default_rng(0)
    income, group = rng.normal(size=600), rng.integers(0, 2, 600)
    y = (income + 0.3 * rng.normal(size=600) > 0).astype(int)
    biased = (group == 1) & (income > 0.3) & (rng.random(600) < 0.6)
    y[biased] = 0
    X = np.stack([income, group, income * group], axis=1)
    model = logistic(X, y, 1e-3)
    refused = np.array([[0.8, 1, 0.8]])  # earns well, is of group B
    made = pc.influence(model, (X, y), (refused, np.array([0])), pc.InfluenceFunctions(l2=1e-3))
    first = np.argsort(-made.scores[0])[: biased.sum()]
    assert biased[first].mean() > 0.9
