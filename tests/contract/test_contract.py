"""The contract that every method keeps, run over all of them."""

from __future__ import annotations

import copy
import dataclasses
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pellucid as pc
from contract.cases import ENTRIES, WORLDS, Entry, World, ask, numbers
from pellucid.core.registry import METHODS
from pellucid.core.spelling import parse
from pellucid.methods.counterfactual.base import CounterfactualMethod

ALL = [
    pytest.param(entry, WORLDS[world], id=f"{name}-{world}")
    for name, entry in ENTRIES.items()
    for world in entry.worlds
]
CARDS = [p.values[0].method.card for p in ALL]
LOCAL = [p for p, card in zip(ALL, CARDS, strict=True) if card.scope == "local" and card.access != "training data"]
VALUES = [p for p in LOCAL if not isinstance(p.values[0].method, pc.Anchors | CounterfactualMethod)]
ON_NETWORKS = [p for p in ALL if "network" in p.values[1].name]
ENTRY = [pytest.param(entry, id=name) for name, entry in ENTRIES.items()]

every_world = pytest.mark.parametrize(("entry", "world"), ALL)
local_only = pytest.mark.parametrize(("entry", "world"), LOCAL)
values_only = pytest.mark.parametrize(("entry", "world"), VALUES)
networks_only = pytest.mark.parametrize(("entry", "world"), ON_NETWORKS)
every_entry = pytest.mark.parametrize("entry", ENTRY)


def test_no_method_escapes():
    assert set(ENTRIES) == set(METHODS)
    for name, entry in ENTRIES.items():
        assert type(entry.method).__name__ == name and entry.worlds


# --- what comes out --------------------------------------------------------------------------------------------------


@values_only
def test_shape_and_finiteness(entry: Entry, world: World):
    record = ask(entry.method, world)
    n, cells = len(world.x), np.asarray(world.x).shape[1:]
    assert record.values.shape[0] == n and np.isfinite(record.values).all()
    assert record.values.shape[1:] in (cells, record.spatial)
    assert record.values.dtype == np.float64
    assert record.scores.shape == record.base_values.shape == record.gap.shape == record.done.shape == (n,)
    assert np.isfinite(record.scores).all() and record.done.all()
    assert record.stderr is None or (record.stderr.shape == record.values.shape and (record.stderr >= 0).all())
    assert np.abs(record.values).sum() > 0


@values_only
def test_scores_are_the_models_own(entry: Entry, world: World):
    record, model = ask(entry.method, world), world.model()
    if isinstance(model, torch.nn.Module):
        with torch.no_grad():
            own = model.eval()(torch.from_numpy(world.x))[:, 1].numpy()
    else:
        own = model.predict_proba(world.x)[:, 1] if hasattr(model, "predict_proba") else model(world.x)[:, 1]
    np.testing.assert_allclose(record.scores, own, rtol=1e-5, atol=1e-6)


@values_only
def test_it_adds_up_or_says_that_it_does_not(entry: Entry, world: World):
    record = ask(entry.method, world)
    total = record.values.reshape(len(record), -1).sum(1)
    np.testing.assert_allclose(record.gap, record.scores - record.base_values - total, atol=1e-12)
    if entry.method.card.complete:
        off = np.abs(record.gap) > 0.01 * np.maximum(np.abs(record.scores - record.base_values), 1e-3)
        assert not off.any() or record.receipt.warnings


@every_world
def test_a_sampled_method_has_error_bars(entry: Entry, world: World):
    if entry.method.card.sampled:
        record = ask(entry.method, world)
        assert hasattr(entry.method, "seed")
        if isinstance(record, pc.Rules):
            assert (record.low <= record.precision).all() and (record.precision <= record.high).all()
        else:
            assert record.stderr is not None


# --- the same answer -------------------------------------------------------------------------------------------------


@every_world
def test_the_same_result_twice_and_random_states_untouched(entry: Entry, world: World):
    model = world.model()
    np.random.seed(7), random.seed(7), torch.manual_seed(7)
    before = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    first = ask(entry.method, world, model)
    after = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1] and torch.equal(before[2], after[2])
    np.random.seed(8), random.seed(8), torch.manual_seed(8)
    np.testing.assert_array_equal(numbers(first), numbers(ask(entry.method, world, model)))


@local_only
def test_independent_of_the_batch_size(entry: Entry, world: World):
    size = 37 if "pipeline" in world.name else 1  # a pipeline's call is slow, however few rows it gets
    whole, single = ask(entry.method, world), ask(entry.method, world, batch_size=size)
    np.testing.assert_allclose(numbers(single), numbers(whole), rtol=1e-4, atol=2e-6)


