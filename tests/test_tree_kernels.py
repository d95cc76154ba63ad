"""The forest record, its readers, and every kernel by itself: each must give what enumeration and the other kernels give."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

import pellucid as pc
import tree_brute as brute
from pellucid.models.tree import engine, groups, nodes, prepared
from pellucid.models.tree.forest import NUMBER, SET_LEFT, SET_RIGHT, ZERO_MISSING, RawTree, assemble
from pellucid.models.tree.reading import read

CLOSE = 1e-10


def deep(columns=12, rows=60, seed=13):
    """One deep tree whose paths hold more players than a table takes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    y = rng.normal(size=rows)
    return DecisionTreeRegressor(max_features=1, splitter="random", random_state=seed).fit(X, y), X


def question(model, x):
    """The engine's trees of a one-output model, and its rows."""
    forest = read(model).forest
    v, base = forest.read(np.ones(1))
    return engine.Trees(forest, v, base), np.ascontiguousarray(forest.cast(x))


def force(monkeypatch, kernel):
    """One kernel for everything: rows one at a time, tables that are kept or made on the way, or what needs no tables."""
    if kernel == "few":
        return
    monkeypatch.setattr(engine, "_FEW", 0)
    if kernel == "kept":
        return
    monkeypatch.setattr(prepared, "_MOST", 0)
    table = kernel == "table"
    monkeypatch.setattr(engine, "_tabled", lambda trees, rows: np.full(len(trees.asked), table))
    chosen = lambda forest, rows, b: forest.leaves & (forest.nodes["unique"] > 0) & table  # noqa: E731
    monkeypatch.setattr(engine, "_worth_a_table", chosen)
    if not table:
        monkeypatch.setattr(engine, "DEEPEST", 0)  # interactions


@pytest.mark.parametrize("kernel", ["few", "kept", "table", "other"])
def test_every_kernel_equals_enumeration(monkeypatch, kernel):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 5))
    model = RandomForestRegressor(3, random_state=0).fit(X, X[:, 0] * X[:, 1] + X[:, 2])
    trees, x = question(model, X[:14])
    x, references = x[:4], x[4:]
    force(monkeypatch, kernel)
    nested = [brute.sklearn_tree(m.tree_, m.tree_.value[:, 0, 0] / 3) for m in model.estimators_]
    alone, against = engine.path_dependent(trees, x), engine.interventional(trees, x, references)[0]
    together = engine.interactions(trees, x, None), engine.interactions(trees, x, references)
    for r in range(4):
        games = brute.by_cover(nested, x[r], 5), brute.by_masking(model.predict, x[r], references)
        for v, values, pairs in zip(games, (alone, against), together, strict=True):
            np.testing.assert_allclose(values[r], brute.shapley(v), atol=CLOSE)
            off = 2 * (brute.pairs(v) - np.diag(np.diag(brute.pairs(v))))
            np.testing.assert_allclose(pairs[r], off, atol=CLOSE)


def test_paths_with_more_players_than_a_table_takes():
    model, X = deep()
    trees, x = question(model, X[:3])
    assert trees.forest.widest.max() > engine.DEEPEST
    nested = [brute.sklearn_tree(model.tree_, model.tree_.value[:, 0, 0])]
    games = np.array([brute.by_cover(nested, row, 12) for row in x[:2]])
    np.testing.assert_allclose(engine.path_dependent(trees, x[:2]), [brute.shapley(v) for v in games], atol=CLOSE)
    against, _ = engine.interventional(trees, x[:1], x[1:])
    v = brute.by_masking(model.predict, x[0], x[1:])
    np.testing.assert_allclose(against[0], brute.shapley(v), atol=CLOSE)
    for game, found in (
        (games[0], engine.interactions(trees, x[:1], None)),
        (v, engine.interactions(trees, x[:1], x[1:])),
    ):
        np.testing.assert_allclose(found[0, 2:5], 2 * brute_rows(game, (2, 3, 4)), atol=CLOSE)


