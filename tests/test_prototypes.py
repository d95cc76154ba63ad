"""Prototypes: the oracle, the naive double loop, exhaustive search, another solver, planted clusters, bad input."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits

import pellucid as pc
from oracles import oracle
from pellucid.cli.app import app
from pellucid.methods.example import kernels
from pellucid.methods.example.points import as_points

LINE = np.array([0, 0.1, 0.2, 5, 5.1, 9])[:, None]


def rbf(X, gamma):
    """Straight from the definition, one pair after the other."""
    return np.array([[np.exp(-gamma * ((a - b) ** 2).sum()) for b in X] for a in X])


def discrepancy(K, chosen, weights=None):
    """MMD^2 by the double loops of its definition."""
    n, w = len(K), np.full(len(chosen), 1 / len(chosen)) if weights is None else weights
    data = sum(K[i, j] for i in range(n) for j in range(n)) / n**2
    both = sum(w[b] * K[i, j] for i in range(n) for b, j in enumerate(chosen)) / n
    return data - 2 * both + sum(w[a] * w[b] * K[i, j] for a, i in enumerate(chosen) for b, j in enumerate(chosen))


def cloud(n=30, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def test_the_known_answer():
    known = oracle("MMD-1")["expected"]
    made = pc.prototypes(LINE, pc.MMDCritic(prototypes=3, criticisms=1, kernel=pc.RBF(gamma=0.5)))
    assert made.indices.tolist() == known["greedy"]
    np.testing.assert_allclose(made.curve, known["mmd2_path"], atol=1e-8)
    np.testing.assert_allclose(made.witness, known["witness"], atol=1e-8)
    assert made.criticisms.tolist() == [known["first_criticism_abs"]]
    np.testing.assert_allclose(made.weights, 1 / 3)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_each_prototype_is_the_best_next_one_by_the_naive_double_loop(seed):
    X = cloud(12, 2, seed)
    made, K = pc.prototypes(X, pc.MMDCritic(prototypes=4, criticisms=0, kernel=pc.RBF(gamma=0.7))), rbf(X, 0.7)
    for size in range(1, 5):
        chosen = made.indices[:size].tolist()
        before = [i for i in range(12) if i not in chosen[:-1]]
        best = min(discrepancy(K, [*chosen[:-1], i]) for i in before)
        assert made.curve[size - 1] == pytest.approx(discrepancy(K, chosen), abs=1e-12)
        assert made.curve[size - 1] == pytest.approx(best, abs=1e-12)


def test_greedy_beside_exhaustive_search_on_twelve_points():
    """Greedy is not the best choice, and never better than it; on 40 clouds it leaves a third more in the median."""
    excess = []
    for seed in range(40):
        X = cloud(12, 2, seed)
        K = rbf(X, 0.7)
        made = pc.prototypes(X, pc.MMDCritic(prototypes=3, criticisms=0, kernel=pc.RBF(gamma=0.7)))
        sets = np.array(list(itertools.combinations(range(12), 3)))
        best = (
            K.mean() - 2 * K.mean(axis=0)[sets].mean(axis=1) + K[sets[:, :, None], sets[:, None]].mean(axis=(1, 2))
        ).min()
        excess.append(made.curve[-1] / best)
    assert min(excess) >= 1 - 1e-12
    assert np.median(excess) < 1.4 and np.mean(np.array(excess) < 2) > 0.9


def test_criticisms_are_the_greedy_choice_of_the_papers_objective():
    X = cloud(25)
    made, K = pc.prototypes(X, pc.MMDCritic(prototypes=4, criticisms=5, kernel=pc.RBF(gamma=0.3))), rbf(X, 0.3)
    witness = K.mean(axis=1) - K[:, made.indices].mean(axis=1)
    np.testing.assert_allclose(made.witness, witness, atol=1e-12)
    picked: list[int] = []
    for row in made.criticisms.tolist():
        free = [i for i in range(25) if i not in picked and i not in made.indices]
        value = {}
        for i in free:
            some = [*picked, i]
            value[i] = np.abs(witness[some]).sum() + np.linalg.slogdet(K[np.ix_(some, some)])[1]
        assert value[row] == pytest.approx(max(value.values()), abs=1e-10)
        picked.append(row)
    plain = pc.prototypes(X, pc.MMDCritic(prototypes=4, criticisms=5, kernel=pc.RBF(gamma=0.3), regularize=False))
    others = np.setdiff1d(np.arange(25), made.indices)
    assert plain.criticisms.tolist() == others[np.argsort(-np.abs(witness[others]))][:5].tolist()


def test_prototypes_are_typical_and_criticisms_are_the_strays():
    """Three clusters of unequal size and two rows far from all: a prototype in each cluster, the strays as criticisms."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    X = np.vstack([np.array([[0, 0], [6, 0], [0, 6]])[labels] + 0.3 * rng.normal(size=(100, 2)), [[20, 20], [-20, 10]]])
    known = np.append(labels, [3, 4])
    made = pc.prototypes(X, pc.MMDCritic(prototypes=3, criticisms=2, kernel=pc.RBF(gamma=0.5)), labels=known)
    assert sorted(known[made.indices]) in ([0, 0, 1], [0, 1, 2])  # the small cluster may lose to the large one
    weighted = pc.prototypes(X, pc.ProtoDash(prototypes=5, kernel=pc.RBF(gamma=0.5)), labels=known)
    assert sorted(known[weighted.indices[:3]]) == [0, 1, 2]
    order = np.argsort(-weighted.weights[:3])
    assert known[weighted.indices[:3][order]].tolist() == [0, 1, 2]  # by how many rows each stands for
    centres = np.array([[0, 0], [6, 0], [0, 6]])[known[weighted.indices[:3]]]
    assert np.abs(X[weighted.indices[:3]] - centres).max() < 0.5


