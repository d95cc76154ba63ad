"""The digits of the notebook on examples: MNIST where PELLUCID_DATA names the folder of real data, else scikit-learn's."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn

from pellucid.plot._style import SMALL, Sheet, bare

_ROWS = 1797  # of MNIST's test images: as many as scikit-learn has
_SIDE = 14  # pixels that a side of MNIST's is brought down to, for all but the pictures shown


@dataclass(frozen=True, eq=False)
class Digits:
    """Pictures (n, side, side) in [0, 1], the same as rows of at most 64 numbers (n, p), and which digit each one is (n,)."""

    title: str
    pictures: np.ndarray
    rows: np.ndarray
    y: np.ndarray


def digits() -> Digits:
    """The folder's digits, or those that come with scikit-learn."""
    folder = os.environ.get("PELLUCID_DATA")
    if not folder:
        X, y = load_digits(return_X_y=True)
        return Digits("scikit-learn's digits", X.reshape(-1, 8, 8) / 16, X / 16, y)
    parts = [
        np.frombuffer(gzip.decompress((Path(folder) / f"mnist/t10k-{name}.gz").read_bytes()), np.uint8, offset=skip)
        for name, skip in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8))
    ]
    pictures = parts[0].reshape(-1, 28, 28)[:_ROWS] / 255.0
    return Digits("MNIST", pictures, shrunk(pictures, 7).reshape(_ROWS, -1), parts[1][:_ROWS].astype(int))


def shrunk(pictures: np.ndarray, side: int) -> np.ndarray:
    """(n, a, a) -> (n, side, side), means of blocks; a smaller picture stays as it is"""
    by = max(1, pictures.shape[1] // side)
    n, a, b = (pictures.shape[0], pictures.shape[1] // by, pictures.shape[2] // by)
    return pictures.reshape(n, a, by, b, by).mean(axis=(2, 4))


def small(at: Digits) -> np.ndarray:
    """(n, 1, side, side), for a network that is trained on the spot"""
    return shrunk(at.pictures, _SIDE)[:, None].astype(np.float32)


def regression(X: np.ndarray, y: np.ndarray, l2: float) -> nn.Module:
    """Softmax regression at the minimum of its mean loss, with a penalty of l2 / 2 on all parameters squared."""
    A = np.hstack([X, np.ones((len(X), 1))])
    fit = LogisticRegression(C=1 / (l2 * len(X)), fit_intercept=False, tol=1e-8, max_iter=2000).fit(A, y)
    made = nn.Linear(X.shape[1], 10).double()
    with torch.no_grad():
        made.weight.copy_(torch.tensor(fit.coef_[:, :-1]))
        made.bias.copy_(torch.tensor(fit.coef_[:, -1]))
    return made


def wrongly_labelled(y: np.ndarray, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is changed to another digit at random, and which they are."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(y)) < share
    return np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y), wrong


def shown(pictures: np.ndarray, titles: Sequence[str]) -> Sheet:
    """A row of pictures (k, h, w), each with its title."""
    figure = Sheet(figsize=(1.35 * len(titles), 1.8), layout="constrained")
    for ax, picture, title in zip(figure.subplots(1, len(titles)), pictures, titles, strict=True):
        ax.imshow(picture, cmap="gray", interpolation="nearest")
        bare(ax, title).title.set_fontsize(SMALL - 1)
    return figure


def precision(wrong: np.ndarray, rankings: dict[str, np.ndarray]) -> Sheet:
    """How many of the first k rows are wrong, for each ranking: scores (n,), the most suspicious the largest."""
    figure = Sheet(figsize=(6.4, 3.4), layout="constrained")
    ax = figure.subplots()
    looked = np.arange(1, len(wrong) + 1)
    for name, score in rankings.items():
        hit = wrong[np.argsort(-score, kind="stable")].cumsum()
        ax.plot(looked, hit / looked, label=name, linewidth=1.6)
    ax.axhline(wrong.mean(), color="grey", linestyle="--", label="chance")
    ax.axvline(wrong.sum(), color="grey", linewidth=0.8)
    ax.set(xlim=(1, 4 * wrong.sum()), ylim=(0, 1.03), xlabel="labels looked at", ylabel="share of them wrong")
    ax.set_title(f"{int(wrong.sum())} of {len(wrong):,} labels are wrong (thin line)", loc="left", fontsize=9)
    ax.legend(frameon=False, fontsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    return figure