def brute_rows(v, rows):
    """Rows of `brute.pairs`, zero on the diagonal, vectorised over coalitions."""
    p = len(v).bit_length() - 1
    masks = np.arange(len(v))
    size = np.array([mask.bit_count() for mask in range(len(v))])
    found = np.zeros((len(rows), p))
    for k, i in enumerate(rows):
        for j in set(range(p)) - {i}:
            free = masks[(masks >> i & 1 == 0) & (masks >> j & 1 == 0)]
            delta = v[free | 1 << i | 1 << j] - v[free | 1 << i] - v[free | 1 << j] + v[free]
            weight = np.array([1 / (2 * (p - 1) * math.comb(p - 2, s)) for s in range(p - 1)])
            found[k, j] = (weight[size[free]] * delta).sum()
    return found


def test_kernels_agree_on_a_real_forest(monkeypatch):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2000, 8))
    model = RandomForestRegressor(6, random_state=0).fit(X, X[:, 0] * X[:, 1] + np.sin(X[:, 2]))
    trees, x = question(model, X[:60])
    x, references = x[:20], x[20:]
    answers = []
    for kernel in ("kept", "table", "other"):
        with monkeypatch.context() as patch:
            force(patch, kernel)
            answers.append((engine.path_dependent(trees, x), *engine.interventional(trees, x, references)))
    for other in answers[1:]:
        for a, b, close in zip(answers[0], other, (1e-12, 1e-12, 1e-6), strict=True):
            np.testing.assert_allclose(a, b, atol=close)  # errors are summed in single precision
    own = trees.forest.predict(x)[:, 0]
    np.testing.assert_allclose(answers[0][0].sum(1) + trees.expected, own, atol=1e-12)


@given(
    arrays(
        float, 7, elements=st.one_of(st.floats(-40, 70), st.just(np.nan), st.just(0.0), st.integers(-2, 66).map(float))
    ),
    st.sampled_from([NUMBER, ZERO_MISSING, SET_LEFT, SET_RIGHT]),
    st.booleans(),
    st.floats(-3, 3),
)
def test_both_spellings_of_decide_agree_with_the_words(values, kind, missing_left, threshold):
    chosen = {0, 5, 31, 32, 63}
    words = np.zeros(2, np.uint32)
    for c in chosen:
        words[c // 32] |= np.uint32(1) << np.uint32(c % 32)
    wanted = []
    for x in values:
        gone = np.isnan(x) or (kind == ZERO_MISSING and abs(x) <= 1e-35)
        inside = not np.isnan(x) and x > -1 and int(x) in chosen
        plain = x <= threshold if kind < SET_LEFT else inside == (kind == SET_LEFT)
        wanted.append(missing_left if gone else plain)
    out = np.empty(len(values), np.uint8)
    nodes.decide(kind + missing_left, threshold, values, words, 0, 2, out)
    assert out.astype(bool).tolist() == wanted
    tree = one_split(kind + missing_left, threshold, chosen if kind >= SET_LEFT else None)
    assert (tree.predict(values[:, None])[:, 0] == 1.0).tolist() == wanted


def one_split(rule, threshold, members=None):
    """A tree of one split: 1 on the left, 2 on the right."""
    none = np.array([1, -1, -1])
    raw = RawTree(
        none,
        np.array([2, -1, -1]),
        np.zeros(3, int),
        np.full(3, threshold),
        np.array([rule, 0, 0]),
        np.array([2.0, 1, 1]),
        np.array([[0.0], [1.0], [2.0]]),
        sets=() if members is None else (sorted(members),),
        members=None if members is None else np.array([0, -1, -1]),
    )
    return assemble([raw], 0.0, columns=1, single=False)


def chain(columns):
    """A tree that asks for every column in turn, with a leaf on the left each time."""
    inner, total = columns, 2 * columns + 1
    left, right = np.full(total, -1), np.full(total, -1)
    left[:inner], right[:inner] = np.arange(inner, 2 * inner), np.append(np.arange(1, inner), total - 1)
    feature = np.append(np.arange(inner), np.zeros(inner + 1, int))
    cover = np.append(inner + 1.0 - np.arange(inner), np.ones(inner + 1))
    value = np.random.default_rng(0).normal(size=(total, 1))
    return assemble(
        [RawTree(left, right, feature, np.zeros(total), np.zeros(total), cover, value)],
        0.0,
        columns=columns,
        single=False,
    )


@pytest.mark.parametrize("columns", [63, 64, 65, 90])
def test_very_long_paths(columns):
    forest = chain(columns)
    v, base = forest.read(np.ones(1))
    trees = engine.Trees(forest, v, base)
    x = np.random.default_rng(1).normal(size=(3, columns))
    phi = engine.path_dependent(trees, x)
    np.testing.assert_allclose(phi.sum(1) + trees.expected, forest.predict(x)[:, 0], atol=CLOSE)
    if columns > 64:
        with pytest.raises(pc.MethodError, match="up to 64"):
            engine.interventional(trees, x, x)
        return
    against, _ = engine.interventional(trees, x[:1], x[1:])
    np.testing.assert_allclose(against.sum() + forest.predict(x[1:]).mean(), forest.predict(x[:1])[0, 0], atol=CLOSE)


@given(st.integers(1, 40))
def test_quadrature_is_exact_for_its_degree(d):
    points, weights = (a[d] for a in prepared.gauss_legendre(40))
    np.testing.assert_allclose((weights * points ** (d - 1)).sum(), 1 / d, rtol=1e-12)
    np.testing.assert_allclose((weights * (1 - points) ** (d - 1)).sum(), 1 / d, rtol=1e-12)


def test_the_standard_error_is_that_of_a_mean_of_groups():
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(2, 3, groups.GROUPS))
    error = groups.standard_error(parts.mean(-1), parts, np.full(groups.GROUPS, 5.0))
    plain = parts.std(-1, ddof=1) / np.sqrt(groups.GROUPS)
    np.testing.assert_allclose(error, plain * 2.3646242515927844 / 1.959963984540054)  # t with 7 degrees of freedom