def test_per_class_represents_each_class_by_its_own_rows():
    X, y = load_digits(return_X_y=True)
    X, y = X[:400], y[:400]
    each = pc.prototypes(X, pc.MMDCritic(prototypes=10, criticisms=0, per_class=True), labels=y)
    assert sorted(y[each.indices]) == list(range(10))
    nearest = ((X[:, None] - X[each.indices]) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(each.nearest, nearest)
    other = np.setdiff1d(np.arange(400), each.indices)
    assert each.accuracy == pytest.approx((y[each.indices][nearest] == y)[other].mean())
    assert each.accuracy > 0.68
    assert each.shares.sum() == pytest.approx(1)


def test_protodash_weights_are_what_another_solver_finds():
    X = cloud(40, 3, 2)
    K = rbf(X, 0.4)
    made = pc.prototypes(X, pc.ProtoDash(prototypes=6, kernel=pc.RBF(gamma=0.4)))
    mu = K.mean(axis=1)
    for size in range(1, 7):
        rows = made.indices[:size]
        inside, aim = K[np.ix_(rows, rows)], mu[rows]
        found = minimize(
            lambda w, k=inside, m=aim: 0.5 * w @ k @ w - w @ m,
            np.full(size, 0.1),
            jac=lambda w, k=inside, m=aim: k @ w - m,
            bounds=[(0, None)] * size,
            options={"ftol": 1e-15, "gtol": 1e-12},
        )
        assert made.curve[size - 1] == pytest.approx(K.mean() + 2 * found.fun, abs=1e-9)
        if size < 6:
            gradient = mu - K[:, rows] @ found.x
            gradient[rows] = -np.inf
            assert made.indices[size] == gradient.argmax()
    np.testing.assert_allclose(made.weights, found.x, atol=1e-6)
    assert (made.weights >= 0).all() and (np.diff(made.curve) < 1e-12).all()
    assert made.curve[-1] == pytest.approx(discrepancy(K, made.indices, made.weights), abs=1e-12)


def test_protodash_stops_where_more_rows_say_nothing():
    X = np.repeat(cloud(3), 4, axis=0)
    made = pc.prototypes(X, pc.ProtoDash(prototypes=6, kernel=pc.RBF(gamma=0.4)))
    assert len(made) == 3 and made.curve[-1] == pytest.approx(0, abs=1e-12)
    assert any("would get no weight" in said for said in made.receipt.warnings)
    assert any("9 of 12 rows equal another" in said for said in made.receipt.warnings)


@pytest.mark.parametrize("method", [pc.MMDCritic(4, 3, pc.RBF(0.2)), pc.ProtoDash(4, pc.RBF(0.2))])
def test_a_kernel_given_and_a_kernel_made_agree_and_the_order_of_rows_does_not_matter(method):
    X = cloud(50, 4, 3)
    made = pc.prototypes(X, method)
    given_ = pc.prototypes(rbf(X, 0.2), replace(method, kernel=pc.Precomputed()))
    np.testing.assert_array_equal(made.indices, given_.indices)
    np.testing.assert_allclose(made.curve, given_.curve, atol=1e-12)
    order = np.random.default_rng(0).permutation(50)
    shuffled = pc.prototypes(X[order], method)
    np.testing.assert_array_equal(order[shuffled.indices], made.indices)
    if made.criticisms is not None:
        np.testing.assert_array_equal(order[shuffled.criticisms], made.criticisms)
    moved = pc.prototypes(X + 1e6, method)  # differences of large numbers
    np.testing.assert_array_equal(moved.indices, made.indices)


def test_blocks_and_threads_change_nothing(monkeypatch):
    X, method = cloud(70, 5, 4), pc.MMDCritic(5, 3)
    whole = pc.prototypes(X, method)
    monkeypatch.setattr(kernels, "_BLOCK", 16)
    heard: list[int] = []
    small = pc.prototypes(X, method, progress=heard.append)
    assert sum(heard) == 70 and len(heard) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    threaded = pc.prototypes(X, method)
    np.testing.assert_allclose(small.witness, whole.witness, atol=1e-14)
    for name in ("indices", "criticisms", "witness", "curve"):
        np.testing.assert_array_equal(getattr(small, name), getattr(threaded, name))


def test_the_median_heuristic():
    X = cloud(9)
    pairs = [((X[i] - X[j]) ** 2).sum() for i in range(9) for j in range(i)]
    assert kernels.median_gamma(X) == pytest.approx(1 / (2 * np.median(pairs)))
    assert kernels.median_gamma(np.repeat(X, 2, axis=0)) == pytest.approx(
        1 / (2 * np.median(pairs))
    )  # equal rows aside


def test_a_frames_columns_have_comparable_units():
    frame = pd.DataFrame({"pay": [1000.0, 2000, 3000, 4000], "job": ["a", "b", "a", "b"], "flat": [1, 1, 1, 1]})
    (points,) = as_points(frame)
    away = ((points[:, None] - points) ** 2).sum(axis=2)
    deviation = frame["pay"].std(ddof=0)
    assert away[0, 2] == pytest.approx((2000 / deviation) ** 2)
    assert away[0, 1] == pytest.approx((1000 / deviation) ** 2 + 1)
    made = pc.prototypes(frame, pc.MMDCritic(2, 1))
    assert made.to_frame().columns.tolist() == ["row", "weight", "squared discrepancy", "nearest to"]


def test_what_cannot_be_done_is_refused_with_its_remedy():
    X = cloud(6)
    with pytest.raises(
        pc.InputError, match=r"7 prototypes and 5 criticisms cannot be picked from 6 rows: ask for fewer"
    ):
        pc.prototypes(X, pc.MMDCritic(prototypes=7))
    holes = X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(pc.InputError, match=r"1 of 6 rows hold NaN .* row 3\)"):
        pc.prototypes(holes, pc.MMDCritic(2, 1))
    with pytest.raises(pc.InputError, match="column 'b' is missing or infinite in 1 of 3 rows"):
        pc.prototypes(pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "y"]}), pc.MMDCritic(1, 1))
    with pytest.raises(pc.InputError, match="all rows are equal"):
        pc.prototypes(np.ones((5, 2)), pc.MMDCritic(1, 1))
    with pytest.raises(pc.InputError, match=r"labels have shape \(5,\): expected \(6,\)"):
        pc.prototypes(X, pc.MMDCritic(2, 1), labels=np.zeros(5))
    with pytest.raises(pc.MethodError, match="give labels="):
        pc.prototypes(X, pc.MMDCritic(2, 1, per_class=True))
    with pytest.raises(pc.InputError, match=r"reads the data as a kernel, \(n, n\), and got shape \(6, 3\)"):
        pc.prototypes(X, pc.MMDCritic(2, 1, kernel=pc.Precomputed()))
    with pytest.raises(pc.InputError, match="a kernel is symmetric"):
        pc.prototypes(cloud(6, 6), pc.MMDCritic(2, 1, kernel=pc.Precomputed()))
    for wrong in (lambda: pc.MMDCritic(prototypes=0), lambda: pc.ProtoDash(kernel=1.0), lambda: pc.RBF(gamma=-1)):
        with pytest.raises(pc.MethodError, match="expected"):
            wrong()
    with pytest.raises(pc.MethodError, match="picks no prototypes"):
        pc.prototypes(X, pc.Saliency())
    equal = np.vstack([np.zeros((5, 2)), np.ones((1, 2))])
    made = pc.prototypes(equal, pc.MMDCritic(2, 3))
    assert any("criticisms were found" in said for said in made.receipt.warnings)


