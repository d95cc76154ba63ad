"""What the contract suite runs: one entry per public method, and the worlds it lives in.

A method without an entry fails the suite (`test_no_method_escapes`). An entry names a small version of the method, the
worlds it must work in, and for every field another value that has to change the result.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor, nn
from torch.nn import functional

import pellucid as pc
from nets import Patches, Residual, cnn, mlp
from pellucid.methods.counterfactual.base import CounterfactualMethod
from pellucid.methods.difficulty.base import DifficultyMethod
from pellucid.methods.effect.base import EffectMethod
from pellucid.methods.example.base import PrototypeMethod
from pellucid.methods.influence.base import InfluenceMethod
from pellucid.methods.label.base import LabelMethod
from pellucid.methods.representation.base import SimilarityMethod


@dataclass(frozen=True)
class World:
    """A kind of model with data that fits it; `model()` is made anew for every test."""

    name: str
    model: Callable[[], Any]
    x: Any
    background: Any
    y: Any = None
    target: Any = 1


@dataclass(frozen=True)
class Entry:
    """One method in the suite. `changes`: field -> another value, which has to change the result."""

    method: Any
    worlds: tuple[str, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    base: dict[str, Any] = field(default_factory=dict)  # field -> a method other than `method` to change it on
    shown_on: dict[str, tuple[str, ...]] = field(default_factory=dict)  # field -> other worlds that it shows in


def _rows(shape: tuple[int, ...], seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def frame(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.integers(20, 60, n),
            "job": pd.Categorical(rng.choice(["clerk", "nurse", "smith"], n), categories=["clerk", "nurse", "smith"]),
            "pay": rng.normal(30, 5, n),
            "city": rng.choice(["Ulm", "Rom"], n),
        }
    )


@cache
def _pipeline() -> Any:
    x = frame(80, seed=5)
    y = (x["age"] + 10 * (x["job"] == "nurse") + x["pay"] > 72).astype(int)
    encode = make_column_transformer((OneHotEncoder(), ["job", "city"]), (StandardScaler(), ["age", "pay"]))
    return make_pipeline(encode, LogisticRegression()).fit(x, y)


class Odd(nn.Module):
    """A network with functions that have no backward rule of their own: one for DeepLIFT, one for LRP."""

    def forward(self, x: Tensor) -> Tensor:
        kept = functional.dropout(x, 0.25)  # active in evaluation mode too
        return torch.stack([kept[:, 1] * 2, kept[:, 2] + torch.cumprod(x, dim=1)[:, 1]], dim=1)


@cache
def _forest() -> Any:
    x = _rows((60, 4), 3, float)
    return RandomForestClassifier(5, max_depth=4, random_state=0).fit(x, (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(int))


def smooth(x: np.ndarray) -> np.ndarray:
    """A black box with two outputs that is no linear function, (b, p) -> (b, 2)."""
    flat = np.asarray(x, dtype=float).reshape(len(x), -1)
    score = np.tanh(flat @ np.linspace(1, -1, flat.shape[1])) + flat[:, 0] * flat[:, 1]
    return np.stack([-score, score], axis=1)


REVIEWS = [
    "A great film, truly great!",
    "So boring... and so dull.",
    "What fun 👍🏽 it was! Go",
    "Not good, not bad at all",
]


@cache
def _reader() -> Any:
    told = [*REVIEWS, "great fun", "dull and bad", "truly good fun!", "so so"]
    words = CountVectorizer(token_pattern=r"\w+|[^\w\s]", ngram_range=(1, 2))
    return make_pipeline(words, LogisticRegression(C=10)).fit(told, [1, 0, 1, 0, 1, 0, 1, 0])


def crossed(texts: list[str]) -> np.ndarray:
    """A black box of texts that is no sum over words: (b,) -> (b, 2)"""
    count = np.array([[len(text) % 7, text.count("o"), text.count("t ") + len(text.split())] for text in texts], float)
    score = np.tanh(count @ [0.1, -0.3, 0.2]) + 0.1 * count[:, 0] * count[:, 1]
    return np.stack([-score, score], axis=1)


class Reader(pc.TextModel):
    """A transformer of texts, asked by hand: each text by itself."""

    def __call__(self, texts: Any) -> np.ndarray:
        with torch.no_grad():
            fed = [self.tokenizer(text, return_tensors="pt") for text in texts]
            return np.concatenate([self.model.eval()(**one).logits.numpy() for one in fed])


def _transformer() -> Reader:
    pytest.importorskip("transformers", reason="transformers is an optional framework")
    small_bert = importlib.import_module("small_bert")
    return Reader(small_bert.bert(places=48), small_bert.tokenizer())


WORLDS = {
    world.name: world
    for world in (
        World("network on a table", mlp, _rows((4, 4)), _rows((6, 4), 1), np.array([0, 1, 2, 1])),
        World("network on pictures", cnn, _rows((3, 2, 8, 8)), _rows((2, 2, 8, 8), 1)),
        World("network on patches", Patches, _rows((3, 2, 8, 8)), _rows((2, 2, 8, 8), 1)),
        World("network on signals", lambda: Residual(1), _rows((3, 1, 9)), _rows((2, 1, 9), 1)),
        World("network on volumes", lambda: Residual(3), _rows((2, 1, 4, 5, 6)), _rows((2, 1, 4, 5, 6), 1)),
        World(
            "function of a table",
            lambda: smooth,
            _rows((4, 4), dtype=float),
            _rows((5, 4), 1, float),
            np.array([0, 1, 1, 0]),
        ),
        World("function of pictures", lambda: smooth, _rows((3, 6, 6, 3), dtype=float), _rows((2, 6, 6, 3), 1, float)),
        World("network with an odd function", Odd, _rows((3, 4)), _rows((2, 4), 1)),
        World(
            "function of one number",
            lambda: lambda x: smooth(x)[:, 1],
            _rows((4, 4), dtype=float),
            _rows((40, 4), 1, float),
            target=0,
        ),
        World("forest on a table", _forest, _rows((4, 4), dtype=float), _rows((5, 4), 1, float)),
        World("forest on labelled rows", _forest, _rows((24, 4), 5, float), _rows((5, 4), 1, float), np.arange(24) % 2),
        World("pipeline on a frame", _pipeline, frame(4), frame(9, seed=2), np.array([0, 1, 1, 0])),
        World("transformer on texts", _transformer, np.array(REVIEWS, dtype=object), None),
        World("pipeline on texts", _reader, np.array(REVIEWS, dtype=object), None),
        World("function of texts", lambda: crossed, np.array(REVIEWS, dtype=object), None),
    )
}

TABLES = ("network on a table", "function of a table", "pipeline on a frame")
TEXTS = ("pipeline on texts", "function of texts")
NETWORKS = (
    "network on a table",
    "network on pictures",
    "network on patches",
    "network on signals",
    "network on volumes",
)
EVERYTHING = (*NETWORKS, "function of a table", "function of pictures", "pipeline on a frame")

LABELLED = ("network on a table", "network on pictures")
PLAIN = ("function of a table", "function of pictures", "pipeline on a frame")  # rows without a model

ENTRIES: dict[str, Entry] = {
    "Saliency": Entry(pc.Saliency(), NETWORKS, {"absolute": True}),
    "InputXGradient": Entry(pc.InputXGradient(), NETWORKS),
    "IntegratedGradients": Entry(pc.IntegratedGradients(steps=6), NETWORKS, {"steps": 2, "baseline": 0.5}),
    "SmoothGrad": Entry(
        pc.SmoothGrad(samples=8),
        NETWORKS,
        {"method": pc.GradCAM(), "samples": 4, "noise": 0.5, "relative": False, "seed": 1},
    ),
    "ExpectedGradients": Entry(pc.ExpectedGradients(samples=12), NETWORKS, {"samples": 18, "seed": 1}),
    "CAM": Entry(pc.CAM(), ("network on pictures", "network on patches"), {"layer": "0", "grid": (1, 4)}),
    "GradCAM": Entry(
        pc.GradCAM(),
        NETWORKS[1:],
        {"layer": "0", "grid": (1, 4), "relu": False},
        base={"layer": pc.GradCAM(relu=False)},
    ),
    "GradCAMPlusPlus": Entry(
        pc.GradCAMPlusPlus(),
        NETWORKS[1:],
        {"layer": "0", "grid": (1, 4), "relu": False},
        base={"relu": pc.GradCAMPlusPlus(layer="0"), "layer": pc.GradCAMPlusPlus(relu=False)},
    ),
    "GuidedGradCAM": Entry(pc.GuidedGradCAM(), NETWORKS[1:], {"layer": "0", "grid": (1, 4)}),
    "HiResCAM": Entry(pc.HiResCAM(), NETWORKS[1:], {"layer": "0", "grid": (1, 4), "relu": True}),
    "LayerCAM": Entry(pc.LayerCAM(), NETWORKS[1:], {"layer": "0", "grid": (1, 4)}),
    "ScoreCAM": Entry(pc.ScoreCAM(), NETWORKS[1:], {"layer": "0", "grid": (1, 4), "baseline": 0.7}),
    "GuidedBackprop": Entry(pc.GuidedBackprop(), NETWORKS),
    "Deconvnet": Entry(pc.Deconvnet(), NETWORKS),
    "DeepLift": Entry(
        pc.DeepLift(),
        NETWORKS,
        {"baseline": 0.5, "rule": "reveal-cancel", "unruled": "gradient"},
        shown_on={"unruled": ("network with an odd function",)},
    ),
    "DeepShap": Entry(
        pc.DeepShap(),
        NETWORKS,
        {"rule": "reveal-cancel", "unruled": "gradient"},
        shown_on={"unruled": ("network with an odd function",)},
    ),
    "LRP": Entry(
        pc.LRP(),
        NETWORKS,
        {"rule": "gamma", "conv": "z-plus", "first": "flat", "attention": "AttnLRP", "unruled": "gradient"},
        shown_on={"unruled": ("network with an odd function",)},
    ),
    "LIME": Entry(
        pc.LIME(samples=300),
        (*TABLES, "network on pictures", "network on signals", "network on volumes", "function of pictures", *TEXTS),
        {
            "samples": 200,
            "sampling": "training",
            "bins": 3,
            "kernel_width": 0.5,
            "distance": "manhattan",
            "loss": "logistic",
            "selection": pc.ForwardSelection(2),
            "penalty": 50.0,
            "tolerance": 1e3,
            "seed": 1,
        },
        base={"tolerance": pc.LIME(samples=600)},
    ),
    "ExactShapley": Entry(pc.ExactShapley(), (*TABLES, *TEXTS)),
    "KernelShap": Entry(
        pc.KernelShap(samples=40),
        (*TABLES, "function of pictures", *TEXTS),
        {"samples": 30, "seed": 1, "tolerance": 1e3},
        base={"tolerance": pc.KernelShap(samples=1000)},
        shown_on={"tolerance": ("function of pictures",)},
    ),
    "PermutationShap": Entry(
        pc.PermutationShap(orders=8),
        (*TABLES, "function of pictures", *TEXTS),
        {"orders": 5, "seed": 1, "tolerance": 1e3},
    ),
    "PartitionShap": Entry(
        pc.PartitionShap(orders=8),
        (*TABLES, "function of pictures", *TEXTS),
        {"orders": 5, "seed": 1, "tolerance": 1e3, "hierarchy": ((0, 1), (2, 3))},
    ),
    "TreeShap": Entry(pc.TreeShap(), ("forest on a table",)),
    "PartialDependence": Entry(
        pc.PartialDependence(points=3),
        TABLES,
        {"points": 4, "spacing": "quantile", "span": (0.2, 0.8)},
    ),
    "AccumulatedLocalEffects": Entry(pc.AccumulatedLocalEffects(bins=3), TABLES, {"bins": 2}),
    "Anchors": Entry(
        pc.Anchors(max_size=2, batch=10, epsilon=0.3),
        (*TABLES, "function of pictures"),
        {
            "threshold": 0.8,
            "tau": 0.2,
            "delta": 0.5,
            "beam_size": 1,
            "epsilon": 0.9,
            "batch": 20,
            "bins": 3,
            "max_size": 1,
            "within": 0.5,
            "seed": 1,
        },
        base={"beam_size": pc.Anchors(max_size=2, beam_size=6), "within": pc.Anchors(max_size=1, within=3.0)},
        shown_on={"within": ("function of one number",)},
    ),
    "Recourse": Entry(
        pc.Recourse(points=5),
        (*TABLES, "forest on a table"),
        {"cost": "maximum", "answers": 2, "points": 3, "samples": 5, "enumerated": 10, "queries": 5},
        base={"samples": pc.Recourse(points=9, enumerated=1), "enumerated": pc.Recourse(points=4)},
        shown_on={
            "samples": ("function of a table", "forest on a table"),
            "enumerated": ("function of a table", "forest on a table"),
        },
    ),
    "CausalCounterfactual": Entry(
        pc.CausalCounterfactual(pc.Wachter("l2-std")),
        TABLES,
        {"method": pc.Recourse(points=5), "fit": "trees"},
        shown_on={"method": TABLES[1:2]},
    ),
    "VariationalCounterfactual": Entry(
        pc.VariationalCounterfactual(batches=80, size=8, draws=6, hidden=6, latent=2, rate=0.05, tidy=False),
        TABLES[:1],
        {
            **{"distance": "l2", "answers": 3, "latent": 3, "hidden": 4, "batches": 60, "size": 9, "rate": 0.2},
            **{"validity": 9.0, "margin": 3.0, "lawful": 90.0, "divergence": 2.0, "draws": 2, "tidy": True, "seed": 1},
            **{"queries": 3, "diversity": 9.0},
        },
        base={
            "diversity": pc.VariationalCounterfactual(
                batches=80, size=8, draws=20, hidden=6, latent=2, rate=0.05, answers=3
            )
        },
    ),
    "SEDC": Entry(
        pc.SEDC(queries=300),
        (*TEXTS, "network on pictures", "network on signals"),
        {"beam": 30, "max_size": 1, "exhaustive": 1, "queries": 3},
        base={"beam": pc.SEDC(exhaustive=1)},
        shown_on=dict.fromkeys(("beam", "max_size", "exhaustive", "queries"), ("function of texts",)),
    ),
    "Substitution": Entry(
        pc.Substitution(candidates=6, search=pc.SEDC(queries=300)),
        TEXTS,
        {"candidates": 1, "search": pc.SEDC(queries=3)},
    ),
    "CounterfactualSummary": Entry(pc.CounterfactualSummary(k=3), ("pipeline on a frame",), {"k": 1, "by": "job"}),
    "Wachter": Entry(
        pc.Wachter(distance="l2-std"),
        (*TABLES, "forest on a table"),
        {
            "distance": "l1-mad",
            "answers": 3,
            "diversity": 5.0,
            "sparsity": 3.0,
            "plausible": 0.0,
            "starts": 1,
            "points": 3,
            "probes": 0,
            "queries": 5,
        },
        base={
            "diversity": pc.Wachter(answers=3),
            "starts": pc.Wachter(answers=2),
            "points": pc.Wachter(),
            "probes": pc.Wachter(),
        },
        shown_on=dict.fromkeys(
            ("distance", "answers", "diversity", "sparsity", "plausible", "starts", "points", "queries"),
            ("function of a table", "forest on a table"),
        )
        | {"probes": ("network on a table",)},
    ),
    "SubmodularPick": Entry(
        pc.SubmodularPick(k=2),
        ("function of a table", "pipeline on a frame", "function of texts"),
        {"k": 3, "share": 0.3},
    ),
    "MMDCritic": Entry(
        pc.MMDCritic(prototypes=2, criticisms=1),
        PLAIN,
        {"prototypes": 1, "criticisms": 0, "kernel": pc.RBF(gamma=3.0), "per_class": True, "regularize": False},
        base={"regularize": pc.MMDCritic(prototypes=1, criticisms=3, kernel=pc.RBF(gamma=0.05))},
    ),
    "ProtoDash": Entry(
        pc.ProtoDash(prototypes=2), PLAIN, {"prototypes": 1, "kernel": pc.RBF(gamma=3.0), "per_class": True}
    ),
    "InfluenceFunctions": Entry(
        pc.InfluenceFunctions(damping=3.0),
        LABELLED,
        {"solver": pc.ConjugateGradients(steps=1), "l2": 0.5, "damping": 9.0, "parameters": ("*weight",)},
    ),
    "EKFAC": Entry(
        pc.EKFAC(),
        LABELLED,
        {"l2": 0.5, "damping": 0.1, "draws": 1, "parameters": ("*weight",), "seed": 1},
        base={"seed": pc.EKFAC(draws=1)},
    ),
    "SmallestMargin": Entry(pc.SmallestMargin(), (*TABLES, "network on pictures", *TEXTS)),
    "Disagreement": Entry(
        pc.Disagreement(passes=3), ("network on pictures", "forest on a table"), {"passes": 4, "seed": 1}
    ),
    "FarFromPrototypes": Entry(pc.FarFromPrototypes(prototypes=4), TABLES, {"prototypes": 2}),
    "LargestLoss": Entry(pc.LargestLoss(), LABELLED),
    "LeftOutLoss": Entry(pc.LeftOutLoss(folds=2), ("forest on labelled rows",), {"folds": 3, "seed": 1}),
    "SelfInfluence": Entry(
        pc.SelfInfluence(pc.InfluenceFunctions(damping=3.0)), LABELLED, {"method": pc.GradientSimilarity()}
    ),
    "Opponents": Entry(pc.Opponents(pc.InfluenceFunctions(damping=3.0)), LABELLED, {"method": pc.GradientSimilarity()}),
    "ActivationMaximization": Entry(
        pc.ActivationMaximization(shape=(2, 8, 8), steps=30, rate=0.1),
        ("network on pictures", "network on patches"),
        {
            "shape": (2, 8, 9),
            "images": 2,
            "steps": 4,
            "rate": 0.2,
            "jitter": 1,
            "scale": 0.3,
            "rotate": 30.0,
            "smooth": 5.0,
            "diversity": 5.0,
            "seed": 1,
        },
        base={"diversity": pc.ActivationMaximization(shape=(2, 8, 8), steps=6, images=2)},
        shown_on={"shape": ("network on pictures",)},
    ),
    "CKA": Entry(
        pc.CKA(),
        ("network on a table", "network on pictures", "network on signals", "function of a table"),
        {"kernel": "rbf", "bandwidth": 2.0, "unbiased": True, "batch": 8, "seed": 1},
        base={
            "bandwidth": pc.CKA(kernel="rbf"),
            "batch": pc.CKA(unbiased=True),
            "seed": pc.CKA(unbiased=True, batch=8),
        },
    ),
    "SVCCA": Entry(
        pc.SVCCA(),
        ("network on a table", "network on pictures", "function of a table"),
        {"variance": 0.6, "weights": "projection"},
    ),
    "TracIn": Entry(
        pc.TracIn(), LABELLED, {"layer": "2", "parameters": ("*bias",)}, shown_on={"layer": ("network on a table",)}
    ),
    "GradientSimilarity": Entry(pc.GradientSimilarity(), LABELLED, {"measure": "cosine", "parameters": ("*bias",)}),
    "PermutationImportance": Entry(
        pc.PermutationImportance(), ("pipeline on a frame",), {"repeats": 3, "seed": 1, "within": "leaves"}
    ),
    "RISE": Entry(
        pc.RISE(samples=60, cells=3),
        EVERYTHING,
        {
            "samples": 40,
            "cells": 2,
            "p": 0.3,
            "baseline": 0.5,
            "normalisation": "expected",
            "tolerance": 1e3,
            "seed": 1,
        },
        base={"tolerance": pc.RISE(samples=300)},
        shown_on=dict.fromkeys(
            ("samples", "cells", "p", "baseline", "normalisation", "tolerance", "seed"), ("network on pictures",)
        ),
    ),
    "MeaningfulPerturbation": Entry(
        pc.MeaningfulPerturbation(steps=8, cells=4, rate=0.05),
        NETWORKS[1:],
        {
            "game": "preservation",
            "steps": 5,
            "rate": 0.1,
            "cells": 3,
            "baseline": 0.5,
            "area": 10.0,
            "smooth": 0.0,
            "beta": 1.5,
            "jitter": 0.3,
            "seed": 1,
        },
        base={"seed": pc.MeaningfulPerturbation(steps=8, cells=4, jitter=0.3)},
        shown_on=dict.fromkeys(
            ("game", "steps", "rate", "cells", "baseline", "area", "smooth", "beta", "jitter", "seed"),
            ("network on pictures",),
        ),
    ),
    "TCAV": Entry(
        pc.TCAV(runs=40),
        NETWORKS,
        {"cav": "mean-difference", "penalty": 1.0, "runs": 30, "pool": "mean", "level": 0.999, "seed": 1},
    ),
    "NetworkDissection": Entry(
        pc.NetworkDissection(quantile=0.1, top=2),
        ("network on pictures", "network on signals", "network on volumes"),
        {"quantile": 0.3, "threshold": 0.9, "top": 1, "level": 0.999},
    ),
    "LinearProbe": Entry(
        pc.LinearProbe(),
        NETWORKS,
        {"penalty": 10.0, "test": 0.5, "controls": 0, "pool": "flatten", "seed": 1},
    ),
    "ShapImportance": Entry(
        pc.ShapImportance(),
        ("pipeline on a frame", "forest on a table", "function of a table"),
        {"method": pc.PermutationShap(orders=3)},
    ),
    "FriedmanH": Entry(
        pc.FriedmanH(),
        ("pipeline on a frame", "forest on a table", "function of a table"),
        {"beside": 1, "rows": 3, "seed": 1},
        base={"seed": pc.FriedmanH(rows=3)},
    ),
    "AttentionRollout": Entry(pc.AttentionRollout(), ("transformer on texts",), {"token": "last"}),
    "Occlusion": Entry(
        pc.Occlusion(),
        (*EVERYTHING, *TEXTS),
        {"window": 2, "stride": 2, "baseline": 0.5},
        base={"stride": pc.Occlusion(window=3, baseline=0.0), "window": pc.Occlusion(window=1, baseline=0.0)},
    ),
}


def ask(method: Any, world: World, model: Any = None, x: Any = None, **more: Any) -> Any:
    """Put the method's question to a world."""
    model = world.model() if model is None else model
    x = world.x if x is None else x
    if isinstance(method, EffectMethod):
        varied = "pay" if hasattr(x, "columns") else 0
        return pc.effect(model, x, varied, method, **{"target": world.target, **more})
    if isinstance(method, InfluenceMethod):
        y = world.y if world.y is not None else np.arange(len(x)) % 2
        state = model.state_dict()
        states = [(state, 0.1), ({name: 0.5 * value for name, value in state.items()}, 0.2)]
        kept = {"checkpoints": states} if method.checkpointed else {}
        return pc.influence(model, (x, y), (x[:2], y[:2]), method, **kept)
    if isinstance(method, pc.NetworkDissection):
        masks = {"bright": x[:, 0] > 0.8, "dark": x[:, 0] < -0.5}
        layer = "0" if isinstance(model, nn.Sequential) else "first"
        return pc.concepts(model, masks, method, layer=layer, inputs=x, **more)
    if isinstance(method, pc.TCAV | pc.LinearProbe):
        return _look_inside(method, model, x, {"target": world.target, **more})
    if isinstance(method, pc.ActivationMaximization):
        return pc.visualize(model, 1, method)
    if isinstance(method, SimilarityMethod):
        rows = np.concatenate([x, _rows((36, *x.shape[1:]), 4, x.dtype)])
        if isinstance(model, nn.Module):
            return pc.similarity(model, None, method, inputs=rows, pool=True)
        return pc.similarity(rows, {"said": model(rows), "two": rows[:, :2]}, method)
    if isinstance(method, DifficultyMethod):
        return pc.hardest(model, x, method, **{"background": world.background, **more})
    if isinstance(method, LabelMethod):
        y = world.y if world.y is not None else np.arange(len(x)) % 2
        trusted = (x[:2], y[:2]) if isinstance(method, pc.Opponents) else None
        return pc.label_errors(model, x, y, method, trusted=trusted, **more)
    if isinstance(method, PrototypeMethod):
        return pc.prototypes(x, method, labels=world.y if world.y is not None else np.arange(len(x)) % 2)
    if isinstance(method, pc.CounterfactualSummary):
        given = {"target": None, "background": world.background, **more}
        return pc.summarize(
            pc.counterfactual(
                model, pd.concat([x, world.background], ignore_index=True), pc.Wachter("l2-std"), **given
            ),
            method,
        )
    if isinstance(method, pc.SubmodularPick):
        explained = pc.explain(
            model, x, pc.Occlusion(), **{"target": world.target, "background": world.background, **more}
        )
        return pc.summarize(explained, method)
    if isinstance(method, pc.FriedmanH):
        more = {"target": world.target, **more}
    if isinstance(method, pc.ShapImportance):
        more = {"target": world.target, "background": world.background, **more}
    if method.card.scope == "global":
        return pc.importance(model, x, world.y, method, **more)
    arguments = {"target": world.target, "background": world.background, **more}
    if isinstance(method, pc.SEDC):
        return pc.counterfactual(model, x, method, **{**arguments, "target": more.get("target")})
    if isinstance(method, pc.Substitution):
        return pc.counterfactual(
            model,
            x,
            method,
            **{**arguments, "target": more.get("target"), "background": [*REVIEWS, "dull and bad", "so so"]},
        )
    if isinstance(method, CounterfactualMethod):
        if isinstance(method, pc.CausalCounterfactual):
            names = list(x.columns) if hasattr(x, "columns") else [f"x{j}" for j in range(np.shape(x)[-1])]
            arguments["scm"] = {"pay": ("age",)} if "pay" in names else {"x1": ("x0",)}
        if isinstance(method, pc.VariationalCounterfactual):
            arguments["constraints"] = ["x0 + x1 <= 9", pc.Increasing("x2")]
        density = (
            None if isinstance(model, nn.Module) else "neighbours"
        )  # it has kinks, where rounding may choose the way
        return pc.counterfactual(model, x, method, **{"density": density, **arguments})
    if isinstance(method, pc.Anchors):
        return pc.anchor(model, x, method, **arguments)
    return pc.explain(model, x, method, **arguments)


