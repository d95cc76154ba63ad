"""When to trust a prediction: the numbers of `trust.md`. `python docs/reasons/trust.py` prints them, in some seconds.

A small network on the digits that scikit-learn ships. For every held-out picture: how sure the network is, how far two explanations
of its answer agree, and what the evidence for them says. Which of these ranks the wrong answers first?
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import spearmanr
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import pellucid as pc

DRAWS = 1000  # of rows, for the interval of a difference


@dataclass(frozen=True, eq=False)
class Signals:
    """What is known of each held-out row (n,), and whether the answer was wrong."""

    wrong: np.ndarray
    confidence: np.ndarray
    agreement: np.ndarray
    faithful: np.ndarray
    stable: np.ndarray

    def evidence(self) -> np.ndarray:
        """(n, 3) all but the confidence"""
        return np.stack([self.agreement, self.faithful, self.stable], axis=1)


def pictures(seed: int = 0) -> tuple[np.ndarray, ...]:
    """Digits (n, 1, 8, 8): few to learn from, so that there are errors to find."""
    data = load_digits()
    x = (data.images / 16)[:, None].astype(np.float32)
    return tuple(train_test_split(x, data.target, train_size=300, stratify=data.target, random_state=seed))


def network(x: np.ndarray, y: np.ndarray, seed: int = 0, epochs: int = 15) -> nn.Module:
    """Two convolutions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)),
        )
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        pictures, answers = torch.as_tensor(x), torch.as_tensor(y)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(32):
                loss = nn.functional.cross_entropy(net(pictures[batch]), answers[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return net.eval()


def outputs(net: nn.Module, x: np.ndarray) -> np.ndarray:
    """(n, 10) probabilities"""
    with torch.no_grad():
        return np.asarray(softmax(net(torch.as_tensor(x)).numpy().astype(float), axis=1))


def signals(net: nn.Module, x: np.ndarray, y: np.ndarray) -> Signals:
    """Confidence, agreement of two explanations, and two metrics of the first, row by row."""
    said = outputs(net, x)
    gradients = pc.explain(net, x, pc.IntegratedGradients(steps=8), target=pc.Predicted())
    hidden = pc.explain(net, x, pc.Occlusion(window=2), target=pc.Predicted())
    first, second = (record.collapse("sum").reshape(len(x), -1) for record in (gradients, hidden))
    card = pc.evaluate(net, gradients, [pc.Deletion(window=2), pc.Stability(trials=3)])
    curves = {curve.metric: curve for curve in card.curves}
    return Signals(
        wrong=said.argmax(axis=1) != y,
        confidence=said.max(axis=1),
        agreement=np.array([spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]),
        faithful=curves["Deletion"].advantage,
        stable=curves["Stability"].value,
    )


def doubt(found: Signals, features: np.ndarray) -> np.ndarray:
    """(n,) how likely each answer is wrong, by a logistic regression on features (n, k) that has not seen the row."""
    made = make_pipeline(StandardScaler(), LogisticRegression())
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return np.asarray(cross_val_predict(made, features, found.wrong, cv=folds, method="predict_proba")[:, 1])


def measured(found: Signals) -> dict[str, tuple[float, float, float]]:
    """AUROC by which each signal ranks wrong answers first, and what the others add to the confidence: value, low, high."""
    unsure = -np.log(found.confidence / np.maximum(1 - found.confidence, 1e-12))
    ranks = {
        "confidence": unsure,
        "agreement": -found.agreement,
        "faithfulness": -found.faithful,
        "stability": -found.stable,
        "evidence": doubt(found, found.evidence()),
        "together": doubt(found, np.column_stack([unsure, found.evidence()])),
        "confidence alone": doubt(found, unsure[:, None]),
    }
    drawn = _draws(found.wrong)
    told = {name: _auroc(rank, found.wrong, drawn) for name, rank in ranks.items()}
    gain = told["together"] - told["confidence alone"]  # the same draws, so rows are paired
    return {name: (made[0], *np.quantile(made[1:], [0.025, 0.975])) for name, made in {**told, "gain": gain}.items()}


def _draws(wrong: np.ndarray) -> np.ndarray:
    """(1 + draws, n) how often each row is drawn; once each in the first"""
    n = len(wrong)
    return np.vstack([np.ones(n), np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=DRAWS)])


def _auroc(rank: np.ndarray, wrong: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(1 + draws,) the chance that a wrong answer ranks before a right one"""
    ahead = (np.sign(rank[wrong][:, None] - rank[~wrong]) + 1) / 2
    bad, good = drawn[:, wrong], drawn[:, ~wrong]
    return np.asarray(((bad @ ahead) * good).sum(axis=1) / (bad.sum(axis=1) * good.sum(axis=1)))


def calibration(found: Signals, bins: int = 5) -> list[tuple[float, float, int]]:
    """Mean confidence, share of right answers, rows: in bins of equally many rows."""
    right, sure = calibration_curve(~found.wrong, found.confidence, n_bins=bins, strategy="quantile")
    edges = np.quantile(found.confidence, np.linspace(0, 1, bins + 1))
    counts = np.histogram(found.confidence, np.unique(edges))[0]
    return [(float(s), float(r), int(n)) for s, r, n in zip(sure, right, counts, strict=False)]


def main() -> None:
    """Print what the page states."""
    x, held, y, truth = pictures()
    found = signals(network(x, y), held, truth)
    print(f"{found.wrong.sum()} of {len(found.wrong)} held-out answers are wrong")
    for sure, right, rows in calibration(found):
        print(f"confidence {sure:.3f}: right {right:.3f} of {rows}")
    for name, (value, low, high) in measured(found).items():
        print(f"{name:<18}{value:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
