"""The method tables of both founding texts against the cards, and the cards' costs against what methods cost.

A row names the method of the text, what it is called here, its scope, whether any model will do, and a word of its output.
Where the texts contradict each other or themselves, the row holds what `docs/taxonomy.md` says about it. Methods that are not
here yet are held to it from the day they come.
"""

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import pellucid as pc
from pellucid.core.registry import ESTIMATORS, METHODS, VERBS

PAGE = Path(__file__).parents[1] / "docs" / "taxonomy.md"


@dataclass(frozen=True)
class Row:
    text: str
    names: str
    scope: str
    agnostic: bool
    output: str


SUMMARY = [  # the lecture's summary, its lost marks put back
    Row("Input gradient", "Saliency", "local", False, "per cell"),
    Row("SmoothGrad", "SmoothGrad", "local", False, "mean of another"),
    Row("Integrated gradients", "IntegratedGradients", "local", False, "contribution per cell"),
    Row("Grad-CAM", "GradCAM", "local", False, "map over places"),
    Row("LRP", "LRP", "local", False, "relevance per cell"),
    Row("LIME", "LIME", "local", True, "slope"),
    Row("Anchors", "Anchors", "local", True, "rule"),
    Row(
        "Counterfactuals",
        "Wachter Recourse CausalCounterfactual VariationalCounterfactual SEDC Substitution",
        "local",
        None,
        "",
    ),
    Row("Influence functions", "InfluenceFunctions TracIn EKFAC", "local", False, ""),
    Row("Activation maximisation", "ActivationMaximization", "global", False, ""),
    Row("SP-LIME", "SubmodularPick", "global", True, "few rows"),
    Row("Network dissection", "NetworkDissection", "global", False, ""),
    Row("SHAP", "KernelShap PermutationShap ExactShapley", "local", True, "contribution per player"),
    Row("DeepSHAP", "DeepShap", "local", False, "contribution per cell"),
    Row("SHAP over all rows", "ShapImportance", "global", True, "mean magnitude"),
    Row("TCAV", "TCAV", "global", False, ""),
    Row("Probing", "LinearProbe", "global", False, ""),
]
GUIDE = [  # tables 5.1, 5.2 and that of the first use case
    Row("CAM", "CAM", "local", False, "map over places"),
    Row("Grad-CAM++", "GradCAMPlusPlus", "local", False, "map over places"),
    Row("PFI", "PermutationImportance", "global", True, "loss of performance"),
    Row("ICE and partial dependence", "PartialDependence", "global", True, "curve per row"),
    Row("RISE", "RISE", "local", True, "map over places"),
    Row("TreeSHAP", "TreeShap", "local", False, "contribution per column"),
    Row("Occlusion", "Occlusion", "local", True, "drop"),
    Row("MMD-Critic", "MMDCritic ProtoDash", "global", True, ""),
]
KNOWN = [(row, name) for row in (*SUMMARY, *GUIDE) for name in row.names.split() if name in METHODS]


@pytest.mark.parametrize(("row", "name"), KNOWN, ids=[name for _, name in KNOWN])
def test_the_cards_agree_with_the_founding_texts(row: Row, name: str):
    card = getattr(pc, name).card
    assert card.scope == row.scope and row.output in card.output
    assert row.agnostic is None or card.agnostic == row.agnostic


def test_what_the_guide_says_of_each_is_on_its_card():
    """Tables 5.1 and 5.2, in our words: (method, strength or weakness)."""
    said = {
        "CAM": ("global average pooling", "coarse"),
        "GradCAM": ("coarse",),
        "GradCAMPlusPlus": ("several objects",),
        "IntegratedGradients": ("adds up", "baseline"),
        "SmoothGrad": ("noise", "wraps"),
        "PermutationImportance": ("columns that go together", "any model"),
        "PartialDependence": ("single rows", "may not go with the others"),
        "LIME": ("kernel's width",),
        "RISE": ("needs only answers", "thousands of rows"),
        "ExactShapley": ("doubles with each player", "symmetric"),
        "TreeShap": ("exact",),
    }
    for name, parts in said.items():
        card = getattr(pc, name).card
        assert all(part in f"{card.strengths}; {card.weaknesses}" for part in parts), name


def test_what_is_post_hoc_and_what_is_the_model_itself():
    assert [name for name in METHODS if getattr(pc, name).card.intrinsic] == ["CAM"]
    for name in ESTIMATORS:
        card = getattr(pc, name).card
        assert card.intrinsic and card.scope == "global" and not card.agnostic
        assert f"\n| `{name}` | global, intrinsic | no |" in PAGE.read_text(encoding="utf-8")
    assert {name for name in METHODS if getattr(pc, name).card.fails} == {
        "GuidedBackprop",
        "Deconvnet",
        "GuidedGradCAM",
        "AttentionRollout",
    }


def test_the_page_has_every_method_once_under_its_verb():
    text = PAGE.read_text(encoding="utf-8")
    sections = dict(re.findall(r"## `(\w+)`:.*?\n(.*?)(?=\n## |\n<!-- end)", text, re.DOTALL))
    assert set(sections) <= set(VERBS)
    for name in METHODS:
        assert [verb for verb, part in sections.items() if f"\n| `{name}` |" in part] == [getattr(pc, name).card.verb]


@pytest.fixture(scope="module")
def paid():
    """method -> model rows that one explained row cost: on a small picture, else on a table of ten columns."""
    torch.manual_seed(0)
    body = (nn.Conv2d(2, 32, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 3))
    network, x = nn.Sequential(*body).eval(), torch.randn(2, 2, 8, 8)
    X = np.random.default_rng(0).normal(size=(60, 10))
    linear = LogisticRegression().fit(X, X[:, 0] > 0)

    def ask(name: str) -> float:
        made = getattr(pc, name)()
        if made.card.access in ("gradients", "inner layer"):
            receipt = pc.explain(network, x, made, target=1, background=x[:1]).receipt
        else:
            rows = {"LIME": slice(4, 60), "PartitionShap": slice(4, 7)}.get(name, slice(4, 5))
            receipt = pc.explain(linear, X[:2], made, target=1, background=X[rows]).receipt
            if name == "PartitionShap":  # it needs three reference rows
                return (receipt.rows_forward + receipt.rows_backward) / 6
        return (receipt.rows_forward + receipt.rows_backward) / 2

    return ask


CARDS = {name: getattr(pc, name).card for name in METHODS}
EXPLAIN = [  # what reads trees or texts alone fits neither a plain network nor a plain table
    name for name, c in CARDS.items() if c.verb == "explain" and c.access != "structure" and c.inputs != ("text",)
]


@pytest.mark.parametrize("name", EXPLAIN)
def test_the_cost_on_the_card_is_the_cost_to_a_power_of_ten(name: str, paid):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert abs(math.log10(paid(name)) - math.log10(getattr(pc, name).card.rows)) <= 1
