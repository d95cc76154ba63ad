"""What notebooks and gallery stand on: the pictures, where classes are in them, and the numbers printed beside maps."""

import dataclasses

import numpy as np
import pytest
import torch

import pellucid as pc
import photographs
import scenes


@pytest.fixture(scope="module")
def network():
    return photographs.network(steps=3)


def test_a_collage_says_where_each_class_is():
    picture, where = photographs.collage("rocket", "cat", "coffee", "astronaut")
    assert picture.shape == (1, 3, 96, 96) and picture.min() >= -1 and picture.max() <= 1
    corners = [where[0, 0], where[0, -1], where[-1, 0], where[-1, -1]]
    assert [photographs.NAMES[k] for k in corners] == ["rocket", "cat", "coffee", "astronaut"]
    np.testing.assert_array_equal(picture[0, :, :48, :48], photographs.collage(*["rocket"] * 4)[0][0, :, 48:, 48:])


def test_training_is_the_same_every_time_and_leaves_the_global_stream_alone(network):
    before = torch.random.get_rng_state()
    again = photographs.network(steps=3)
    assert torch.equal(before, torch.random.get_rng_state())
    for one, other in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_the_network_learns_its_five_photographs():
    net = photographs.network()
    pictures, labels = photographs.crops(300, np.random.default_rng(7))
    with torch.no_grad():
        assert (net(pictures).argmax(1) == labels).float().mean() > 0.9
        assert net(torch.as_tensor(photographs.subjects())).argmax(1).tolist() == [0, 1, 2, 3, 4]


def record_of(at, values):
    return pc.Attribution.from_arrays(values, data=at.x, target=at.targets.tolist())


def test_inside_is_the_share_where_the_class_is(network):
    at = scenes.small(network)
    assert scenes.inside(at, record_of(at, np.ones(at.x.shape))) == pytest.approx(0.25)
    assert scenes.inside(at, record_of(at, np.where(at.where[:, None], 1.0, -1.0) * np.ones(at.x.shape))) == 1
    assert scenes.inside(at, record_of(at, np.where(at.where[:, None], -1.0, 1.0) * np.ones(at.x.shape))) == 0
    assert np.isnan(scenes.inside(at, record_of(at, -np.ones(at.x.shape))))
    undone = dataclasses.replace(record_of(at, np.ones(at.x.shape)), done=np.zeros(len(at.x), bool))
    assert np.isnan(scenes.inside(at, undone))


def test_the_evidence_is_that_of_the_metrics(network):
    at = scenes.small(network)
    record = pc.explain(network, at.x, pc.LRP(), target=at.targets)
    told, card = scenes.evidence(at, record), scenes.judged(at, record)
    assert set(told) == {"deletion", "insertion", "half / all weights anew", "in its quarter", "largest gap"}
    half, whole = scenes.anew(card)
    assert told["half / all weights anew"] == f"{scenes.signed(half)} / {scenes.signed(whole)}"
    assert whole == pytest.approx(card["ModelRandomization"].value.mean())
    assert scenes.beside(at, record).axes
