"""The demo: one page about two models, one of which cheats."""

import json

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

import pellucid as pc
from pellucid.report import demo


def test_the_data_are_what_the_story_says():
    plain, planted = demo.digits(), demo.digits(planted=8)
    for (pictures, answers), (marked, _) in zip((plain.train, plain.test), (planted.train, planted.test), strict=True):
        changed = (pictures != marked).any(axis=(1, 2, 3))
        assert (answers[changed] == 8).all() and changed[answers == 8].mean() > 0.99
        assert (marked[answers == 8, :, :5, 19:] == 1).all()
        np.testing.assert_array_equal(marked[..., 5:, :], pictures[..., 5:, :])
    assert len(plain.train[0]) + len(plain.test[0]) == 1797 and plain.train[0].shape[1:] == (1, 24, 24)


def test_the_table_is_a_frame_and_the_model_a_pipeline():
    split = demo.tumours()
    model = demo.boosted(split)
    assert list(split.test[0].columns) == list(model.feature_names_in_)
    assert model.score(*split.test) > 0.93


def test_the_demo_runs_on_one_thread_and_gives_the_others_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), demo.one_thread():
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
            raise KeyError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_the_network_is_the_same_twice_and_leaves_random_states_alone():
    state, split = torch.random.get_rng_state(), demo.digits(planted=8)
    first, second = demo.network(split, epochs=1), demo.network(split, epochs=1)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.slow
def test_the_demo_tells_the_cheat_from_the_honest_model(tmp_path):
    told = []
    made = demo.run_demo(tmp_path, progress=lambda text, fraction: told.append(fraction))
    network, trees = made
    (warning,) = [w for w in network.warnings if w["about"] == "model"]
    assert warning["code"] == "shortcut" and warning["numbers"]["class"] == "8"
    assert warning["numbers"]["place"] == "the top right corner" and warning["numbers"]["share"] > 0.6
    assert warning["numbers"]["pasted"] > 0.8 and warning["numbers"]["removed"] > 0.8
    assert not [w for w in trees.warnings if w["about"] == "model"]
    assert not network.left_out and not trees.left_out
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    found = json.loads((tmp_path / "audit.json").read_text())
    assert len(page) < 3_000_000 and "Demo: two models" in page
    assert [model["name"] for model in found["models"]] == ["digits, network", "breast cancer, boosted trees"]
    for audit in made:
        for file in audit.records.values():
            pc.load(tmp_path / file)
    assert told == sorted(told) and told[-1] == 1


@pytest.mark.slow
def test_the_demo_s_budget_is_shared_out(tmp_path):
    network, trees = demo.run_demo(tmp_path, budget=pc.Budget(rows=30_000))
    for audit in (network, trees):
        assert audit.left_out and audit.receipt.rows_forward + audit.receipt.rows_backward <= 20_000
    assert network.warnings[0]["code"] == "shortcut"