def test_the_record_is_kept(tmp_path):
    X, y = cloud(20), np.repeat(["red", "blue"], 10)
    made = pc.prototypes(X, "MMDCritic(prototypes=3, criticisms=2)", labels=y)
    back = pc.load(made.save(tmp_path / "picked.npz"))
    np.testing.assert_array_equal(back.indices, made.indices)
    np.testing.assert_array_equal(back.labels, made.labels)
    assert back.accuracy == made.accuracy and back.method == made.method


@pytest.mark.realdata
def test_handwritten_digits_are_represented(mnist):
    """MNIST as in the guide's figure: typical digits as prototypes, and nearest prototypes that know most of the labels."""
    X, y = mnist
    X, y = X[:2000] / 255.0, y[:2000]
    each = pc.prototypes(X, pc.MMDCritic(prototypes=50, criticisms=10, per_class=True), labels=y)
    assert set(y[each.indices]) == set(range(10))
    assert each.accuracy > 0.68
    made = pc.prototypes(X, pc.MMDCritic(prototypes=50, criticisms=10))
    points = X.reshape(len(X), -1)
    K = np.exp(-kernels.median_gamma(points) * cdist(points, points, "sqeuclidean"))
    draws = [np.random.default_rng(seed).choice(2000, 50, replace=False) for seed in range(20)]
    chance = [K.mean() - 2 * K[:, rows].mean() + K[np.ix_(rows, rows)].mean() for rows in draws]
    assert made.curve[-1] < 0.5 * min(chance)
    assert K[made.criticisms].mean() < 0.9 * K.mean() < K[made.indices].mean()  # atypical, typical
    plain = pc.prototypes(X, pc.MMDCritic(prototypes=50, criticisms=10, regularize=False))
    assert np.abs(plain.witness[plain.criticisms]).mean() > 2 * np.abs(plain.witness).mean()


