"""What the contract suite of metrics runs: one line per public metric.

A metric without a line fails the suite (`test_no_public_metric_escapes_the_contract`). A line names a small version of the
metric and, for every field, another value that has to change what it says of `record()`: integrated gradients of a small
network on four pictures of two channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import nets
import pellucid as pc
from pellucid.metrics.base import Judge as Metric
from pellucid.metrics.checked import WORLDS, Scene


def _nothing(record: pc.Attribution) -> dict[str, Any]:
    return {}


def _bright(record: pc.Attribution) -> dict[str, Any]:
    """Some places, told by the rows' own data, as if the answer lay there."""
    return {"truth": record.data[:, 0] > 0.7}


def _trained(X: np.ndarray, y: np.ndarray) -> Any:
    """A network that depends on which picture has which label, without the time that training takes."""
    import torch

    net = nets.cnn()
    generator = torch.Generator().manual_seed(int((y * np.arange(1, len(y) + 1)).sum()))
    with torch.no_grad():
        for weights in net.parameters():
            weights.add_(0.3 * torch.randn(weights.shape, generator=generator))
    return net


def _training(record: pc.Attribution) -> dict[str, Any]:
    return {"train": (pictures(), np.arange(4) % 3), "retrain": _trained}


def _others(record: pc.Attribution) -> dict[str, Any]:
    """Further pictures, for students to learn on."""
    return {"train": (np.random.default_rng(2).uniform(size=(20, 2, 8, 8)).astype("float32"), None)}


@dataclass(frozen=True)
class Judge:
    """One metric in the suite. `changes`: field -> another value, which has to change what it says."""

    metric: Metric
    changes: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Metric] = field(default_factory=dict)  # field -> a metric other than `metric` to change it on
    told: Callable[[pc.Attribution], dict[str, Any]] = (
        _nothing  # rows -> what `evaluate` is told besides: truth=, train=
    )
    repeats: bool = True  # False for what differs from run to run, such as seconds
    asks: bool = True  # whether it asks the model beyond the one pass that binds the target
    any_way: bool = True  # whether a user's function may explain anew for it
    finite: bool = True  # whether every row gets a number in this world

    def of(self, net: Any, record: pc.Attribution, metric: Metric | None = None, **more: Any) -> pc.Scorecard:
        """What the metric, or another version of it, says of some rows."""
        return pc.evaluate(net, record, metric or self.metric, **{**self.told(record), **more})


_ORDERED = {"steps": 5, "fill": 0.7, "randoms": 3, "window": 2, "absolute": True, "seed": 1}

JUDGES: dict[str, Judge] = {
    "Deletion": Judge(pc.Deletion(steps=6, randoms=2), _ORDERED),
    "Insertion": Judge(pc.Insertion(steps=6, randoms=2), _ORDERED),
    "SufficiencyNecessity": Judge(
        pc.SufficiencyNecessity(shares=(0.1, 0.4), randoms=2),
        {**{key: _ORDERED[key] for key in ("fill", "randoms", "window", "absolute", "seed")}, "shares": (0.2, 0.4)},
    ),
    "Infidelity": Judge(
        pc.Infidelity(samples=20),
        {
            **{"perturbation": "gaussian", "samples": 30, "fill": 0.7, "window": 2, "sigma": 0.3},
            **{"slopes": True, "scaled": False, "randoms": 3, "seed": 1},
        },
        base={
            "perturbation": pc.Infidelity(samples=20, slopes=True),
            "sigma": pc.Infidelity(perturbation="gaussian", samples=20, slopes=True),
        },
    ),
    "Sparsity": Judge(pc.Sparsity(), asks=False),
    "Completeness": Judge(pc.Completeness(), asks=False),
    "Stability": Judge(pc.Stability(trials=2), {"trials": 3, "sigma": 0.5, "seed": 1, "relative": False}),
    "MaxSensitivity": Judge(pc.MaxSensitivity(samples=2), {"samples": 3, "radius": 0.5, "seed": 1}),
    "ModelRandomization": Judge(
        pc.ModelRandomization(stages=2, draws=1), {"stages": 3, "draws": 2, "independent": False, "seed": 1}
    ),
    "DataRandomization": Judge(pc.DataRandomization(draws=1), {"draws": 2, "seed": 1}, told=_training),
    "PointingGame": Judge(pc.PointingGame(), {"tolerance": 1, "absolute": True}, told=_bright, asks=False),
    "Localization": Judge(pc.Localization(), {"absolute": True}, told=_bright, asks=False),
    "Latency": Judge(pc.Latency(warmup=0, repeats=2), {"warmup": 1, "repeats": 3}, repeats=False),
    "ErrorCalibration": Judge(
        pc.ErrorCalibration(seeds=3),
        {"seeds": 4, "seed": 1},
        told=lambda record: {"method": "SmoothGrad(samples=4)"},
        any_way=False,
    ),
    "Simulatability": Judge(pc.Simulatability(), {"student": "linear", "cells": 2, "seed": 1}, told=_others),
    "Agreement": Judge(pc.Agreement(others=("Saliency()",)), {"others": ("InputXGradient()",), "k": 3}),
}


