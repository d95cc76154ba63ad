"""Selective explanation: who is called for and in which order by hand, limits, what is saved, and what holds of any policy."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import pellucid as pc
from pellucid.core import spelling
from pellucid.core.selection import uncertainty

#         0     1     2     3     4     5
P = [0.02, 0.40, 0.97, 0.55, 0.71, 0.10]


def test_conditions_and_their_order_by_hand():
    made = pc.ExplainWhen(above=0.7, band=(0.4, 0.7)).choose(P)
    assert made.reasons == ("not called for", "band", "above", "band", "above", "not called for")
    assert made.order.tolist() == [4, 2, 3, 1]  # above first; in each group the nearer to a half, the earlier
    assert made.explained.tolist() == [False, True, True, True, True, False]
    assert made.saved == pytest.approx(1 / 3) and made.seconds_saved is None
    np.testing.assert_allclose(made.probabilities, np.stack([1 - np.array(P), P], 1))
    ends = pc.ExplainWhen(band=(0.40, 0.55)).choose(P)
    assert ends.order.tolist() == [3, 1]  # both ends belong to the band
    assert pc.ExplainWhen(above=0.97).choose(P).order.tolist() == [2]


def test_uncertainty_by_hand():
    p = np.array([[0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0], [0.4, 0.4, 0.2]])
    np.testing.assert_allclose(uncertainty(p)[:3], [1.5 * np.log(2) / np.log(3), 1, 0], atol=1e-12)
    assert pc.ExplainWhen(lead=0.2).choose(p).order.tolist() == [1, 3]
    assert pc.ExplainWhen(lead=0.25).choose(p).reasons == ("lead", "lead", "not called for", "lead")
    assert pc.ExplainWhen(entropy=1.0).choose(p).order.tolist() == [1]
    half = pc.ExplainWhen(entropy=1.5 * np.log(2) / np.log(3) - 1e-9).choose(p)
    assert half.order.tolist() == [1, 3, 0]
    third = pc.ExplainWhen(above=0.25, watched=2).choose(p)
    assert third.order.tolist() == [1, 0]
    assert pc.ExplainWhen(band=(0.9, 1), watched=0).choose(p).order.tolist() == [2]


def test_without_conditions_every_row_the_most_uncertain_first():
    made = pc.ExplainWhen().choose(P)
    assert set(made.reasons) == {"every row"} and made.saved == 0
    assert made.order.tolist() == [3, 1, 4, 5, 2, 0]
    assert pc.ExplainWhen().choose([0.5, 0.5, 0.5]).order.tolist() == [0, 1, 2]  # ties in the order of the rows


def test_limits_and_the_saving_by_hand():
    policy = pc.ExplainWhen(above=0.7, band=(0.4, 0.7), seconds=0.9)
    made = policy.choose(P, seconds_each=0.3)
    assert made.outcomes == (
        "not called for",
        "limit reached",
        "explained",
        "explained",
        "explained",
        "not called for",
    )
    assert made.saved == 0.5 and made.seconds_saved == pytest.approx(3 * 0.3)
    assert policy.choose(P, seconds_each=2).explained.sum() == 0
    few = pc.ExplainWhen(rows=1, seconds=9.0).choose(P, seconds_each=3.0)
    assert few.explained.nonzero()[0].tolist() == [3] and len(few.order) == 6
    told = " ".join(pc.ExplainWhen(above=0.7, rows=1).choose(P, seconds_each=0.5).sentences())
    assert "1 of 6 explained, 83% saved" in told and "2 by above" in told
    assert "1 called for and left out when the limit was reached, 1 of them by above" in told
    assert "about 2.5 s saved, at 0.5 s an explanation (an estimate)" in told
    none = pc.ExplainWhen(above=0.99).choose(P)
    assert none.saved == 1 and none.sentences() == ["0 of 6 explained, 100% saved, by ExplainWhen(above=0.99)"]


policies = st.builds(
    pc.ExplainWhen,
    above=st.none() | st.floats(0, 1),
    band=st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).map(tuple),
    lead=st.none() | st.floats(0, 1),
    entropy=st.none() | st.floats(0, 1),
    seconds=st.none() | st.floats(0.1, 5),
    rows=st.none() | st.integers(1, 9),
    watched=st.sampled_from([-1, 0]),
)


@settings(max_examples=80, deadline=None)
@given(policies, st.integers(2, 4), st.integers(0, 10**6), st.floats(0.05, 2))
def test_of_any_policy(policy, k, seed, each):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(k, 0.5), size=12)
    made = policy.choose(p, each)
    called = [row for row in range(12) if made.reasons[row] != "not called for"]
    assert sorted(made.order.tolist()) == called and set(np.flatnonzero(made.explained)) <= set(called)
    # within its group, no row is left out for the sake of a more certain one
    for group in (True, False):
        mine = [row for row in called if (made.reasons[row] == "above") == group]
        done = [made.uncertainty[row] for row in mine if made.explained[row]]
        left = [made.uncertainty[row] for row in mine if not made.explained[row]]
        assert not done or not left or min(done) >= max(left)
    if not all(made.explained[row] for row in called if made.reasons[row] == "above"):
        assert not any(made.explained[row] for row in called if made.reasons[row] != "above")
    done = int(made.explained.sum())
    assert policy.rows is None or done <= policy.rows
    assert policy.seconds is None or done * each <= policy.seconds + 1e-6
    assert made.saved + done / 12 == pytest.approx(1)
    order = rng.permutation(12)  # the order of the rows does not matter
    moved = policy.choose(p[order], each)
    assert set(order[moved.explained]) == set(np.flatnonzero(made.explained))
    assert spelling.parse(repr(policy)) == spelling.parse(policy.words) == policy


def linear(x):
    z = np.asarray(x, float).sum(axis=1)
    return np.stack([1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))], axis=1)


def test_a_model_is_explained_where_it_is_called_for():
    x = np.array([[3.0, 1.0], [0.2, -0.1], [-4.0, 0.0], [0.0, -0.5]])
    made = pc.explain_when(linear, x, "ExplainWhen(band=(0.3, 0.7))", pc.ExactShapley(), background=np.zeros((1, 2)))
    assert made.order.tolist() == [1, 3] and made.outcomes[0] == "not called for"
    alone = pc.explain(linear, x[[1, 3]], pc.ExactShapley(), background=np.zeros((1, 2)))
    np.testing.assert_allclose(made.attribution.values, alone.values)
    assert made.receipt.rows_forward == 4 + alone.receipt.rows_forward
    assert made.seconds_each == pytest.approx(made.attribution.receipt.seconds / 2)
    assert (
        made.receipt.method
        == "ExplainWhen(above=None, band=(0.3, 0.7), lead=None, entropy=None, seconds=None, rows=None, watched=-1)"
    )
    assert made.to_frame()["outcome"].tolist() == list(made.outcomes)


def test_targets_of_rows_follow_them():
    x = np.array([[3.0, 1.0], [0.2, -0.1], [-4.0, 0.0], [0.0, -0.5]])
    target = np.array([0, 1, 0, 0])
    made = pc.explain_when(linear, x, pc.ExplainWhen(lead=0.5), pc.Occlusion(baseline=0.0), target=target)
    alone = pc.explain(linear, x[[1, 3]], pc.Occlusion(baseline=0.0), target=target[[1, 3]])
    np.testing.assert_allclose(made.attribution.values, alone.values)
    nothing = pc.explain_when(linear, x, pc.ExplainWhen(above=1.0), pc.Occlusion(baseline=0.0))
    assert nothing.attribution is None and nothing.saved == 1 and nothing.receipt.rows_forward == 4


def test_the_limit_of_time_is_kept_by_a_clock():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 2))
    x = torch.randn(6, 2, 4)
    ticks = iter(np.arange(0, 1000, 0.5))
    budget = pc.Budget(seconds=50.0, clock=lambda: float(next(ticks)))
    made = pc.explain_when(net, x, pc.ExplainWhen(seconds=4.0), pc.Occlusion(window=1), target=1, budget=budget)
    done = made.attribution.done
    assert 0 < done.sum() < 6 and done[: done.sum()].all()  # the first of the order, and no others
    assert set(made.order[: done.sum()]) == set(np.flatnonzero(made.explained))
    p = torch.softmax(net(x), 1).detach().numpy()
    assert made.order.tolist() == np.argsort(-uncertainty(p), kind="stable").tolist()
    assert made.outcomes.count("limit reached") == 6 - done.sum()


def test_tables_pipelines_and_frames():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(30, 2)), columns=["age", "debt"])
    model = LogisticRegression().fit(X, (X["age"] > 0).to_numpy())
    made = pc.explain_when(model, X, pc.ExplainWhen(above=0.9, rows=3), pc.KernelShap(samples=16), background=X[:5])
    sure = model.predict_proba(X)[:, 1]
    assert all(sure[row] >= 0.9 for row in made.order) and len(made.attribution) == 3
    assert made.attribution.feature_names == ("age", "debt")


def test_a_selection_survives_the_disk_and_has_a_picture(tmp_path):
    x = np.array([[3.0, 1.0], [0.2, -0.1], [-4.0, 0.0], [0.0, -0.5]])
    made = pc.explain_when(linear, x, pc.ExplainWhen(above=0.9, lead=0.3, rows=2), pc.Occlusion(baseline=0.0))
    back = pc.load(made.save(tmp_path / "s.npz"))
    assert back.policy == made.policy and back.outcomes == made.outcomes and back.seconds_each == made.seconds_each
    np.testing.assert_array_equal(back.attribution.values, made.attribution.values)
    ax = pc.plot.show(made)
    heights = sum(patch.get_height() for patch in ax.patches)
    assert heights == 4 and "50% of 4 not explained" in ax.get_title(loc="left")
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [
        "explained (2)",
        "limit reached (1)",
        "not called for (1)",
    ]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: pc.ExplainWhen(above=1.2), "from 0 to 1"),
        (lambda: pc.ExplainWhen(band=(0.7, 0.3)), "lower one first"),
        (lambda: pc.ExplainWhen(seconds=0), "positive number"),
        (lambda: pc.ExplainWhen(rows=-1), "positive number"),
        (lambda: pc.ExplainWhen().choose([[0.2, 0.2]]), "no probabilities"),
        (lambda: pc.ExplainWhen().choose([np.nan]), "no probabilities"),
        (lambda: pc.ExplainWhen().choose(np.zeros((0, 2))), "expected"),
        (lambda: pc.ExplainWhen(watched=2).choose(P), "2 classes"),
        (lambda: pc.explain_when(linear, np.zeros((1, 2)), pc.Occlusion()), "says not when"),
    ],
)
def test_what_is_refused(wrong, says):
    with pytest.raises(pc.PellucidError, match=says):
        wrong()
