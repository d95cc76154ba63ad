"""The contract that every metric keeps, whatever it measures."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
import torch

import nets
import pellucid as pc
from contract.metric_cases import ELSEWHERE, JUDGES, Judge, differs, pictures, record, same
from pellucid.core import registry, spelling
from pellucid.metrics.base import MetricCard

ALL = pytest.mark.parametrize("judge", [pytest.param(judge, id=name) for name, judge in JUDGES.items()])
EVERYWHERE = pytest.mark.parametrize(
    "judge", [pytest.param(judge, id=name) for name, judge in (JUDGES | ELSEWHERE).items()]
)
REPEATING = pytest.mark.parametrize(
    "judge", [pytest.param(judge, id=name) for name, judge in JUDGES.items() if judge.repeats]
)


@pytest.fixture(scope="module")
def net():
    return nets.cnn()


def test_no_public_metric_escapes_the_contract():
    assert {*JUDGES, *ELSEWHERE} == set(registry.METRICS) and not set(JUDGES) & set(ELSEWHERE)
    for name, judge in (JUDGES | ELSEWHERE).items():
        assert type(judge.metric).__name__ == name
        assert {f.name for f in dataclasses.fields(judge.metric)} == set(judge.changes)


@EVERYWHERE
def test_the_card_says_what_a_reader_must_know(judge: Judge):
    card = judge.metric.card
    assert isinstance(card, MetricCard)
    assert all(getattr(card, text) for text in ("question", "chance", "cost", "weaknesses", "paper"))
    assert card.question.endswith("?") and card.range[0] < card.range[1]


@EVERYWHERE
def test_the_spelling_reads_back(judge: Judge):
    metric = judge.metric
    assert spelling.parse(repr(metric)) == metric
    assert spelling.parse(type(metric).__name__) == type(metric)()
    for key, value in judge.changes.items():
        changed = dataclasses.replace(judge.base.get(key, metric), **{key: value})
        assert spelling.parse(repr(changed)) == changed != metric
        assert hash(changed) is not None


@ALL
def test_the_promised_shape_and_range(judge: Judge, net):
    card = judge.of(net, record())
    (made,), (line,) = card.curves, card.lines
    assert made.metric == line.metric == type(judge.metric).__name__
    assert made.value.shape == made.degenerate.shape == (4,) and not made.degenerate.any()
    assert all(len(value) == 4 for value in made.detail.values())
    assert made.higher_is_better == line.higher_is_better == (judge.metric.card.direction == "higher")
    low, high = judge.metric.card.range
    known = made.value[np.isfinite(made.value)]
    assert (low <= known).all() and (known <= high).all()
    assert len(known) == 4 or not judge.finite
    assert line.rows == len(known) and line.degenerate == 0 and line.verdict
    if not judge.metric.card.strata:
        assert line.mean == pytest.approx(known.mean())


@REPEATING
def test_the_same_answer_twice(judge: Judge, net):
    same(judge.of(net, record()).curves[0], judge.of(net, record()).curves[0], rtol=0)


@REPEATING
def test_every_field_matters(judge: Judge, net):
    for key, value in judge.changes.items():
        metric = judge.base.get(key, judge.metric)
        first = judge.of(net, record(), metric).curves[0]
        other = judge.of(net, record(), dataclasses.replace(metric, **{key: value})).curves[0]
        assert differs(first, other), key


@REPEATING
def test_a_row_is_judged_alike_in_any_company_and_order(judge: Judge, net):
    whole, order = judge.of(net, record()).curves[0], [2, 0]
    same(judge.of(net, record()[order]).curves[0], whole[order], rtol=1e-4, atol=1e-5)


@REPEATING
def test_the_batch_size_changes_nothing(judge: Judge, net, monkeypatch):
    whole = judge.of(net, record()).curves[0]
    monkeypatch.setattr("pellucid.models.torch.TorchAdapter.batch_rows", 3)
    same(judge.of(net, record()).curves[0], whole, rtol=1e-4, atol=1e-5)


@ALL
@pytest.mark.parametrize("fails", [False, True])
def test_the_world_is_left_as_found(judge: Judge, fails):
    if fails and not judge.asks:
        pytest.skip("asks the model nothing that could fail")
    net, calls = nets.cnn().train(), []

    def hook(module, inputs, output):
        calls.append(1)
        if fails and len(calls) > 3:
            raise RuntimeError("no more")

    net[0].register_forward_hook(hook)
    net[0].weight.grad = torch.ones_like(net[0].weight)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    values, data = record().values.copy(), record().data.copy()
    states = np.random.get_state()[1].copy(), random.getstate(), torch.get_rng_state()
    if fails:
        with pytest.raises(pc.ModelError, match="no more"):
            pc.evaluate(net, record(), [pc.Deletion(steps=2, randoms=1)] * 4 + [judge.metric], **judge.told(record()))
    else:
        judge.of(net, record())
    assert all(module.training for module in net.modules())
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert (net[0].weight.grad == 1).all() and len(net[0]._forward_hooks) == 1
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert (record().values == values).all() and (record().data == data).all()
    assert (np.random.get_state()[1] == states[0]).all() and random.getstate() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])


@ALL
def test_model_rows_are_counted_to_the_last(judge: Judge):
    counted, seen = nets.cnn(), []
    counted.register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    made = judge.of(counted, record())
    if not {"network", "retrain"} & set(judge.metric.card.needs):  # other networks do not count into this list
        assert made.receipt.rows_forward == sum(seen)
    assert made.receipt.rows_forward >= 4 and made.curves[0].receipt.rows_forward <= made.receipt.rows_forward


@ALL
def test_scorecards_survive_saving(judge: Judge, net, tmp_path):
    card, name = judge.of(net, record()), type(judge.metric).__name__
    back = pc.load(card.save(tmp_path / "card.npz"))
    same(back[name], card[name], rtol=0)
    np.testing.assert_equal(back.lines, card.lines)
    assert back.receipt == card.receipt and back[name].receipt == card[name].receipt and back.method == card.method
    pc.load(card[name][1:3].save(tmp_path / "curve.npz"))


@ALL
@pytest.mark.parametrize("level", [0.0, 2.5])
def test_constant_maps_are_called_degenerate(judge: Judge, level, net):
    if not judge.any_way:
        pytest.skip("explains anew by methods of ours only")
    flat = pc.Attribution.from_arrays(np.full((4, 2, 8, 8), level), data=pictures(), target=0, base_values=0.0)

    def again(model, z):
        return pc.Attribution.from_arrays(np.full((len(z), 2, 8, 8), level), data=z, target=0, base_values=0.0)

    card = judge.of(net, flat, again=again)
    assert card.curves[0].degenerate.all() and card.lines[0].degenerate == 4
    assert "degenerate" in card.lines[0].verdict and "passes" not in card.lines[0].verdict


@ALL
def test_what_is_no_finite_map_of_the_data_is_refused(judge: Judge, net):
    good = pc.Attribution.from_arrays(np.ones((4, 2, 8, 8)), data=pictures(), target=0)
    hole = good.values.copy()
    hole[1, 0, 0, 0] = np.nan
    told = judge.told(record())
    with pytest.raises(pc.InputError, match="NaN"):
        pc.evaluate(net, dataclasses.replace(good, values=hole), judge.metric, **told)
    with pytest.raises(pc.InputError, match="shape"):
        pc.evaluate(net, dataclasses.replace(good, values=np.ones((4, 3, 5))), judge.metric, **told)
    with pytest.raises(pc.InputError, match="from_arrays"):
        pc.evaluate(net, np.ones((4, 2, 8, 8)), judge.metric, **told)


@ALL
def test_one_row_gives_a_value_and_no_interval(judge: Judge, net):
    line = judge.of(net, record()[:1]).lines[0]
    assert np.isfinite(line.mean) and np.isnan([line.low, line.high]).all()
    assert line.advantage_low is None or np.isnan(line.advantage_low)
    if line.advantage is not None or judge.metric.card.bar is not None:
        assert line.verdict.startswith("one row gives no interval")