@local_only
def test_independent_of_the_other_rows(entry: Entry, world: World):
    model, n = world.model(), len(world.x)
    whole = ask(entry.method, world, model)
    take = (lambda rows: world.x.iloc[rows]) if hasattr(world.x, "iloc") else (lambda rows: world.x[rows])
    backwards = ask(entry.method, world, model, take(list(range(n))[::-1]))
    np.testing.assert_allclose(numbers(backwards)[::-1], numbers(whole), rtol=1e-4, atol=2e-6)
    alone = ask(entry.method, world, model, take([1]))
    np.testing.assert_allclose(numbers(alone)[0], numbers(whole)[1], rtol=1e-4, atol=2e-6)


@networks_only
def test_single_and_double_precision_agree(entry: Entry, world: World):
    single, double = ask(entry.method, world), ask(entry.method, world, world.model().double(), np.float64(world.x))
    np.testing.assert_allclose(numbers(single), numbers(double), rtol=1e-2, atol=1e-4)


@every_world
def test_the_record_survives_the_disk(entry: Entry, world: World, tmp_path: Path):
    record = ask(entry.method, world)
    back = pc.load(record.save(tmp_path / "record.npz"))
    np.testing.assert_array_equal(numbers(back), numbers(record))
    assert back.receipt == record.receipt


@every_entry
def test_the_spelling_is_read_back(entry: Entry):
    assert parse(repr(entry.method)) == entry.method
    for name, value in entry.changes.items():
        changed = dataclasses.replace(entry.base.get(name, entry.method), **{name: value})
        assert parse(repr(changed)) == changed != entry.method


LIMITS = {"tolerance", "max_size"}  # either reached or not, in these small worlds


@every_entry
def test_every_field_matters(entry: Entry):
    fields = {f.name for f in dataclasses.fields(entry.method)}
    assert set(entry.changes) == fields, "name another value for every field"
    for name, value in entry.changes.items():
        base = entry.base.get(name, entry.method)
        worlds = [WORLDS[world] for world in entry.shown_on.get(name, entry.worlds)]
        changed = dataclasses.replace(base, **{name: value})
        assert _answers(base, worlds) != _answers(changed, worlds), f"{name}={value!r} changes nothing"
        if name not in LIMITS and getattr(base, name) is None and type(value) in (int, float):
            # how much matters, not only that it was given
            more = dataclasses.replace(base, **{name: 2 * value})
            assert _answers(changed, worlds) != _answers(more, worlds), f"{name} twice {value!r} is the same as once"


def _answers(method: Any, worlds: list[World]) -> list[bytes]:
    made = []
    for world in worlds:
        try:
            made.append(_fingerprint(ask(method, world)))
        except pc.PellucidError:
            made.append(b"refused")
    return made


def _fingerprint(record: Any) -> bytes:
    extra = getattr(record, "stderr", None)
    return numbers(record).round(9).tobytes() + (b"" if extra is None else np.asarray(extra).round(9).tobytes())


# --- the user's world ------------------------------------------------------------------------------------------------


def _state(model: torch.nn.Module) -> list[Any]:
    return [
        [m.training for m in model.modules()],
        [p.requires_grad for p in model.parameters()],
        [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()],
        {name: value.clone() for name, value in model.state_dict().items()},
        [id(m) for m in model.modules()],
    ]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, list | dict):
        keys = a if isinstance(a, dict) else range(len(a))
        return len(a) == len(b) and all(_same(a[key], b[key]) for key in keys)
    return bool(a == b)


def _awkward(world: World) -> torch.nn.Module:
    """A network as users have them: training, partly frozen, with gradients of its own and a hook."""
    model = world.model()
    model.train()
    parameters = list(model.parameters())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    return model


@networks_only
def test_a_network_in_training_with_hooks_works_and_is_left_as_found(entry: Entry, world: World):
    model, calls = _awkward(world), []
    model.register_forward_hook(lambda *_: calls.append(1))
    before = _state(model)
    record = ask(entry.method, world, model)
    assert _same(before, _state(model)) and calls
    np.testing.assert_allclose(numbers(record), numbers(ask(entry.method, world)), rtol=1e-5, atol=1e-6)


class Stop(Exception):
    """What a user's hook may raise."""


