"""What the width of LIME's kernel does, measured: too narrow is unstable, too wide is unfaithful.

python docs/figures/kernel_width.py          rewrite the table of docs/kernel_width.md and its picture

A small network learned the diabetes table (10 columns). Around each of 10 rows, LIME without a penalty is run under 10 seeds
for each width. Since the network is smooth, the slopes that a line should have right at the row are known: its gradient.

    spread          how far single runs lie from their mean over seeds, as a share of that mean's length
    error           how far the mean over seeds lies from the gradient, as a share of the gradient's length
    stated          the standard error that each record states, by the same measure as the spread
    R2 at the row   share of the network's variation within a quarter of a standard deviation that the surrogate follows
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

import pellucid as pc

DOCS = Path(__file__).parents[1]
WIDTHS = (0.1, 0.15, 0.25, 0.4, 0.75, 1.5, 3.0)  # times the root of the number of columns
ROWS, SEEDS, SAMPLES, NEAR = 10, 10, 2000, 0.25


@dataclass(frozen=True)
class Measured:
    """One width: means over the rows."""

    width: float
    effective: float
    spread: float
    stated: float
    error: float
    r2_near: float


def measure() -> list[Measured]:
    """One line per width; about 20 seconds."""
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    model = MLPRegressor(
        hidden_layer_sizes=(30,), activation="tanh", alpha=3.0, solver="lbfgs", max_iter=3000, random_state=0
    ).fit(X, y)
    return [_width(model, X, width) for width in WIDTHS]


def _width(model: MLPRegressor, X: np.ndarray, width: float) -> Measured:
    x, p = X[:ROWS], X.shape[1]
    fields = {"samples": SAMPLES, "kernel_width": width * np.sqrt(p), "penalty": 0.0}
    records = [pc.explain(model, x, pc.LIME(**fields, seed=seed), background=X) for seed in range(SEEDS)]
    slopes = np.array([record.values for record in records])  # (seeds, rows, p)
    mean, gradient = slopes.mean(axis=0), _gradient(model, x)
    size, noise = np.linalg.norm(mean, axis=1), np.linalg.norm(records[0].stderr, axis=1)
    spread = np.sqrt(((slopes - mean) ** 2).sum(axis=2).sum(axis=0) / (SEEDS - 1)) / size
    error = np.linalg.norm(mean - gradient, axis=1) / np.linalg.norm(gradient, axis=1)
    found = (spread.mean(), (noise / size).mean(), error.mean(), _near(model, x, records[0].values))
    return Measured(width, _effective(width * np.sqrt(p), p), *map(float, found))


def _effective(width: float, p: int) -> float:
    """How many equally weighted neighbours the drawn ones count for (Kish), for normal noise."""
    away = np.random.default_rng(0).standard_normal((SAMPLES, p))
    weights = np.exp(-(away**2).sum(axis=1) / (2 * width**2))
    return float(weights.sum() ** 2 / (weights**2).sum())


def _gradient(model: MLPRegressor, x: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """(n, p) -> (n, p) by central differences; columns have a standard deviation of 1"""
    moves = step * np.eye(x.shape[1])
    sides = [model.predict((x[:, None] + sign * moves).reshape(-1, x.shape[1])) for sign in (1, -1)]
    return (sides[0] - sides[1]).reshape(x.shape) / (2 * step)


def _near(model: MLPRegressor, x: np.ndarray, slopes: np.ndarray) -> float:
    """Mean R2 of the slopes on fresh points near each row."""
    away = NEAR * np.random.default_rng(1).standard_normal((500, x.shape[1]))
    scores = model.predict((x[:, None] + away).reshape(-1, x.shape[1])).reshape(len(x), -1)
    left = scores - slopes @ away.T
    return float(np.mean(1 - left.var(axis=1) / scores.var(axis=1)))


def table(found: list[Measured]) -> str:
    """Markdown."""
    head = "| width / sqrt(p) | neighbours that count | spread | stated error | error against the gradient | R2 at the row |"
    lines = [head, "|---|---|---|---|---|---|"]
    for one in found:
        width, effective, *shares, r2 = astuple(one)
        lines.append(" | ".join([f"| {width:g}", f"{effective:,.0f}", *(f"{s:.3f}" for s in shares), f"{r2:.2f} |"]))
    return "\n".join(lines)


def draw(found: list[Measured], file: Path) -> None:
    """Spread and error over the width, on axes that both have."""
    from pellucid.plot._style import BLUE, GREY, INK, RED, SMALL, dress, paper

    ax = paper(None, height=3.4)
    widths = [one.width for one in found]
    ax.plot(widths, [one.spread for one in found], "o-", color=BLUE, label="unstable: spread over seeds")
    ax.plot(widths, [one.error for one in found], "s--", color=RED, label="unfaithful: error against the gradient")
    ax.axvline(0.75, color=GREY, linewidth=1, linestyle=":")
    ax.text(0.78, 0.93, "default", color=INK, fontsize=SMALL, transform=ax.get_xaxis_transform())
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1], ["2 %", "5 %", "10 %", "20 %", "50 %", "100 %"])
    ax.set_xticks(widths, [f"{width:g}" for width in widths])
    ax.minorticks_off()
    dress(
        ax,
        "Too narrow is unstable, too wide is unfaithful",
        "kernel width / root of the number of columns",
        "share of the slopes",
    )
    ax.legend(facecolor="white", edgecolor="none", framealpha=1, fontsize=SMALL, loc="center right")
    ax.get_figure(root=True).savefig(file, dpi=140)


def main() -> None:
    found, page = measure(), DOCS / "kernel_width.md"
    text = page.read_text(encoding="utf-8")
    filled = re.sub(
        r"(<!-- measured -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{table(found)}\n{m[2]}", text, flags=re.S
    )
    page.write_text(filled, encoding="utf-8")
    draw(found, DOCS / "images" / "kernel_width.png")


if __name__ == "__main__":
    main()