# --- pictures of them ------------------------------------------------------------------------------------------------


def test_the_projection_shows_stars_and_crosses_at_their_rows():
    X, y = load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    made = pc.prototypes(X, pc.MMDCritic(6, 4), labels=y % 3)
    ax = pc.plot.projection(made, X)
    *clouds, stars, crosses = ax.collections
    assert sum(len(cloud.get_offsets()) for cloud in clouds) == 200 and len(clouds) == 3
    centred = X - X.mean(axis=0)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    plane = centred @ axes[:2].T
    np.testing.assert_allclose(np.abs(stars.get_offsets()), np.abs(plane[made.indices]), atol=1e-6)
    np.testing.assert_allclose(np.abs(crosses.get_offsets()), np.abs(plane[made.criticisms]), atol=1e-6)
    assert f"{(size[:2] ** 2).sum() / (size**2).sum():.0%} of the variance" in ax.get_xlabel()
    placed = pc.plot.projection(made, plane)
    np.testing.assert_allclose(placed.collections[-1].get_offsets(), plane[made.criticisms])
    with pytest.raises(pc.InputError, match="give the 200 rows"):
        pc.plot.projection(made, X[:50])


def test_the_pictures_that_were_picked():
    X, y = load_digits(return_X_y=True)
    X, y = X[:150].reshape(-1, 8, 8), y[:150]
    made = pc.prototypes(X, pc.MMDCritic(12, 3), labels=y)
    axes = pc.plot.specimens(made, X)
    assert axes.shape == (3, 10)
    shown = axes[1, 1].images[0].get_array()
    row = X[made.indices[11]]
    np.testing.assert_allclose(shown, (row - row.min()) / np.ptp(row))
    assert axes[2, 0].get_title(loc="left") == f"row {made.criticisms[0]} ({y[made.criticisms[0]]})"
    made = pc.prototypes(X, pc.MMDCritic(1, 1), labels=y)
    for shape in ((150, 3, 4, 4), (150, 4, 4, 3), (150, 1, 4, 4)):
        pc.plot.specimens(made, np.zeros(shape))
    with pytest.raises(pc.InputError, match="is no picture"):
        pc.plot.specimens(made, np.zeros((150, 5)))