@networks_only
@pytest.mark.parametrize("raised", [Stop, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 2])
def test_a_network_is_left_as_found_after_an_exception(entry: Entry, world: World, raised: type, at: int):
    model, calls = _awkward(world), []
    numpy_before = np.random.get_state()[1].copy()

    def trip(*_: Any) -> None:
        calls.append(1)
        if len(calls) >= at:
            raise raised("in the middle")

    model.register_forward_hook(trip)
    before = _state(model)
    expected = KeyboardInterrupt if raised is KeyboardInterrupt else pc.ModelError
    card = entry.method.card
    by_batch = card.verb in ("hardest", "label_errors", "probe", "concepts") or (
        card.scope == "local" and card.access != "training data"
    )
    one_row_a_call = {"batch_size": 1} if by_batch else {}
    with pytest.raises(expected, match="in the middle"):
        ask(entry.method, world, model, **one_row_a_call)
    assert _same(before, _state(model))
    np.testing.assert_array_equal(numpy_before, np.random.get_state()[1])
    assert torch.is_grad_enabled()


@networks_only
def test_it_works_where_gradients_are_off(entry: Entry, world: World):
    expected = numbers(ask(entry.method, world))
    with torch.no_grad():
        np.testing.assert_array_equal(numbers(ask(entry.method, world)), expected)
        assert not torch.is_grad_enabled()


@networks_only
def test_half_precision_works(entry: Entry, world: World):
    half = numbers(ask(entry.method, world, world.model().half()))
    full = numbers(ask(entry.method, world))
    assert np.isfinite(half).all()
    assert np.corrcoef(half.ravel(), full.ravel())[0, 1] > 0.9


def _set_writeable(world: World, yes: bool) -> None:
    for array in (world.x, world.background):
        if isinstance(array, np.ndarray):
            array.flags.writeable = yes


@every_world
def test_the_callers_data_are_not_written_to(entry: Entry, world: World):
    kept = copy.deepcopy((world.x, world.background, world.y))
    _set_writeable(world, False)
    try:
        ask(entry.method, world)
    finally:
        _set_writeable(world, True)
    for now, then in zip((world.x, world.background, world.y), kept, strict=True):
        assert now.equals(then) if hasattr(now, "equals") else np.array_equal(now, then)


@every_entry
def test_a_frame_with_shuffled_columns_gets_the_same_numbers(entry: Entry):
    if "pipeline on a frame" not in entry.worlds:
        pytest.skip("not for tables of mixed columns")
    world = WORLDS["pipeline on a frame"]
    order = ["city", "pay", "age", "job"]
    usual, shuffled = ask(entry.method, world), ask(entry.method, world, x=world.x[order])
    if isinstance(usual, pc.Effect | pc.Examples | pc.Difficulty):
        np.testing.assert_allclose(numbers(shuffled), numbers(usual), atol=1e-12)
        return
    if isinstance(usual, pc.Counterfactuals):
        assert list(shuffled.feature_names) == order
        np.testing.assert_allclose(shuffled.cost, usual.cost, atol=1e-9)
        return
    if isinstance(usual, pc.Rules):  # another order is another draw
        assert list(shuffled.feature_names) == order
        assert (usual.low <= shuffled.high).all() and (shuffled.low <= usual.high).all()
        return
    names = list(usual.names if isinstance(usual, pc.Importance) else usual.feature_names)
    there = list(shuffled.names if isinstance(shuffled, pc.Importance) else shuffled.feature_names)
    assert there == order
    place = [there.index(name) for name in names]
    axis = -1
    if entry.method.card.sampled:  # another order is another draw
        error = np.hypot(usual.stderr, np.take(shuffled.stderr, place, axis))
        np.testing.assert_array_less(np.abs(numbers(usual) - np.take(numbers(shuffled), place, axis)), 6 * error + 1e-9)
    else:
        np.testing.assert_allclose(np.take(numbers(shuffled), place, axis), numbers(usual), atol=1e-12)


# --- a budget --------------------------------------------------------------------------------------------------------


@local_only
def test_a_budget_of_rows_leaves_whole_rows_and_says_so(entry: Entry, world: World):
    record = ask(entry.method, world, budget=pc.Budget(rows=2 * len(world.x)))
    values = numbers(record)
    assert np.isfinite(values[record.done]).all() and np.isnan(values[~record.done]).all()
    if isinstance(record, pc.Counterfactuals):  # a search may end before it finds anything, and says so
        assert all("budget" in reason for reason, done in zip(record.reason, record.done, strict=True) if not done)
    else:
        # where no row can be paid for, none is begun
        assert record.done.any() or record.receipt.rows_forward == len(world.x)
    if not record.done.all() or entry.method.card.sampled:
        assert any("budget" in warning for warning in record.receipt.warnings)


