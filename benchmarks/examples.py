"""Prototypes and influence beside plain NumPy and other libraries, in one process, with the same answers.

    python -m benchmarks.examples [--only prototypes|influence|factors] [--rows 10000] [--picks 10] [--repeats 3]

Prototypes: MMD-critic on 10,000 x 784 (MNIST's test images where PELLUCID_DATA names the folder of real data, else made-up rows),
beside two greedy searches in plain NumPy that hold the whole kernel matrix: one that sums up the discrepancy of every candidate set
anew at each pick, one that adds gains. Making the kernel is most of the work and is timed alone, by one matrix product, as ours is
made block by block, and (on a few rows, scaled up) by differences, as its definition reads.

Influence: softmax regression on 1,500 digits with 650 parameters, 50 queries. captum's NaiveInfluenceFunction makes the same exact
Hessian (its rank is set to 650 and its ridge to the penalty), TracInCP is read at one checkpoint, both with captum's fast
gradients of single examples. Factors: EK-FAC of a small network beside kronfluence, where it is installed; kronfluence draws
one label for each example and ours goes through all outputs, so theirs is also handed the data 5 and 30 times over, where chance
evens out.

CPU seconds of the process on one thread; *ratio* is theirs over ours. Medians of interleaved repeats; the slow search runs once.
pyDVL and aix360 want NumPy below 2 and are left out.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import nn

import pellucid as pc
from pellucid.methods.example.kernels import median_gamma

_L2 = 0.01


def images(rows: int) -> np.ndarray:
    """(rows, 784) in [0, 1]"""
    folder = os.environ.get("PELLUCID_DATA")
    if folder:
        raw = gzip.decompress((Path(folder) / "mnist/t10k-images-idx3-ubyte.gz").read_bytes())
        return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784)[:rows] / 255.0
    rng = np.random.default_rng(0)
    centres = rng.random((10, 784))
    return np.clip(centres[rng.integers(10, size=rows)] + 0.3 * rng.normal(size=(rows, 784)), 0, 1)


def whole_kernel(X: np.ndarray, gamma: float) -> np.ndarray:
    """(n, n) by one matrix product, in place"""
    norms = np.einsum("nd,nd->n", X, X)
    K = X @ X.T
    K *= 2
    K -= norms[:, None]
    K -= norms
    np.minimum(K, 0, out=K)
    K *= gamma
    return np.exp(K, out=K)


def by_differences(X: np.ndarray, gamma: float, rows: int) -> np.ndarray:
    """(rows, n) the first rows of the kernel as its definition reads: all differences, squared and summed"""
    return np.stack([np.exp(-gamma * ((X - X[i]) ** 2).sum(axis=1)) for i in range(rows)])


def by_sums(K: np.ndarray, count: int) -> list[int]:
    """Greedy, the definition of MMD^2 summed up anew for each candidate set at each pick; the data's own term is constant."""
    picked: list[int] = []
    for _ in range(count):
        value = np.full(len(K), np.inf)
        for i in range(len(K)):
            if i not in picked:
                chosen = [*picked, i]
                value[i] = K[np.ix_(chosen, chosen)].mean() - 2 * K[chosen].mean()
        picked.append(int(value.argmin()))
    return picked


def by_gains(K: np.ndarray, count: int) -> list[int]:
    """Greedy, with running sums over the whole matrix."""
    means, near, inside, beside, picked = K.mean(axis=0), np.zeros(len(K)), 0.0, 0.0, []
    for size in range(1, count + 1):
        grown = inside + 2 * near + np.diagonal(K)
        value = grown / size**2 - 2 * (beside + means) / size
        value[picked] = np.inf
        best = int(value.argmin())
        picked.append(best)
        inside, beside, near = grown[best], beside + means[best], near + K[best]
    return picked