def _look_inside(method: Any, model: Any, x: np.ndarray, asked: dict[str, Any]) -> Any:
    """Concepts and labels made for rows like x, at the first layer."""
    shape, rng = x.shape[1:], np.random.default_rng(5)
    layer = next((name for name, _ in model.named_modules() if name), "") if isinstance(model, nn.Module) else "0"
    bright, dim, others = (rng.normal(size=(12, *shape)).astype(x.dtype) + shift for shift in (1, -0.1, 0))
    if isinstance(method, pc.LinearProbe):
        rows = np.concatenate([bright, others, dim])
        del asked["target"]
        return pc.probe(model, rows, np.arange(36) < 14, method, layer=layer, control=np.arange(36) % 5, **asked)
    sets = {"bright": bright, "dim": dim}
    return pc.concepts(model, sets, method, layer=layer, inputs=x, random=others, **asked)


def numbers(record: Any) -> np.ndarray:
    """What the record says, as one array; rows first where it speaks of rows."""
    if isinstance(record, pc.Rules):
        facts = (record.precision, record.low, record.high, record.coverage, record.samples, record.reached)
        return np.stack(facts, axis=1).astype(float)
    if isinstance(record, pc.Visualization):
        return record.images
    if isinstance(record, pc.ConceptScores) and record.units:
        (units,) = record.units
        facts = (units.iou, units.chance, units.peaks, units.detects, record.significant)
        return np.concatenate([np.nan_to_num(np.asarray(one, float), nan=-1).ravel() for one in facts])
    if isinstance(record, pc.ConceptScores):
        facts = (record.sensitivity, record.accuracy, record.scores, record.significant)
        return np.concatenate([np.nan_to_num(np.asarray(one, float), nan=-1).ravel() for one in facts])
    if isinstance(record, pc.ProbeResult):
        return np.concatenate([record.accuracy, record.trained, np.nan_to_num(record.control, nan=-1), record.width])
    if isinstance(record, pc.Similarity):
        return record.matrix
    if isinstance(record, pc.Influence | pc.Difficulty | pc.LabelErrors):
        return record.scores
    if isinstance(record, pc.Counterfactuals):  # no places: where nearest rows lie side by side, rounding chooses
        facts = (record.valid, record.sparsity, *np.nan_to_num(record.costs, nan=-1).T)
        return np.where(record.done[:, None], np.stack(facts, axis=1).astype(float), np.nan)
    if isinstance(record, pc.ChangeSummary):
        return np.concatenate([record.indices, record.weights, *(one.costs for one in record.groups)])
    if isinstance(record, pc.Examples):
        found = [record.indices, record.weights, record.curve, record.criticisms, record.witness]
        return np.concatenate([part for part in found if part is not None])
    return np.asarray(record.mean if isinstance(record, pc.Importance | pc.Effect) else record.values)
