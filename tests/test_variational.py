"""A trained generator of counterfactuals: its slopes against differences of the loss, its answers against model and rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from nets import linear
from pellucid.methods.counterfactual.generating import Pull
from pellucid.models.variational import Coding, Generator

INF = float("inf")
NAMES = ["education", "age", "income", "savings"]
SCM = {"income": "2 * education", "savings": lambda v: 0.05 * v["income"] ** 2 - 0.1 * v["age"]}
QUICK = pc.VariationalCounterfactual(batches=120, size=32, hidden=16, latent=4, rate=0.02, draws=12)


def people(n: int, seed: int = 0) -> np.ndarray:
    """Rows in which income and savings follow, (n, 4)"""
    rng = np.random.default_rng(seed)
    education, age = rng.normal(3, 1, n), rng.normal(4, 1, n)
    income = 2 * education + rng.normal(0, 0.5, n)
    return np.stack([education, age, income, 0.05 * income**2 - 0.1 * age + rng.normal(0, 0.5, n)], axis=1)


def bank() -> nn.Module:
    return linear([0.0, 0.0, 1.0, 2.0], -11.0)


def asked(method: Any = QUICK, n: int = 6, **more: Any) -> pc.Counterfactuals:
    given = {"target": (0, INF), "background": people(400, 1), "names": NAMES, **more}
    return pc.counterfactual(bank(), people(10)[:n], method, **given)


def test_slopes_of_the_loss_are_its_differences(monkeypatch: pytest.MonkeyPatch):
    """Everything that pulls at x', against the loss written out by hand."""
    kept: list[Pull] = []
    plain = Pull.of.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Pull,
        "of",
        classmethod(lambda cls, *given: kept.append(made := plain(cls, *given)) or made),  # type: ignore[func-returns-value]
    )
    rules = [pc.Increasing("education"), pc.Decreasing("age"), "savings <= 2 * income - 9", "age == 4"]
    asked(pc.CausalCounterfactual(dataclasses.replace(QUICK, batches=1)), 3, scm=SCM, constraints=rules)
    pull = kept[0]
    unit, weight = pull.problem.distance.unit, QUICK
    rng = np.random.default_rng(2)
    x, made, wanted = people(40), people(40) + rng.normal(0, 1, (40, 4)), rng.integers(0, 2, 40)

    def loss(z: np.ndarray) -> np.ndarray:
        def savings(v: np.ndarray) -> np.ndarray:
            return np.asarray(0.05 * v[:, 2] ** 2 - 0.1 * v[:, 1])

        e = x.copy()
        e[:, 2] += 2 * (z[:, 0] - x[:, 0])
        e[:, 3] += savings(z) - savings(x)
        near = (np.abs(z - e) / unit).mean(axis=1)
        margin = np.where(wanted > 0, 1, -1) * (z[:, 2] + 2 * z[:, 3] - 11) / pull.spread
        relation, w = z[:, 3] - 2 * z[:, 2] + 9, np.array([0, 0, -2, 1])
        broken = np.maximum(0, x[:, 0] - z[:, 0]) / unit[0] + np.maximum(0, z[:, 1] - x[:, 1]) / unit[1]
        broken = broken + np.maximum(0, relation) / np.linalg.norm(w * unit) + np.abs(z[:, 1] - 4) / unit[1]
        return near + weight.validity * np.maximum(0, weight.margin - margin) + weight.lawful * broken

    h = 1e-6
    differences = np.stack([(loss(made + h * one) - loss(made - h * one)) / (2 * h) for one in np.eye(4)], axis=1)
    np.testing.assert_allclose(pull(x, made, wanted), differences, atol=1e-5)