def seconds(work: dict[str, Callable[[], Any]], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Median CPU seconds of each, turn by turn, and what each one made last."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    made = {}
    for _ in range(repeats):
        for name, run in work.items():
            start = time.process_time()
            made[name] = run()
            taken[name].append(time.process_time() - start)
    return {name: statistics.median(each) for name, each in taken.items()}, made


def told(title: str, ours: str, taken: dict[str, float]) -> None:
    print(f"\n{title}")
    for name, value in taken.items():
        print(f"  {name:58s} {value:8.3f} s   ratio {value / taken[ours]:7.2f}")


def prototypes(rows: int, picks: int, repeats: int) -> None:
    X = images(rows)
    gamma = median_gamma(X)
    method = pc.MMDCritic(prototypes=picks, criticisms=0, kernel=pc.RBF(gamma))
    ours = "pellucid, MMDCritic"
    taken, made = seconds(
        {
            ours: lambda: pc.prototypes(X, method).indices.tolist(),
            "the whole kernel matrix alone": lambda: float(whole_kernel(X, gamma)[0, 0]),
            "kernel and greedy by gains, NumPy": lambda: by_gains(whole_kernel(X, gamma), picks),
        },
        repeats,
    )
    some = max(1, len(X) // 200)
    part, _ = seconds({"differences": lambda: by_differences(X, gamma, some)}, 1)
    taken[f"the whole kernel by differences (from {some} rows of it)"] = part["differences"] * len(X) / some
    K = whole_kernel(X, gamma)
    once, anew = seconds({"greedy by sums": lambda: by_sums(K, picks)}, 1)
    taken["kernel and greedy by sums, NumPy (once)"] = taken["the whole kernel matrix alone"] + once["greedy by sums"]
    told(f"{picks} prototypes of {len(X):,} x {X.shape[1]}", ours, taken)
    same = made[ours] == made["kernel and greedy by gains, NumPy"] == anew["greedy by sums"]
    print(f"  the same rows by all three: {same}; the whole matrix takes {K.nbytes / 1e6:,.0f} MB, ", end="")
    print(f"ours {peak(lambda: pc.prototypes(X, method)) / 1e6:,.0f} MB beyond the {X.nbytes / 1e6:,.0f} MB of rows")


def peak(run: Callable[[], Any]) -> int:
    """Bytes that a call takes beyond what there was, by what NumPy reports."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def regression(X: np.ndarray, y: np.ndarray) -> nn.Module:
    """Softmax regression at its minimum, the penalty on all parameters."""
    A = np.hstack([X, np.ones((len(X), 1))])
    theta = LogisticRegression(C=1 / (_L2 * len(X)), fit_intercept=False, tol=1e-8, max_iter=2000).fit(A, y).coef_
    made = nn.Sequential(nn.Linear(X.shape[1], 10)).double()
    with torch.no_grad():
        made[0].weight.copy_(torch.tensor(theta[:, :-1]))
        made[0].bias.copy_(torch.tensor(theta[:, -1]))
    return made


def influence(repeats: int) -> None:
    from captum.influence import NaiveInfluenceFunction, TracInCP

    X, y = load_digits(return_X_y=True)
    train, query = (X[:1500] / 16, y[:1500]), (X[1500:1550] / 16, y[1500:1550])
    model = regression(*train)
    data = torch.utils.data.TensorDataset(*map(torch.tensor, train))
    asked = tuple(map(torch.tensor, query))
    shared = {
        "checkpoints_load_func": lambda *_: 1.0,
        "loss_fn": nn.CrossEntropyLoss(reduction="sum"),
        "batch_size": 1500,
        "sample_wise_grads_per_batch": True,
    }

    def naive() -> np.ndarray:
        made = NaiveInfluenceFunction(
            model, data, "as it is", projection_dim=650, hessian_reg=_L2 * 1500, hessian_inverse_tol=0.0, **shared
        )
        return made.influence(asked).detach().numpy()

    def trac_in() -> np.ndarray:
        return TracInCP(model, data, ["as it is"], **shared).influence(asked).detach().numpy()

    kept = [(model.state_dict(), 1.0)]
    pairs = {
        "exact Hessian, 650 parameters": (
            lambda: pc.influence(model, train, query, pc.InfluenceFunctions(l2=_L2)).scores,
            "captum, NaiveInfluenceFunction",
            naive,
        ),
        "TracIn at one checkpoint": (
            lambda: pc.influence(model, train, query, pc.TracIn(), checkpoints=kept).scores,
            "captum, TracInCP",
            trac_in,
        ),
        "TracIn of the layer, by its two sides": (
            lambda: pc.influence(model, train, query, pc.TracIn(layer="0"), checkpoints=kept).scores,
            "captum, TracInCP",
            trac_in,
        ),
    }
    for title, (own, peer, theirs) in pairs.items():
        taken, made = seconds({"pellucid": own, peer: theirs}, repeats)
        told(f"{title}: 1,500 examples, 50 queries", "pellucid", taken)
        off = np.abs(made["pellucid"] - made[peer]).max() / np.abs(made[peer]).max()
        print(f"  largest difference {off:.1e} of the largest score (ours also gives self-influence, theirs does not)")


def factors(repeats: int) -> None:
    try:
        theirs = _kronfluence()
    except ImportError as error:
        print(f"\nEK-FAC: kronfluence is left out ({error})")
        return
    X, y = load_digits(return_X_y=True)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    train = (X[:1500].astype(np.float32) / 16, y[:1500])
    query = (X[1500:1550].astype(np.float32) / 16, y[1500:1550])
    descent, (x, labels) = torch.optim.Adam(model.parameters(), 1e-2), map(torch.tensor, train)
    for _ in range(60):
        descent.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        descent.step()
    taken, made = seconds(
        {
            "pellucid, all outputs": lambda: pc.influence(model, train, query, pc.EKFAC()).scores,
            "pellucid, one draw": lambda: pc.influence(model, train, query, pc.EKFAC(draws=1)).scores,
            "kronfluence": lambda: theirs(model, train, query),
        },
        repeats,
    )
    told("EK-FAC, 4,810 parameters: 1,500 examples, 50 queries", "pellucid, one draw", taken)
    whole = made["pellucid, all outputs"]
    for draws in (1, 5, 30):
        drawn = pc.influence(model, train, query, pc.EKFAC(draws=draws)).scores
        print(
            f"  rank correlation with ours of all outputs: of ours, {draws} draws, {_ranks(drawn, whole):.3f}; ", end=""
        )
        print(
            f"of kronfluence with the data {draws} times over {_ranks(theirs(model, train, query, draws), whole):.3f}"
        )


def _ranks(a: np.ndarray, b: np.ndarray) -> float:
    """The mean over queries of the rank correlation of two (q, n)."""
    from scipy.stats import spearmanr

    return float(np.mean([spearmanr(one, other).statistic for one, other in zip(a, b, strict=True)]))


def _kronfluence() -> Callable[..., np.ndarray]:
    from kronfluence.analyzer import Analyzer, prepare_model
    from kronfluence.arguments import FactorArguments, ScoreArguments
    from kronfluence.task import Task

    class Classes(Task):
        def compute_train_loss(self, batch: Any, model: nn.Module, sample: bool = False) -> torch.Tensor:
            logits = model(batch[0])
            labels = torch.multinomial(logits.detach().softmax(1), 1)[:, 0] if sample else batch[1]
            return nn.functional.cross_entropy(logits, labels, reduction="sum")

        def compute_measurement(self, batch: Any, model: nn.Module) -> torch.Tensor:
            return nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="sum")

    def run(model: nn.Module, train: Any, query: Any, copies: int = 1) -> np.ndarray:
        import copy

        several = torch.utils.data.TensorDataset(*(torch.tensor(np.concatenate([part] * copies)) for part in train))
        known, asked = (torch.utils.data.TensorDataset(*map(torch.tensor, part)) for part in (train, query))
        with tempfile.TemporaryDirectory() as folder:
            made = Analyzer(
                "digits",
                prepare_model(copy.deepcopy(model), Classes()),
                Classes(),
                cpu=True,
                disable_tqdm=True,
                output_dir=folder,
            )
            made.fit_all_factors(
                "f", several, per_device_batch_size=1500, factor_args=FactorArguments(strategy="ekfac")
            )
            made.compute_pairwise_scores(
                "s",
                "f",
                asked,
                known,
                per_device_query_batch_size=50,
                per_device_train_batch_size=1500,
                score_args=ScoreArguments(damping_factor=None),  # a tenth of the mean curvature, as ours
            )
            scores = made.load_pairwise_scores("s")
        return next(iter(scores.values())).double().numpy()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("prototypes", "influence", "factors"))
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--picks", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if options.only in (None, "prototypes"):
            prototypes(options.rows, options.picks, options.repeats)
        if options.only in (None, "influence"):
            influence(options.repeats)
        if options.only in (None, "factors"):
            factors(options.repeats)


if __name__ == "__main__":
    main()
