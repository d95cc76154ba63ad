"""H-statistics: closed forms on full factorials, loops over rows, jackknife by leaving rows out, invariances, trees, refusals."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor

import pellucid as pc
from oracles import oracle

H = pc.FriedmanH()


def factorial(p: int) -> np.ndarray:
    return np.array(list(itertools.product([-1.0, 1.0], repeat=p)))


def rows(n: int = 12, p: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, p))


def bent(x: np.ndarray) -> np.ndarray:
    return x[:, 0] * x[:, 1] + np.exp(x[:, 2] / 2) * x[:, 1] + np.sin(x[:, 0])


def by_loops(f: Callable, x: np.ndarray, j: int, k: int | None) -> float:
    """The paper's sums, one row at a time."""

    def partial(columns: list[int], at: np.ndarray) -> float:
        total = 0.0
        for row in x:
            moved = row.copy()
            moved[columns] = at[columns]
            total += float(f(moved[None])[0])
        return total / len(x)

    both = list(range(x.shape[1])) if k is None else [j, k]
    rest = [c for c in both if c != j]
    terms = np.array([[partial(columns, at) for columns in (both, [j], rest)] for at in x])
    terms -= terms.mean(axis=0)
    return float(((terms[:, 0] - terms[:, 1] - terms[:, 2]) ** 2).sum() / (terms[:, 0] ** 2).sum())


def test_the_oracle():
    known, x = oracle("H-STAT"), factorial(2)
    for f, name in ((lambda x: x[:, 0] * x[:, 1], "prod"), (lambda x: x[:, 0] + x[:, 1], "add")):
        for method in (H, pc.FriedmanH(beside=0), pc.FriedmanH(beside="x0")):
            assert pc.importance(f, x, method=method).mean[1] == pytest.approx(
                known["expected"][name], abs=known["tol"]
            )


def test_shares_on_a_full_factorial():
    """f = x0 x1 + 2 x0 + x2: variances 1 + 4 + 1, orthogonal."""
    x = factorial(3)
    record = pc.importance(lambda x: x[:, 0] * x[:, 1] + 2 * x[:, 0] + x[:, 2] + 7, x, method=H)
    np.testing.assert_allclose(record.mean, [1 / 6, 1 / 6, 0], atol=1e-12)
    assert record.metric == "H²" and record.baseline == pytest.approx(7) and record.samples.shape == (3, 8)
    pairs = pc.importance(lambda x: x[:, 0] * x[:, 1] + 2 * x[:, 0] + x[:, 2], x, method="FriedmanH(beside='x1')")
    np.testing.assert_allclose(pairs.mean, [1 / 5, np.nan, 0], atol=1e-12)
    assert pairs.metric == "H² with x1" and "itself" in pairs.receipt.notes[0]
    assert pairs.ranks().tolist()[1] == 3 and [name for name, _ in pairs.top(2)] == ["x0", "x2"]


def test_a_group_is_one_player():
    """Of x0 x1 + x2, nothing is between {x0, x1} and x2; of x0 x1 + x1 x2 all is between {x0, x2} and x1."""
    x = factorial(3)
    one = pc.importance(lambda x: x[:, 0] * x[:, 1] + x[:, 2], x, method=H, groups={"both": ["x0", "x1"]})
    np.testing.assert_allclose(one.mean, 0, atol=1e-12)
    for method in (H, pc.FriedmanH(beside="both")):
        other = pc.importance(lambda x: x[:, 1] * (x[:, 0] + x[:, 2]), x, method=method, groups={"both": [0, 2]})
        assert other.names == ("both", "x1") and other.mean[1] == pytest.approx(1)