def test_every_output_is_read_as_the_library_gives_it():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(500, 6))
    X[rng.random(X.shape) < 0.1] = np.nan
    y = rng.integers(0, 3, 500)
    forest = RandomForestClassifier(7, random_state=0).fit(X, y)
    boosted = HistGradientBoostingClassifier(max_iter=9).fit(X, y)
    for model, wanted in ((forest, forest.predict_proba(X)), (boosted, boosted.decision_function(X))):
        made = read(model).forest
        np.testing.assert_allclose(made.predict(made.cast(X)), wanted, atol=1e-12)


def test_shares_of_cover():
    forest = chain(4)
    assert forest.reach[forest.leaves].sum() == pytest.approx(1)
    both = forest.played_by(np.array([0, 1, 0, 1]), 2)
    assert both.widest.tolist() == [2] and forest.widest.tolist() == [4]
    # the chain's right edges keep 4/5, 3/4, 2/3, 1/2 of the cover; columns 1 and 3 are the last leaf's player 1
    np.testing.assert_allclose(both.nodes["share"][-1], 3 / 4 * 1 / 2)
    np.testing.assert_allclose(both.nodes["share"][both.nodes["above"][-1]], 3 / 4)


def test_a_damaged_model_is_refused():
    with pytest.raises(pc.ModelError, match="no trees"):
        assemble([], 0.0, columns=1, single=False)
    with pytest.raises(pc.ModelError, match="fitted with 1"):
        one = one_split(0, 0.0)
        raw = RawTree(
            np.array([1, -1, -1]), np.array([2, -1, -1]), np.array([7, 0, 0]), *[np.zeros(3)] * 3, np.zeros((3, 1))
        )
        assemble([raw], one.base, columns=1, single=False)
    with pytest.raises(pc.ModelError, match="no path"):
        raw = RawTree(np.full(3, -1), np.full(3, -1), np.zeros(3), *[np.zeros(3)] * 3, np.zeros((3, 1)))
        assemble([raw], 0.0, columns=1, single=False)