@dataclass(frozen=True)
class Check:
    """A metric before models whose truth is known (`metrics/checked.py`); `quick` costs less and says the same."""

    metric: Metric
    quick: Metric
    worlds: tuple[str, ...] = tuple(WORLDS)
    told: Callable[[Scene], dict[str, Any]] = lambda scene: {}


def _truth(scene: Scene) -> dict[str, Any]:
    return {"truth": scene.truth}


def _where(scene: Scene) -> dict[str, Any]:
    return {"truth": scene.truth > 0}


_TABLES, _PICTURES = ("linear", "additive", "rule"), ("patch", "edges")

# Every metric stands in one of these two: it puts the truth above corrupted copies of it, or it asks something else.
CHECKED: dict[str, Check] = {
    "Deletion": Check(pc.Deletion(), pc.Deletion(steps=10, randoms=1)),
    "Insertion": Check(pc.Insertion(), pc.Insertion(steps=10, randoms=1)),
    "SufficiencyNecessity": Check(pc.SufficiencyNecessity(), pc.SufficiencyNecessity(randoms=1)),
    "Infidelity": Check(pc.Infidelity(), pc.Infidelity(samples=40, randoms=1)),
    "Completeness": Check(pc.Completeness(), pc.Completeness(), _TABLES),
    "PointingGame": Check(pc.PointingGame(), pc.PointingGame(), _PICTURES, _where),
    "Localization": Check(pc.Localization(), pc.Localization(), _PICTURES, _where),
    "Agreement": Check(pc.Agreement(), pc.Agreement(), told=_truth),
}
EXCUSED: dict[str, str] = {
    "Sparsity": "asks how much room an explanation takes, whatever the model does",
    "Stability": "asks whether an explanation stays, not whether it is right",
    "MaxSensitivity": "asks whether an explanation stays, not whether it is right",
    "ModelRandomization": "asks whether an explanation depends on the weights: noise does not, and passes",
    "DataRandomization": "asks whether an explanation depends on the labels: noise does not, and passes",
    "Latency": "asks what an explanation costs, whether it is right or not",
    "ErrorCalibration": "asks whether error bars are right, whatever they surround",
    "InfluenceRemoval": "judges rankings of training rows, not of features",
    "Simulatability": "asks whether the answer can be foretold: on planted explanations in test_simulatability.py",
}

# Metrics of other records than explanations of rows, with the test file that holds what the suite cannot ask of them.
ELSEWHERE: dict[str, Judge] = {
    "InfluenceRemoval": Judge(
        pc.InfluenceRemoval(), {"shares": (0.5,), "randoms": 1, "repeats": 2, "together": True, "seed": 1}
    ),  # test_metrics_influence.py
}


def pictures() -> np.ndarray:
    return np.random.default_rng(0).uniform(size=(4, 2, 8, 8)).astype("float32")


@cache
def record() -> pc.Attribution:
    """What every metric of the suite judges."""
    return pc.explain(nets.cnn(), pictures(), pc.IntegratedGradients(steps=4, baseline="zeros"))


def same(a: pc.Curve, b: pc.Curve, **tolerance: float) -> None:
    """Two curves say the same, number by number."""
    np.testing.assert_allclose(a.value, b.value, **tolerance)
    for name in ("chance", "curves", "chance_curves"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, **tolerance)
    assert a.detail.keys() == b.detail.keys() and a.labels == b.labels
    for key in a.detail:
        np.testing.assert_allclose(a.detail[key], b.detail[key], **tolerance)


def differs(a: pc.Curve, b: pc.Curve) -> bool:
    """Whether any number differs."""
    if a.detail.keys() != b.detail.keys() or a.labels != b.labels:
        return True
    pairs = [
        (a.value, b.value),
        (a.chance, b.chance),
        (a.curves, b.curves),
        *((a.detail[k], b.detail[k]) for k in a.detail),
    ]
    return any(
        one is not None and (one.shape != two.shape or not np.allclose(one, two, equal_nan=True)) for one, two in pairs
    )
