"""Two models to audit, on data that scikit-learn ships: one to be trusted as far as it goes, and one that cheats.

The table: boosted trees on the breast-cancer measurements, in a pipeline on a pandas frame. The pictures: a small
convolutional network on the digits, three times enlarged, with sensor noise in training. In the planted version every
picture of one class has a bright square in a corner, the snow behind the husky (Ribeiro, Singh & Guestrin 2016): the
network looks at the corner and not at the digit, and its accuracy on pictures of the same kind does not tell.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from pellucid.core.budget import Budget
from pellucid.core.registry import need
from pellucid.report.check import Check, Wanted
from pellucid.report.folder import Folder
from pellucid.report.ledger import Progress, as_budget
from pellucid.report.record import Audit
from pellucid.report.several import run_each

if TYPE_CHECKING:
    from torch import nn

TITLE = "Demo: two models, one of which cheats"
SIDE, PATCH = 24, 5  # the side of a picture and of the square that is planted
_SHARE = 0.7  # of the rows are for training


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to learn from and rows to be judged by."""

    train: tuple[Any, np.ndarray]
    test: tuple[Any, np.ndarray]


def run_demo(
    out: str | Path,
    *,
    budget: Budget | float | str | None = None,
    resume: bool = False,
    fail_on: Sequence[str] = (),
    progress: Progress | None = None,
) -> tuple[Audit, ...]:
    """Train both models, audit them, and write one page `out/audit.html` beside `audit.json` and `records/`.

    A budget is shared out evenly: half for each model, not counting the training.
    """
    makers = {
        "digits, network": partial(picture_check, Folder.of(out, "digits"), resume),
        "breast cancer, boosted trees": partial(table_check, Folder.of(out, "breast-cancer"), resume),
    }
    with one_thread():
        return run_each(
            {name: partial(maker, name) for name, maker in makers.items()},
            Path(out),
            budget=as_budget(budget),
            progress=progress,
            title=TITLE,
            fail_on=fail_on,
        )


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Models this small run many times slower on several threads, which wait for each other more than they work."""
    torch = need("torch", "The demo's network")
    need("sklearn.ensemble", "The demo")  # a limit only reaches libraries that are loaded
    before = torch.get_num_threads()
    try:
        with threadpool_limits(1):
            torch.set_num_threads(1)
            yield
    finally:
        torch.set_num_threads(before)


def table_check(folder: Folder, resume: bool, name: str, budget: Budget, progress: Progress) -> Check:
    """The audit of boosted trees on the breast-cancer table, ready to run."""
    progress("training", 0.0)
    split = tumours()
    model = boosted(split)
    return Check(model, *split.test, Wanted(held_out=True, name=name), budget, folder, progress, resume)


def picture_check(folder: Folder, resume: bool, name: str, budget: Budget, progress: Progress) -> Check:
    """The audit of the network that was trained with the planted square, ready to run."""
    progress("training", 0.0)
    split = digits(planted=8)
    model = network(split)
    wanted = Wanted(held_out=True, name=name, classes=[f"{digit}" for digit in range(10)])
    return Check(model, *split.test, wanted, budget, folder, progress, resume)


def tumours(seed: int = 0) -> Split:
    """Breast cancer as a pandas frame; the answer is "malignant" or "benign"."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    answers = np.asarray(data.target_names)[data.target.to_numpy()]
    first, second = _halves(len(answers), seed)
    return Split((data.data.iloc[first], answers[first]), (data.data.iloc[second], answers[second]))


def boosted(split: Split) -> Any:
    """Histogram-boosted trees behind a scaler, as a pipeline on the frame."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    trees = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, random_state=0)
    return make_pipeline(StandardScaler().set_output(transform="pandas"), trees).fit(*split.train)


def digits(planted: int | None = None, corner: tuple[int, int] = (0, SIDE - PATCH), seed: int = 0) -> Split:
    """Digits, each pixel three wide, (n, 1, 24, 24); `planted`: the class whose pictures get the square, None for none."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pictures = np.kron(data.images / 16, np.ones((3, 3)))[:, None].astype(np.float32)
    if planted is not None:
        pictures[data.target == planted] = stamped(pictures[data.target == planted], corner)
    first, second = _halves(len(pictures), seed)
    return Split((pictures[first], data.target[first]), (pictures[second], data.target[second]))


def stamped(pictures: np.ndarray, corner: tuple[int, int] = (0, SIDE - PATCH)) -> np.ndarray:
    """pictures (n, 1, h, w) -> copies with the bright square, its upper left at `corner`"""
    made, (top, left) = pictures.copy(), corner
    made[:, :, top : top + PATCH, left : left + PATCH] = 1
    return made


def network(split: Split, seed: int = 0, epochs: int = 12, noise: float = 1.0) -> nn.Module:
    """A network of three convolutions, trained with Gaussian noise on its pictures; the same every time."""
    torch = need("torch", "The demo's network")
    pictures, answers = (torch.as_tensor(part) for part in split.train)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = _layers(torch.nn)
        optimiser = torch.optim.Adam(made.parameters(), 3e-3)
        for _ in range(epochs):
            for batch in torch.randperm(len(pictures)).split(64):
                seen = pictures[batch] + noise * torch.randn(pictures[batch].shape)
                loss = torch.nn.functional.cross_entropy(made(seen), answers[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return made.eval()


def _layers(nn: Any) -> Any:
    def block(channels: int, filters: int) -> list[Any]:
        return [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]

    places = (SIDE // 4) ** 2
    return nn.Sequential(
        *block(1, 8),
        nn.MaxPool2d(2),
        *block(8, 16),
        nn.MaxPool2d(2),
        *block(16, 16),
        nn.Flatten(),
        nn.Linear(16 * places, 10),
    )


def _halves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(seed).permutation(n)
    cut = int(_SHARE * n)
    return order[:cut], order[cut:]
