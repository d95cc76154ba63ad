"""The models that pictures are drawn of: a small network on photographs, and boosted trees on a table. Trained on the spot.

A method is put to the world that suits its card. One that has no use for either is put to the first world of its entry in the
contract suite, so a new family needs nothing here.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier

import pellucid as pc
import photographs
from contract.cases import ENTRIES, WORLDS, World, ask
from pellucid.core.registry import resolve
from pellucid.methods.effect.base import EffectMethod
from pellucid.methods.representation.base import SimilarityMethod

COLLAGE = ("cat", "coffee", "astronaut", "rocket")
TARGET = "cat"
COLUMN = "mean concave points"  # whose effect is drawn

PENALTY = 0.01  # of the logistic model that influence is traced in

# Methods and metrics whose usual picture is not that of their defaults.
SHOWN: dict[str, Any] = {
    "Occlusion": pc.Occlusion(window=16, stride=8),
    "RISE": pc.RISE(samples=1000),
    "InfluenceRemoval": pc.InfluenceRemoval(shares=(0.1,)),
    "PointingGame": pc.PointingGame(tolerance=2),
    "ErrorCalibration": pc.ErrorCalibration(seeds=8),
    "Agreement": pc.Agreement(others=("IntegratedGradients()", "GradCAM()", "LRP()")),
}
ON_PICTURES = {"gradients", "inner layer"}  # access of methods that are drawn on a picture though they know tables too
PICTURED = {"Occlusion", "RISE"}  # and methods of other access


@dataclasses.dataclass(frozen=True)
class Answer:
    """A record for a picture: who was asked, and where."""

    method: Any
    world: World
    record: Any


@cache
def network() -> Any:
    return photographs.network()


@cache
def table() -> tuple[Any, Any]:
    """Ten measurements of tumours, and what they turned out to be."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    return X.iloc[:, :10], y


def lessons() -> tuple[Any, None]:
    """Few rows that students learn on: every one of them is explained."""
    return table()[0].iloc[150:190], None


@cache
def trees() -> Any:
    X, y = table()
    made = HistGradientBoostingClassifier(max_iter=40, max_leaf_nodes=8, random_state=0)
    return made.fit(X.iloc[150:], y.iloc[150:])


def measured() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The measurements as tensors in units of their spread: (X, y) to train on, and (X, y) of twelve queries."""
    import torch

    X, y = table()
    Z, y = torch.tensor(((X - X.mean()) / X.std()).to_numpy()), torch.tensor(y.to_numpy())
    return (Z[150:300], y[150:300]), (Z[:12], y[:12])


def logistic(X: Any, y: Any) -> Any:
    """A network that is a logistic model with a penalty, trained to the end."""
    import torch

    net = torch.nn.Linear(X.shape[1], 2).double()
    torch.nn.init.zeros_(net.weight)
    torch.nn.init.zeros_(net.bias)
    optimiser = torch.optim.LBFGS(net.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Any:
        optimiser.zero_grad()
        penalty = PENALTY / 2 * sum((weights**2).sum() for weights in net.parameters())
        value = torch.nn.functional.cross_entropy(net(X), y) + penalty
        value.backward()
        return value

    optimiser.step(loss)
    return net


def pictures() -> World:
    """Four subjects in one picture: it is known where each class is."""
    rng = np.random.default_rng(1)
    return World(
        "a small network on a collage of photographs",
        network,
        photographs.collage(*COLLAGE)[0],
        photographs.crops(8, rng)[0].numpy(),
        np.array([photographs.NAMES.index(TARGET)]),
        photographs.NAMES.index(TARGET),
    )


def tables(rows: int) -> World:
    """The first rows of the held-out ones; class 0 is malignant."""
    X, y = table()
    return World(
        "boosted trees on ten measurements of tumours",
        trees,
        X.iloc[:rows],
        X.iloc[100:150],
        y.iloc[:rows].to_numpy(),
        0,
    )


def answer(name: str) -> Answer:
    """Put a public method to the world that suits it."""
    made = SHOWN.get(name) or resolve(name)()
    if isinstance(made, EffectMethod):
        world = tables(100)
        return Answer(made, world, pc.effect(world.model(), world.x, COLUMN, made, target=world.target))
    world = pictures() if name in PICTURED else suited(made.card)
    if world is not None and not isinstance(made, SimilarityMethod):  # which compares layers, and trees have none
        try:
            return Answer(made, world, ask(made, world))
        except (pc.PellucidError, ImportError):
            pass  # this world is not for it: the contract suite knows one that is
    entry = ENTRIES[name]
    world = WORLDS[entry.worlds[0]]
    return Answer(entry.method, world, ask(entry.method, world))


def suited(card: Any) -> World | None:
    """The world for a card, None where neither fits."""
    if card.verb == "influence":
        return None
    if "image" in card.inputs and (card.access in ON_PICTURES or "table" not in card.inputs):
        return pictures()
    if "table" in card.inputs:
        return tables(100 if card.scope == "global" else 1)
    return None
