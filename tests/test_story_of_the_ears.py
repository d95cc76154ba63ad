"""The dog taken for a cat because of its ears, on drawn faces: explanations point at the ears, and hanging them makes it a dog.

Every cat that the first network saw has pricked ears and no dog has, so it goes by ears; muzzles tell the two apart as well. The
second network saw dogs and cats with either kind of ears, and has to go by the muzzle: it is not deceived.
"""

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc

CAT, DOG = 0, 1
DOWN, ACROSS = np.indices((32, 32))
PARTS = {"ears": 1, "muzzle": 2, "head": 3}


def parts(pricked: bool) -> np.ndarray:
    """(32, 32) which part of the face a pixel belongs to, 0 for none"""
    made = np.zeros((32, 32), int)
    made[(DOWN - 18) ** 2 + (ACROSS - 16) ** 2 < 64] = PARTS["head"]
    made[(DOWN - 22) ** 2 + (ACROSS - 16) ** 2 < 10] = PARTS["muzzle"]
    for middle in (10, 22):
        away = np.abs(ACROSS - middle)
        ear = (away <= (DOWN - 3) / 2) & (DOWN >= 3) & (DOWN < 11)
        if not pricked:
            ear = (np.abs(ACROSS - (6 if middle == 10 else 26)) <= 2) & (DOWN >= 13) & (DOWN < 25)
        made[ear] = PARTS["ears"]
    return made


def faces(dog: np.ndarray, pricked: np.ndarray, seed: int) -> np.ndarray:
    """(n, 1, 32, 32): a dark muzzle is a dog's, a bright one a cat's; ears as asked for"""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.05, (len(dog), 1, 32, 32))
    for i in range(len(dog)):
        where, shade = parts(bool(pricked[i])), rng.uniform(0.4, 0.6)
        x[i, 0] += np.select(
            [where == 1, where == 2, where == 3], [shade + 0.2, shade + (-0.2 if dog[i] else 0.2), shade]
        )
    return x.astype(np.float32)


@cache
def taught(ears_tell: bool) -> nn.Module:
    rng, dog = np.random.default_rng(0), np.arange(160) % 2
    x = faces(dog, 1 - dog if ears_tell else rng.random(160) < 0.5, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            *(nn.Conv2d(1, 8, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(8, 16, 5, stride=2, padding=2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(1024, 2)),
        )
        inputs, labels = torch.from_numpy(x), torch.from_numpy(dog)
        optimiser = torch.optim.Adam(net.parameters(), 0.003)
        for _ in range(40):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(inputs), labels).backward()
            optimiser.step()
    return net.eval()


def called(net: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.from_numpy(x)).argmax(1).numpy()


DOGS = np.ones(8, int)
STORIES = {
    "LIME on the parts of the face": (pc.LIME(samples=300), pc.LabelMap(parts(True), fill=0.0)),
    "Shapley values of the parts": (pc.ExactShapley(), pc.LabelMap(parts(True), fill=0.0)),
    "occlusion": (pc.Occlusion(window=4, stride=2, baseline=0.0), None),
    "integrated gradients": (pc.IntegratedGradients(steps=32, baseline=0.0), None),
}


def test_both_know_cats_and_dogs_and_one_takes_a_dog_for_a_cat_until_its_ears_hang():
    dog = np.arange(60) % 2
    assert (called(taught(True), faces(dog, 1 - dog, 1)) == dog).all()
    assert (called(taught(False), faces(dog, np.arange(60) % 4 < 2, 1)) == dog).all()
    pricked, hanging = faces(DOGS, DOGS, 2), faces(DOGS, 0 * DOGS, 2)
    assert (called(taught(True), pricked) == CAT).all() and (called(taught(True), hanging) == DOG).all()
    assert (called(taught(False), pricked) == DOG).all()


@pytest.mark.parametrize("story", STORIES)
def test_the_explanation_points_at_the_ears_that_deceive(story: str):
    method, masker = STORIES[story]
    found = pc.explain(taught(True), faces(DOGS, DOGS, 2)[:3], method, target=pc.Margin(CAT, DOG), masker=masker)
    ears = np.stack([parts(True) == PARTS["ears"]] * 3)
    card = pc.evaluate(taught(True), found, [pc.PointingGame(tolerance=2), pc.Localization()], truth=ears)
    assert (found.scores > 0).all()  # a cat, says the network
    assert card.lines[0].mean == 1 and card.lines[1].mean > 5 * card.lines[1].chance


@pytest.mark.parametrize("ears_tell", [True, False])
def test_what_each_goes_by_as_other_ears_and_other_muzzles_show(ears_tell: bool):
    def towards_cat(dog: np.ndarray, pricked: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out = taught(ears_tell)(torch.from_numpy(faces(dog, pricked, 2))).numpy()
        return np.asarray(out[:, CAT] - out[:, DOG])

    here = towards_cat(DOGS, DOGS)
    ears, muzzle = here - towards_cat(DOGS, 0 * DOGS), towards_cat(0 * DOGS, DOGS) - here
    assert (ears > 3 * muzzle).all() if ears_tell else (muzzle > 3 * np.abs(ears)).all()
