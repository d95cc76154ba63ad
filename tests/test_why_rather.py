"""Why this rather than that, on real photographs: the contrastive map is another map, and its places are worth more of the lead."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import pellucid as pc
from mobilenet import mobilenet, picture, samples

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def page():
    path = Path(__file__).parents[1] / "docs" / "why_rather.py"
    spec = importlib.util.spec_from_file_location("why_rather", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["why_rather"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["why_rather"]


@pytest.fixture(scope="module")
def network(data_dir: Path):
    return mobilenet(data_dir)


def test_the_cat_speaks_against_the_dog(page, network, data_dir: Path):
    both = picture(data_dir / "photos" / "gradcam_both.png")[None]

    def ask(target):
        return pc.explain(network, both, pc.HiResCAM(), target=target).values[0]

    dog, cat, rather = ask(page.BOXER), ask(page.TABBY), ask(pc.Margin(page.BOXER, page.TABBY))
    np.testing.assert_allclose(rather, dog - cat, atol=1e-4 * np.abs(dog).max())
    lying = (slice(150, 224), slice(100, 224))  # where the cat is
    assert rather[lying].mean() < 0 and rather[:80].mean() > 0
    assert dog[lying].mean() > -0.1 * dog.max() and rather[lying].min() < 2 * dog[lying].min()


def test_the_contrastive_places_are_worth_more_of_the_lead(page, network, data_dir: Path):
    x, _ = samples(data_dir, 10)
    fall = page.measured(network, x, pc.HiResCAM())
    assert fall.lead.mean() > 0.5 and (fall.lead > 0).sum() >= 7
    assert fall.lead.mean() > fall.score.mean() + 0.5  # more of the lead than of the score


def test_what_is_blurred_is_the_top_of_the_map(page):
    x = np.random.default_rng(0).normal(size=(2, 3, 10, 10)).astype("float32")
    maps = np.arange(200.0).reshape(2, 10, 10)
    changed = (page.without_top(x, maps) != x).any(axis=1)
    assert (changed == (maps >= maps.max(axis=(1, 2), keepdims=True) - 19)).all()
