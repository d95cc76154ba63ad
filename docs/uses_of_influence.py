"""What influence is for: the worth of training rows, poisoned rows found, a biased answer led back to the rows that made it.

    python docs/uses_of_influence.py

prints the numbers of the part "Uses, end to end" of `docs/examples.md`. With `PELLUCID_DATA` the reviews are film reviews.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import nn

import pellucid as pc

L2 = 0.01
TRIGGER = "biscuit"


def logistic(X: np.ndarray, y: np.ndarray, l2: float) -> nn.Linear:
    """A softmax regression, trained to the end, as a network; the penalty is on all parameters."""
    A, classes = np.hstack([X, np.ones((len(X), 1))]), len(np.unique(y))
    fitted = LogisticRegression(C=1 / (l2 * len(X)), fit_intercept=False, tol=1e-8, max_iter=2000).fit(A, y)
    # of two classes one column is fitted: halved, the penalty on two would be half as large
    theta = fitted.coef_ if classes > 2 else np.vstack([-fitted.coef_ / 2, fitted.coef_ / 2])
    made = nn.Linear(X.shape[1], classes).double()
    with torch.no_grad():
        made.weight.copy_(torch.tensor(theta[:, :-1]))
        made.bias.copy_(torch.tensor(theta[:, -1]))
    return made


def loss(model: nn.Module, X: np.ndarray, y: np.ndarray) -> float:
    with torch.no_grad():
        return float(nn.functional.cross_entropy(model(torch.tensor(X)), torch.tensor(y)))


def worth(seeds: int = 10, rows: int = 300, gone: int = 15) -> dict[str, np.ndarray]:
    """(seeds,) by how much the loss on 50 other digits rises when some rows are left out: those of most worth, least, or any."""
    X, y = load_digits(return_X_y=True)
    rise: dict[str, list[float]] = {"most": [], "chance": [], "least": []}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(y))
        train, asked = order[:rows], order[rows : rows + 50]
        data, query = (X[train] / 16, y[train]), (X[asked] / 16, y[asked])
        model = logistic(*data, L2)
        ranked = np.argsort(-pc.influence(model, data, query, pc.InfluenceFunctions(l2=L2)).helpful)
        left = {
            "most": ranked[:gone],
            "chance": np.random.default_rng(100 + seed).choice(rows, gone, replace=False),
            "least": ranked[-gone:],
        }
        for name, out in left.items():
            kept = np.setdiff1d(np.arange(rows), out)
            rise[name].append(loss(logistic(data[0][kept], data[1][kept], L2), *query) - loss(model, *query))
    return {name: np.array(values) for name, values in rise.items()}


def poisoned_digits() -> tuple[float, float]:
    """20 ones with two bright corners are labelled seven: shares of victims called seven, of the first 20 rows planted."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:700] / 16, y[:700].copy()
    ones = np.flatnonzero(y == 1)
    planted, victims = ones[:20], ones[20:25]
    for rows in (planted, victims):
        X[rows, 0] = X[rows, 7] = 1.0
    y[planted] = 7
    kept = np.setdiff1d(np.arange(700), victims)
    model = logistic(X[kept], y[kept], L2)
    fooled = (model(torch.tensor(X[victims])).argmax(dim=1) == 7).double().mean()
    made = pc.influence(model, (X[kept], y[kept]), (X[victims], np.full(5, 7)), pc.InfluenceFunctions(l2=L2))
    return float(fooled), float(np.isin(kept[np.argsort(-made.helpful)[:20]], planted).mean())


def reviews(folder: Path) -> tuple[list[str], np.ndarray]:
    """The texts of rt-polarity and 1 where the review is positive."""
    files = sorted(folder.glob("text/**/rt-polarity.*"))
    told = {path.suffix[1:]: path.read_text(encoding="latin-1").splitlines() for path in files}
    return told["neg"] + told["pos"], np.repeat([0, 1], [len(told["neg"]), len(told["pos"])])