@pytest.mark.parametrize("partner", [None, 0, 1, 2])
def test_the_papers_sums_row_by_row(partner: int | None):
    x = rows()
    x[:, 1] = np.round(x[:, 1])  # ties
    record = pc.importance(bent, x, method=pc.FriedmanH(beside=partner))
    slow = [np.nan if j == partner else by_loops(bent, x, j, partner) for j in range(3)]
    np.testing.assert_allclose(record.mean, slow, rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize("partner", [None, 2])
def test_the_error_is_that_of_leaving_rows_out(partner: int | None):
    x, method = rows(9), pc.FriedmanH(beside=partner)
    record = pc.importance(bent, x, method=method)
    without = np.array([pc.importance(bent, np.delete(x, r, axis=0), method=method).mean for r in range(9)]).T
    np.testing.assert_allclose(record.samples, 9 * record.mean[:, None] - 8 * without, rtol=1e-8)
    jackknife = np.sqrt(8 / 9 * ((without - without.mean(1, keepdims=True)) ** 2).sum(1))
    np.testing.assert_allclose(record.stderr, jackknife, rtol=1e-8)


@pytest.mark.parametrize("partner", [None, 1])
def test_errors_are_those_of_drawing_other_rows(partner: int | None):
    """f = x0 + x1 + x0 x1 of independent normal columns: H² is 1/3 for the whole and for the pair. Intervals are a little short."""
    made = []
    for seed in range(200):
        x = rows(80, 2, seed)
        record = pc.importance(lambda x: x[:, 0] + x[:, 1] + x[:, 0] * x[:, 1], x, method=pc.FriedmanH(beside=partner))
        made.append((record.mean[0], record.stderr[0], *record.interval()[0]))
    mean, stderr, low, high = np.array(made).T
    assert mean.mean() == pytest.approx(1 / 3, abs=0.02)
    assert 0.85 < stderr.mean() / mean.std() < 1.1
    assert 0.83 < ((low <= 1 / 3) & (high >= 1 / 3)).mean() <= 0.98


@settings(max_examples=20, deadline=None)
@given(
    scale=st.floats(0.01, 100),
    shift=st.floats(-10, 10),
    order=st.permutations([0, 1, 2]),
    sign=st.sampled_from([-1, 1]),
)
def test_what_changes_nothing(scale: float, shift: float, order: list[int], sign: int):
    """The score's scale and offset, the columns' order, their units, every row twice, the rows' order."""
    x, method = rows(10), pc.FriedmanH(beside="b")
    usual = pc.importance(lambda f: bent(f.to_numpy()), pd.DataFrame(x, columns=list("abc")), method=method)
    table = pd.DataFrame(np.exp(np.tile(x, (2, 1))[::-1][:, order]), columns=[list("abc")[j] for j in order])

    def other(f: pd.DataFrame) -> np.ndarray:
        return sign * scale * bent(np.log(f[list("abc")].to_numpy())) + scale * shift

    moved = pc.importance(other, table, method=method)
    assert moved.names == tuple(table.columns)
    np.testing.assert_allclose(moved.mean, usual.mean[order], rtol=1e-7)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_what_only_adds_has_none_whatever_the_data(seed: int):
    x = rows(15, 3, seed)
    x[:, 1] += 2 * x[:, 0]  # columns that go together are no interaction
    for method in (H, pc.FriedmanH(beside=0)):
        record = pc.importance(lambda x: np.exp(x[:, 0]) - x[:, 1] ** 2 + np.abs(x[:, 2]), x, method=method)
        assert np.nan_to_num(record.mean).tolist() == [0, 0, 0] and np.nan_to_num(record.stderr).max() == 0


def test_nothing_to_take_a_share_of():
    flat = pc.importance(lambda x: np.full(len(x), 3.0), rows(), method=H)
    assert np.isnan(flat.mean).all() and np.isnan(flat.stderr).all() and "does not vary" in flat.receipt.warnings[0]
    threefold = pc.importance(lambda x: x.prod(1), factorial(3), method=pc.FriedmanH(beside=0))
    assert np.isnan(threefold.mean).all() and "'x1', 'x2': does nothing" in threefold.receipt.warnings[0]
    np.testing.assert_allclose(pc.importance(lambda x: x.prod(1), factorial(3), method=H).mean, 1)


def test_a_share_of_little_is_named():
    """0.05 x0 x1 is all that x0 does with x1, and next to nothing of a score that is x2."""
    x = factorial(3)
    record = pc.importance(lambda x: x[:, 2] + 0.05 * x[:, 0] * x[:, 1], x, method=pc.FriedmanH(beside=0))
    assert record.mean[1] == pytest.approx(1)
    (warning,) = record.receipt.warnings
    assert warning.startswith("'x1': does little together with 'x0', less than 1%")


def test_points_off_the_data_are_named():
    x = rows(60)
    x[:, 1] = x[:, 0] + 0.05 * x[:, 1]
    warnings = pc.importance(bent, x, method=H).receipt.warnings
    assert len(warnings) == 2 and "'x0' and 'x1' go together" in warnings[0] and "no data" in warnings[0]


def test_rows_are_drawn_by_the_seed():
    x = rows(50)
    few = pc.importance(bent, x, method=pc.FriedmanH(rows=10, seed=3))
    drawn = pc.FriedmanH(rows=10, seed=3).draw(50)
    assert len(set(drawn.tolist())) == 10 and (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(few.mean, pc.importance(bent, x[drawn], method=H).mean)
    assert few.receipt.notes == ("on 10 rows drawn from 50",) and few.samples.shape == (3, 10)
    assert (few.mean != pc.importance(bent, x, method=pc.FriedmanH(rows=10, seed=4)).mean).any()
    frame = pd.DataFrame(x, columns=list("abc"))
    named = pc.importance(lambda f: bent(f.to_numpy()), frame, method=pc.FriedmanH(rows=10, seed=3))
    np.testing.assert_array_equal(named.mean, few.mean)


def test_the_cost_is_what_is_said():
    x = rows(20)
    x[:, 1] = np.arange(20) % 2
    asked: list[int] = []

    def counted(x: np.ndarray) -> np.ndarray:
        asked.append(len(x))
        return bent(x)

    record = pc.importance(counted, x, method=H)
    assert record.receipt.rows_forward == sum(asked) == 20 + 20 * (20 + 2 + 20)
    asked.clear()
    pc.importance(counted, x, method=pc.FriedmanH(beside=1))
    assert sum(asked) == 20 + 20 * (2 + 2 * (20 + 20))
    for method in (H, "FriedmanH(beside=1, rows=9)", pc.FriedmanH):
        cost = pc.estimate(bent, np.tile(x, (2, 1)), method)
        assert cost.rows_forward == pc.importance(bent, np.tile(x, (2, 1)), method=method).receipt.rows_forward
        assert cost.rows_backward == 0 < cost.seconds


def test_a_frame_with_levels():
    """The level takes part in the product; against the same function of codes, by loops."""
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.integers(0, 3, 14), rng.normal(size=14), rng.normal(size=14)])
    frame = pd.DataFrame({"job": np.array(["clerk", "nurse", "smith"])[codes[:, 0].astype(int)], "pay": codes[:, 1]})
    frame["age"] = codes[:, 2]

    def of_codes(x: np.ndarray) -> np.ndarray:
        return (x[:, 0] == 1) * x[:, 1] + x[:, 1] * x[:, 2]

    def model(f: pd.DataFrame) -> np.ndarray:
        return (f["job"] == "nurse").to_numpy() * f["pay"].to_numpy() + f["pay"].to_numpy() * f["age"].to_numpy()

    for partner, place in ((None, None), ("pay", 1)):
        record = pc.importance(model, frame, method=pc.FriedmanH(beside=partner))
        slow = [np.nan if j == place else by_loops(of_codes, codes, j, place) for j in range(3)]
        np.testing.assert_allclose(record.mean, slow, rtol=1e-9, atol=1e-20)