def test_the_usual_plot_says_how_many_rows_each_stands_for():
    X = cloud(40)
    made = pc.prototypes(X, pc.ProtoDash(3), labels=np.repeat(["x", "y"], 20))
    ax = pc.plot.show(made)
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], made.shares)
    assert "weight" in ax.texts[0].get_text() and "nearest" in ax.get_xlabel()


# --- at the command line ---------------------------------------------------------------------------------------------


def test_the_command_prints_the_rows_that_were_picked(tmp_path):
    frame = pd.DataFrame(cloud(30), columns=list("abc")).assign(kind=np.repeat(["x", "y", "z"], 10))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    arguments = ["prototypes", "--data", str(tmp_path / "rows.csv"), "--label", "kind", "--prototypes", "3"]
    kept = [*arguments, "--out", str(tmp_path / "picked.npz"), "--plot", str(tmp_path / "picked.png")]
    said = CliRunner().invoke(app, kept)
    made = pc.prototypes(frame[["a", "b", "c"]], pc.MMDCritic(prototypes=3), labels=frame["kind"])
    assert said.exit_code == 0, said.output
    assert all(str(row) in said.output for row in [*made.indices, *made.criticisms])
    assert f"{made.accuracy:.1%} of the other rows" in said.output
    np.testing.assert_array_equal(pc.load(tmp_path / "picked.npz").indices, made.indices)
    assert (tmp_path / "picked.png").stat().st_size > 1000
    document = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert document["indices"] == made.indices.tolist() and document["method"].startswith("MMDCritic(prototypes=3")
    np.save(tmp_path / "rows.npy", frame[["a", "b", "c"]].to_numpy())
    drawn = ["prototypes", "--data", str(tmp_path / "rows.npy"), "--plot", str(tmp_path / "plane.png")]
    assert CliRunner().invoke(app, drawn).exit_code == 0 and (tmp_path / "plane.png").is_file()
    wrong = CliRunner().invoke(app, [*arguments, "--criticisms", "40"])
    assert wrong.exit_code == 1 and "cannot be picked from 30 rows" in wrong.output


@pytest.mark.realdata
def test_prototypes_of_people_are_better_neighbours_than_people_at_random(data_dir):
    """Adult, where some rows stand twice: how often has the nearest of 40 picked rows a row's class, and of 40 at random?"""
    table = pd.read_csv(data_dir / "tabular/adult.data", names=ADULT.split(), na_values="?", skipinitialspace=True)
    table = table.dropna().head(4000).drop(columns=["fnlwgt"])
    people, rich = table.drop(columns="income"), (table["income"] == ">50K").to_numpy()
    twice = int(people.duplicated().sum())
    made = pc.prototypes(people, pc.MMDCritic(prototypes=40, criticisms=5, per_class=True), labels=rich)
    assert twice > 0 and f"{twice} of {len(people)} rows equal another row" in made.receipt.warnings
    assert not people.iloc[made.indices].duplicated().any()  # a row that was picked has nothing left to say
    (points,) = as_points(people)
    chance = [nearest_has_the_class(points, rich, np.random.default_rng(seed)) for seed in range(20)]
    print(f"prototypes {made.accuracy:.3f}, at random {np.mean(chance):.3f} (at most {max(chance):.3f})")
    assert made.accuracy == pytest.approx(nearest_has_the_class(points, rich, None, made.indices), abs=1e-3)  # ties
    assert made.accuracy > np.mean(chance) + np.std(chance)


ADULT = "age workclass fnlwgt education years marital occupation relation race sex gain loss hours country income"


def nearest_has_the_class(points, classes, rng, picked=None):
    """The share of the other rows whose nearest picked row has their class; without `picked`, 40 rows at random."""
    picked = rng.choice(len(points), 40, replace=False) if picked is None else picked
    nearest = ((points[:, None] - points[picked]) ** 2).sum(axis=2).argmin(axis=1)
    others = np.setdiff1d(np.arange(len(points)), picked)
    return (classes[picked][nearest] == classes)[others].mean()