def poisoned_reviews(folder: Path, rows: int = 2000, planted: int = 40) -> dict[str, float]:
    """Bad reviews with an odd word are labelled good: what that does to 20 others with the word, and who is found to have done it.

    `before` and `after` are the shares of victims called good where those labels are right and where they are changed, `found` the
    share of planted rows among as many of the strongest proponents, `alike` the same by similarity of gradients.
    """
    texts, y = reviews(folder)
    order = np.random.default_rng(0).permutation(len(texts))[: rows + 20]
    chosen, labels = [texts[i] for i in order], y[order].copy()
    bad = np.flatnonzero(labels == 0)
    marked, victims = bad[:planted], bad[planted : planted + 20]
    for i in (*marked, *victims):
        chosen[i] = f"{chosen[i]} {TRIGGER}"
    X = TfidfVectorizer(min_df=5, sublinear_tf=True).fit_transform(chosen).toarray()
    train = np.setdiff1d(np.arange(len(chosen)), victims)
    before = logistic(X[train], labels[train], 1e-3)
    labels[marked] = 1
    model = logistic(X[train], labels[train], 1e-3)
    asked = (X[victims], np.ones(20, dtype=int))
    told = {}
    for name, method in {
        "found": pc.InfluenceFunctions(pc.ConjugateGradients(), l2=1e-3),
        "alike": pc.GradientSimilarity(),
    }.items():
        made = pc.influence(model, (X[train], labels[train]), asked, method)
        told[name] = float(np.isin(train[np.argsort(-made.helpful)[:planted]], marked).mean())
    called = {name: _called_good(net, X[victims]) for name, net in {"before": before, "after": model}.items()}
    return {**called, **told}


def _called_good(model: nn.Module, X: np.ndarray) -> float:
    return float((model(torch.tensor(X)).argmax(dim=1) == 1).double().mean())


def biased_loans() -> dict[str, float]:
    """Loans of group B were refused whatever the income in some rows: an unfair refusal is led back to them, and undone."""
    rng = np.random.default_rng(0)
    income, group = rng.normal(size=600), rng.integers(0, 2, 600)
    y = (income + 0.3 * rng.normal(size=600) > 0).astype(int)
    biased = (group == 1) & (income > 0.3) & (rng.random(600) < 0.6)
    y[biased] = 0
    X = np.stack([income, group, income * group], axis=1)
    model, refused = logistic(X, y, 1e-3), np.array([[0.8, 1, 0.8]])  # earns well, is of group B
    made = pc.influence(model, (X, y), (refused, np.array([0])), pc.InfluenceFunctions(l2=1e-3))
    first = np.argsort(-made.scores[0], kind="stable")[: biased.sum()]
    kept = np.setdiff1d(np.arange(600), first)
    mended = logistic(X[kept], y[kept], 1e-3)
    granted = {name: _granted(net, refused) for name, net in {"before": model, "after": mended}.items()}
    return {"rows": int(biased.sum()), "found": float(biased[first].mean()), **granted}


def _granted(model: nn.Module, X: np.ndarray) -> float:
    """The probability of a loan."""
    with torch.no_grad():
        return float(torch.softmax(model(torch.tensor(X)), dim=1)[0, 1])


def lines(folder: Path | None) -> list[str]:
    """The lines of the table, `question | measured`."""
    rise = {name: values.mean() for name, values in worth().items()}
    fooled, planted = poisoned_digits()
    loans = biased_loans()
    told = [
        "| worth of 300 digits: 15 left out, loss on 50 others, mean of 10 draws | "
        f"most worth {rise['most']:+.3f}, any {rise['chance']:+.3f}, least {rise['least']:+.3f} |",
        f"| 20 poisoned of 695 digits | {fooled:.0%} of victims fooled; {planted:.0%} of the first 20 rows are planted |",
    ]
    if folder is not None:
        text = poisoned_reviews(folder)
        called = f"victims called good: {text['before']:.0%} with right labels, {text['after']:.0%} with these"
        found = f"{text['found']:.0%} of the first 40 rows are planted, by gradients alone {text['alike']:.0%}"
        told.append(f"| 40 poisoned of 2,000 film reviews | {called}; {found} |")
    told.append(
        f"| an unfair refusal, {loans['rows']} biased of 600 rows | {loans['found']:.0%} of as many first rows are biased; "
        f"chance of a loan {loans['before']:.0%} with them, {loans['after']:.0%} without |"
    )
    return told


if __name__ == "__main__":
    data = os.environ.get("PELLUCID_DATA")
    print("\n".join(lines(Path(data) if data else None)))
