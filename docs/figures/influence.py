"""When influence foretells what leaving an example out does: the table of `docs/examples.md`.

    python docs/figures/influence.py

A softmax regression and a small network on 300 of scikit-learn's digits, with several penalties. Some examples are left out, one at
a time, and the model is trained again; what 20 queries' losses rose by is correlated with what each method foretold. The
regression, which has one minimum, goes on from where it was; the network starts from the same random weights each time, and how far
another start agrees with it is measured too.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import pellucid as pc

ROWS, QUERIES = 300, 20
LEFT_OUT = {"regression": 30, "network": 12}
PENALTIES = (0.1, 0.01, 0.001, 0.0001)
STEPS = 600  # of L-BFGS, at most

REGRESSION = {
    "`InfluenceFunctions()`": lambda l2: pc.InfluenceFunctions(l2=l2),
    "`InfluenceFunctions(ConjugateGradients())`": lambda l2: pc.InfluenceFunctions(pc.ConjugateGradients(), l2=l2),
    "`InfluenceFunctions(LiSSA())`": lambda l2: pc.InfluenceFunctions(pc.LiSSA(depth=200, batch=60, repeats=2), l2=l2),
    "`EKFAC()`": lambda l2: pc.EKFAC(l2=l2),
    "`GradientSimilarity()`": lambda l2: pc.GradientSimilarity(),
}
NETWORK = {
    "`InfluenceFunctions(damping=0.01)`": lambda l2: pc.InfluenceFunctions(l2=l2, damping=0.01),
    "`EKFAC()`": lambda l2: pc.EKFAC(l2=l2),
    "`GradientSimilarity()`": lambda l2: pc.GradientSimilarity(),
}


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    X = X / 16
    return X[:ROWS], y[:ROWS], X[ROWS : ROWS + QUERIES], y[ROWS : ROWS + QUERIES]


def untrained(hidden: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    if not hidden:
        return nn.Sequential(nn.Linear(64, 10)).double()
    return nn.Sequential(nn.Linear(64, hidden), nn.Tanh(), nn.Linear(hidden, 10)).double()


def trained(model: nn.Module, x: torch.Tensor, y: torch.Tensor, weights: torch.Tensor, l2: float) -> nn.Module:
    """At a minimum of the weighted loss with its penalty."""
    descent = torch.optim.LBFGS(
        model.parameters(), max_iter=STEPS, tolerance_grad=1e-7, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def evaluated() -> torch.Tensor:
        descent.zero_grad()
        loss = (weights * nn.functional.cross_entropy(model(x), y, reduction="none")).sum()
        loss = loss + l2 / 2 * sum((p**2).sum() for p in model.parameters())
        loss.backward()
        return loss

    descent.step(evaluated)
    return model


def left_out(hidden: int, l2: float, rows: np.ndarray, seed: int = 0) -> tuple[nn.Module, np.ndarray]:
    """The model, and what each query's loss rose by without each of the rows (q, r); the penalty stays as it was."""
    X, y, xq, yq = map(torch.tensor, digits())
    even = torch.full((ROWS,), 1 / ROWS, dtype=torch.float64)

    def losses(model: nn.Module) -> np.ndarray:
        with torch.no_grad():
            return nn.functional.cross_entropy(model(xq), yq, reduction="none").numpy()

    whole = trained(untrained(hidden, seed), X, y, even, l2)
    rise = []
    for row in rows:
        weights = even.clone()
        weights[row] = 0
        start = untrained(hidden, seed) if hidden else copy.deepcopy(whole)
        rise.append(losses(trained(start, X, y, weights, l2)) - losses(whole))
    return whole, np.array(rise).T


def foretold(model: nn.Module, method: object) -> np.ndarray:
    X, y, xq, yq = digits()
    return pc.influence(model, (X, y), (xq, yq), method).scores


def correlations(hidden: int, l2: float) -> dict[str, float]:
    """Method -> the correlation over queries and examples left out."""
    count = LEFT_OUT["network" if hidden else "regression"]
    rows = np.random.default_rng(0).choice(ROWS, count, replace=False)
    model, rise = left_out(hidden, l2, rows)
    found = {}
    for name, method in (NETWORK if hidden else REGRESSION).items():
        try:
            found[name] = float(np.corrcoef(foretold(model, method(l2))[:, rows].ravel(), rise.ravel())[0, 1])
        except pc.MethodError:
            found[name] = np.nan
    if hidden:
        found["the same from another start"] = float(
            np.corrcoef(left_out(hidden, l2, rows, seed=1)[1].ravel(), rise.ravel())[0, 1]
        )
    return found


def table(hidden: int) -> str:
    """One line for each method, one column for each penalty."""
    penalties = (0.001,) if hidden else PENALTIES
    made = {l2: correlations(hidden, l2) for l2 in penalties}
    lines = ["| | " + " | ".join(f"penalty {l2:g}" for l2 in penalties) + " |", "|---|" + "---|" * len(penalties)]
    for name in made[penalties[0]]:
        cells = ["refused" if np.isnan(made[l2][name]) else f"{made[l2][name]:.3f}" for l2 in penalties]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    print("softmax regression\n\n" + table(0), flush=True)
    print("a network with 16 hidden units\n\n" + table(16))