def test_a_generator_without_a_model_learns_to_copy_and_keeps_what_columns_are():
    """Pulled to x alone, x' comes near x; a switch and a block stay shares, and what is held is x's own."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 1)) @ np.array([[3.0, -1.0]]) + 5
    kind = np.eye(3)[rng.integers(0, 3, 300)]
    x = np.concatenate([numbers, rng.integers(0, 2, (300, 1)), kind, rng.normal(size=(300, 1))], axis=1)
    held = np.array([False] * 6 + [True])
    coding = Coding(x.mean(axis=0), x.std(axis=0), (2,), ((3, 4, 5),), held)
    before = torch.random.get_rng_state()
    generator = Generator(coding, 4, 24, 0)
    start = np.abs(generator.draw(x, 1)[:, 0] - x).mean()
    steps = list(generator.learn(x, lambda x, z, y: np.sign(z - x), batches=400, size=32, rate=0.02, divergence=1e-3))
    made = generator.draw(x, 3)
    assert steps[-1] == 400 and torch.equal(before, torch.random.get_rng_state())
    assert np.abs(made[:, 0] - x).mean() < 0.25 * start
    np.testing.assert_allclose(made[:, :, 3:6].sum(axis=2), 1)
    assert (made[:, :, 2:6] >= 0).all() and (made[:, :, 2:6] <= 1).all()
    np.testing.assert_array_equal(made[:, :, 6], np.repeat(x[:, [6]], 3, axis=1))
    again = Generator(coding, 4, 24, 0)
    list(again.learn(x, lambda x, z, y: np.sign(z - x), batches=400, size=32, rate=0.02, divergence=1e-3))
    np.testing.assert_array_equal(again.draw(x, 3), made)


def test_divergence_alone_draws_the_code_to_a_normal_one():
    x = np.random.default_rng(0).normal(size=(200, 3))
    generator = Generator(Coding(np.zeros(3), np.ones(3), (), (), np.zeros(3, bool)), 2, 8, 0)
    list(generator.learn(x, lambda x, z, y: np.zeros(z.shape), batches=400, size=32, rate=0.03, divergence=1.0))
    mean, spread = generator.encode(x, np.ones(200))
    assert mean.abs().max() < 0.1 and spread.abs().max() < 0.1


def test_answers_are_the_models_own_and_keep_to_every_rule():
    rules = [pc.Immutable("age"), pc.Increasing("education"), "savings <= 2 * income"]
    for tidy in (False, True):
        found = asked(dataclasses.replace(QUICK, tidy=tidy, answers=2), 10, constraints=rules)
        new = np.concatenate([found.alternatives[:, k][~np.isnan(found.costs[:, k])] for k in range(2)])
        old = np.concatenate([found.original[~np.isnan(found.costs[:, k])] for k in range(2)])
        assert found.valid.mean() >= 0.9 and len(new) > found.valid.sum()
        assert (new[:, 2] + 2 * new[:, 3] >= 11).all() and (new[:, 1] == old[:, 1]).all()
        assert (new[:, 0] >= old[:, 0]).all() and (new[:, 3] <= 2 * new[:, 2]).all()
        assert "steps on 400 background rows" in found.receipt.notes[-1]


def test_what_is_not_needed_is_taken_back():
    plain, tidy = asked(dataclasses.replace(QUICK, tidy=False)), asked()
    needed = tidy.sparsity > 0
    assert (tidy.cost[needed] < plain.cost[needed]).all() and tidy.sparsity.mean() < plain.sparsity.mean()
    nearest = asked(pc.Wachter())
    assert (tidy.cost >= nearest.cost - 1e-9).all()


def test_in_a_causal_world_noise_is_kept_and_columns_follow():
    found = asked(pc.CausalCounterfactual(QUICK), scm=SCM)
    assert found.valid.mean() >= 0.8
    z, x = found.values[found.valid], found.original[found.valid]
    acted = found.acted[found.valid]

    def noise(v: np.ndarray) -> np.ndarray:
        return np.stack([v[:, 2] - 2 * v[:, 0], v[:, 3] - 0.05 * v[:, 2] ** 2 + 0.1 * v[:, 1]], axis=1)

    same = ~acted[:, 2:]
    assert same.any() and (~same).any()
    np.testing.assert_allclose(noise(z)[same], noise(x)[same], atol=1e-5)
    assert (np.abs(noise(z) - noise(x))[~same] > 1e-9).all()


def test_rows_get_the_same_answer_in_any_company():
    whole, alone = asked(n=5), asked(n=3)
    np.testing.assert_allclose(alone.cost, whole.cost[:3], rtol=1e-6)


def test_a_budget_ends_the_training_and_leaves_rows_for_the_proposals():
    found = asked(budget=pc.Budget(rows=3000))
    steps = int(found.receipt.notes[-1].split("trained in ")[1].split()[0])
    assert found.receipt.rows_forward <= 3000 and 10 < steps < 120
    ticks = iter(range(10**9))
    late = asked(budget=pc.Budget(seconds=40, clock=lambda: float(next(ticks))))
    assert not late.done.all() and "budget" in late.receipt.warnings[0]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"background": None}, pc.InputError, "trained on rows like x"),
        ({"background": np.full((5, 4), np.nan)}, pc.PellucidError, "complete background rows|missing|NaN"),
    ],
)
def test_bad_questions_are_answered_in_words(change: dict[str, Any], error: type, says: str):
    with pytest.raises(error, match=says):
        asked(**change)


@pytest.mark.parametrize("bad", [{"draws": 0}, {"batches": 2.5}, {"rate": -1.0}, {"margin": -1}, {"distance": "l3"}])
def test_bad_fields_are_refused(bad: dict[str, Any]):
    with pytest.raises(pc.MethodError):
        pc.VariationalCounterfactual(**bad)


def test_a_black_box_is_refused():
    with pytest.raises(pc.MethodError, match="needs gradients"):
        pc.counterfactual(lambda z: z.sum(axis=1), people(2), QUICK, target=(99, INF), background=people(40))