@pytest.mark.parametrize("partner", [None, "x1"])
def test_trees_are_walked_to_the_same_shares(partner: str | None):
    x = rows(160)
    y = bent(x)
    x[::7, 2] = np.nan
    forest = RandomForestRegressor(5, max_depth=5, random_state=0).fit(x, y)
    method = pc.FriedmanH(beside=partner)
    walked, asked = pc.importance(forest, x, method=method), pc.importance(forest.predict, x, method=method)
    assert walked.receipt.rows_forward == 160 < asked.receipt.rows_forward
    np.testing.assert_allclose(walked.mean, asked.mean, rtol=1e-8)
    np.testing.assert_allclose(walked.stderr, asked.stderr, rtol=1e-7)


def test_stumps_do_not_interact():
    x = rows(160)
    stumps = GradientBoostingRegressor(max_depth=1, n_estimators=20, random_state=0).fit(x, bent(x))
    assert pc.importance(stumps, x, method=H).mean.tolist() == [0, 0, 0]


def test_the_plot_says_what_it_shows():
    record = pc.importance(bent, rows(40), method=pc.FriedmanH(beside=1))
    ax = pc.plot.show(record)
    assert ax.get_title("left") == "FriedmanH · H² with x1" and len(ax.patches) == 2
    assert "the two columns' joint effect that is interaction" in ax.get_xlabel()
    assert "over 40 rows; 1 undefined" in ax.get_xlabel()
    assert "share of the score's variance" in pc.plot.show(pc.importance(bent, rows(), method=H)).get_xlabel()
    flat = pc.plot.show(pc.importance(lambda x: np.zeros(len(x)), rows(), method=H))
    assert any("undefined" in text.get_text() for text in flat.texts)


@pytest.mark.parametrize("fields", [{"rows": 1}, {"rows": 2.5}, {"rows": True}, {"beside": 1.5}, {"beside": True}])
def test_fields_that_mean_nothing(fields: dict):
    with pytest.raises(pc.MethodError, match=f"{next(iter(fields))}=.*expected"):
        pc.FriedmanH(**fields)


@pytest.mark.parametrize(
    "arguments, says",
    [
        ({"method": H, "metric": "r2"}, "FriedmanH measures no performance"),
        ({"method": H, "background": np.ones((1, 3))}, "takes no background"),
        ({"method": pc.FriedmanH(beside="pay")}, "no such column or group; there are x0, x1, x2"),
        ({"method": pc.FriedmanH(beside=3)}, "no such column or group"),
        ({"method": pc.FriedmanH(beside=0), "groups": {"a": [0, 1]}}, "there are a, x2"),
        ({"method": pc.FriedmanH(beside="a"), "groups": {"a": [0, 1, 2]}}, "no other column"),
    ],
)
def test_arguments_that_do_not_go_together(arguments: dict, says: str):
    with pytest.raises(pc.PellucidError, match=says):
        pc.importance(bent, rows(), **arguments)


def test_tables_of_more_than_one_row_only():
    with pytest.raises(pc.InputError, match="one row"):
        pc.importance(bent, rows(1), method=H)
    with pytest.raises(pc.InputError, match="columns of a table"):
        pc.importance(lambda x: x.sum((1, 2)), np.ones((3, 4, 4)), method=H)


def test_the_target_is_the_one_asked_for():
    x = rows()
    both = pc.importance(lambda x: np.stack([x.sum(1), bent(x)], axis=1), x, method=H, target=1)
    np.testing.assert_allclose(both.mean, pc.importance(bent, x, method=H).mean)