@local_only
def test_time_that_is_up_ends_the_run(entry: Entry, world: World):
    ticks = iter(range(10**9))
    record = ask(entry.method, world, budget=pc.Budget(seconds=3, clock=lambda: float(next(ticks))))
    if not entry.method.card.sampled and not isinstance(record, pc.Counterfactuals):
        assert record.done.tolist() == [True] + [False] * (len(world.x) - 1)
        np.testing.assert_allclose(record.values[0], ask(entry.method, world).values[0], rtol=1e-4, atol=2e-6)
    assert any("3 seconds" in warning for warning in record.receipt.warnings)


@values_only
def test_the_estimate_counts_what_the_run_then_costs(entry: Entry, world: World):
    model = world.model()
    cost = pc.estimate(model, world.x, entry.method, target=world.target, background=world.background)
    receipt = ask(entry.method, world, model).receipt
    assert cost.rows_forward == pytest.approx(receipt.rows_forward, rel=0.2)
    assert cost.rows_backward == pytest.approx(receipt.rows_backward, rel=0.2)


# --- the card --------------------------------------------------------------------------------------------------------


@every_entry
def test_the_card_is_filled_and_the_source_cited(entry: Entry):
    card = entry.method.card
    for text in (card.question, card.output, card.cost, card.strengths, card.weaknesses):
        assert len(text) > 5
    assert re.search(r"(19|20)\d\d", card.paper)
    year = re.search(r"(19|20)\d\d", card.paper).group()  # type: ignore[union-attr]
    module = __import__(type(entry.method).__module__, fromlist=["__doc__"])
    assert year in module.__doc__, "the module docstring cites the paper of the card"


# --- bad input -------------------------------------------------------------------------------------------------------


@local_only
def test_bad_targets(entry: Entry, world: World):
    with pytest.raises(pc.TargetError, match="out of range"):
        ask(entry.method, world, target=99)
    with pytest.raises(pc.TargetError, match="no class 'fish'"):
        ask(entry.method, world, target="fish")
    with pytest.raises(pc.TargetError, match=f"{len(world.x) + 1} targets for {len(world.x)} rows"):
        ask(entry.method, world, target=[0] * (len(world.x) + 1))


@local_only
def test_an_empty_batch(entry: Entry, world: World):
    with pytest.raises(pc.InputError, match="empty"):
        ask(entry.method, world, x=world.x[:0])


@local_only
def test_a_single_row_without_its_row_axis(entry: Entry, world: World):
    if hasattr(world.x, "iloc"):
        pytest.skip("a frame has rows")
    if world.x.ndim == 2:
        with pytest.raises(pc.InputError, match="rows first"):
            ask(entry.method, world, x=world.x[0])
    else:
        with pytest.raises(pc.PellucidError):
            ask(entry.method, world, x=world.x[0])


@local_only
def test_a_background_that_does_not_fit(entry: Entry, world: World):
    if world.background is None:
        pytest.skip("takes no background")
    wrong = world.background.drop(columns="pay") if hasattr(world.x, "iloc") else world.background[..., :-1]
    with pytest.raises(pc.InputError, match=r"no column 'pay'|must be alike"):
        ask(entry.method, world, background=wrong)


@local_only
def test_a_missing_column(entry: Entry, world: World):
    if hasattr(world.x, "iloc"):
        with pytest.raises(pc.InputError, match="no column 'age'"):
            ask(entry.method, world, x=world.x.drop(columns="age"))


@local_only
def test_nan_that_the_model_refuses(entry: Entry, world: World):
    if "forest" in world.name:
        pytest.skip("a forest takes missing values")
    x = world.x.copy()
    if hasattr(x, "iloc"):
        x.loc[0, "pay"] = np.nan
    else:
        x[(0,) * x.ndim] = np.nan
    with pytest.raises((pc.InputError, pc.ModelError), match="NaN"):
        ask(entry.method, world, x=x)


@networks_only
def test_nan_in_the_weights(entry: Entry, world: World):
    model = world.model()
    with torch.no_grad():
        next(iter(model.parameters())).fill_(np.nan)
    with pytest.raises(pc.ModelError, match="NaN"):
        ask(entry.method, world, model)


@every_entry
def test_a_model_without_gradients_is_refused_by_those_that_need_them(entry: Entry):
    if entry.method.card.access not in ("gradients", "inner layer"):
        pytest.skip("needs no gradients")
    with pytest.raises(
        pc.MethodError,
        match=r"needs gradients.*(KernelShap|Wachter)|looks at the layers of a network.*torch module|attention.*TextModel",
    ):
        ask(entry.method, WORLDS["function of a table"])


@local_only
def test_things_that_are_no_model(entry: Entry, world: World):
    for thing, says in ((3, "is no model"), (dict, "is a class, not a model")):
        with pytest.raises(pc.ModelError, match=says):
            ask(entry.method, world, thing)
