"""Sparse matrices: the values of a dense game on the cells that are not zero, what the model is fed, and how much memory."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.tree import DecisionTreeClassifier

import pellucid as pc
from pellucid.core.spelling import parse


def counts(rows=5, columns=40, seed=0):
    made = sparse.random(rows, columns, density=0.12, random_state=seed, format="csr")
    made.data = np.round(made.data * 5 + 1)
    return made


W = np.linspace(-2, 3, 40)


def f(X):
    """A product between words, asked of dense and sparse rows alike."""
    linear = X @ W
    return linear + 0.1 * linear**2


METHODS = [pc.ExactShapley(), pc.KernelShap(), pc.Occlusion(), pc.PermutationShap(orders=20), pc.LIME(samples=600)]


@pytest.mark.parametrize("method", METHODS, ids=repr)
@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix, sparse.coo_array, sparse.csr_array])
def test_values_are_those_of_the_dense_rows_on_their_nonzero_columns(method, make):
    x = counts()
    thin = pc.explain(f, make(x), method)
    thick = pc.explain(f, x.toarray(), method, masker=pc.Nonzero())
    for i in range(5):
        columns = np.flatnonzero(x[[i]].toarray()[0])
        assert thin.players.own[i] == tuple(f"x{j}" for j in columns) == thick.players.own[i]
        values = thin.players.values[i, : len(columns)]
        np.testing.assert_allclose(values, thick.values[i, columns], atol=1e-9)
        np.testing.assert_allclose(thin.values[i, : len(columns)], values)
        assert not thin.values[i, len(columns) :].any()
        assert thin.data[i, : len(columns)].tolist() == x[[i]].toarray()[0, columns].tolist()
    np.testing.assert_allclose(thin.gap, thick.gap, atol=1e-9)
    assert thin.receipt.masker == "Nonzero()"


def test_exact_values_are_a_dense_game_with_zero_baseline():
    x = counts()
    thin = pc.explain(f, x, pc.ExactShapley())
    for i in range(5):
        columns = np.flatnonzero(x[[i]].toarray()[0])

        def on_these(cells, at=columns):
            rows = np.zeros((len(cells), 40))
            rows[:, at] = cells
            return f(rows)

        dense = pc.explain(on_these, x[[i]].toarray()[:, columns], pc.ExactShapley(), masker=pc.Baseline("zeros"))
        np.testing.assert_allclose(thin.players.values[i, : len(columns)], dense.values[0], atol=1e-9)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_the_model_is_fed_sparse_rows_of_the_users_kind(make, dtype):
    x, kinds = make(counts().astype(dtype)), set()

    def spy(X):
        kinds.add((type(X), X.dtype, X.shape[1]))
        return np.asarray(X.sum(axis=1)).ravel()

    pc.explain(spy, x, pc.Occlusion())
    assert kinds == {(make, np.dtype(dtype), 40)}


def test_the_callers_matrix_is_left_alone():
    """Also one with zeros that it stores and cells that it holds twice."""
    x = sparse.coo_matrix(([1.0, 2.0, 0.0, 5.0], ([0, 0, 0, 1], [3, 3, 1, 0])), shape=(2, 4))
    a = pc.explain(lambda X: X @ np.arange(4.0), x, pc.ExactShapley(), names=list("abcd"))
    assert x.nnz == 4 and a.players.own == (("d",), ("a",)) and a.players.values.tolist() == [[9.0], [0.0]]


def test_a_row_of_zeros_has_no_players():
    x = sparse.vstack([counts(2), sparse.csr_matrix((1, 40))])
    for method in (pc.KernelShap(), pc.ExactShapley(), pc.Occlusion(), pc.LIME(samples=50)):
        a = pc.explain(lambda X: X @ W + 7, x, method)
        assert a.players.own[2] == () and not a.values[2].any() and a.scores[2] == 7
    only = pc.explain(lambda X: X @ W + 7, sparse.csr_matrix((2, 40)), pc.KernelShap())
    assert only.players.own == ((), ()) and (only.base_values == 7).all()


SENTENCES = [
    "a dull and boring film",
    "great fun great cast",
    "boring plot",
    "a fun film with a great plot",
    "dull dull cast",
]


def test_words_of_a_bag_of_words():
    vectorizer = CountVectorizer().fit(SENTENCES)
    X, names = vectorizer.transform(SENTENCES), vectorizer.get_feature_names_out()
    model = LogisticRegression().fit(X, [0, 1, 0, 1, 0])
    a = pc.explain(model, X, pc.KernelShap(), names=names, target=pc.Class(1, scale="margin"))
    for i, row in enumerate(X.toarray()):
        there = np.flatnonzero(row)
        np.testing.assert_allclose(a.players.values[i, : len(there)], model.coef_[0, there] * row[there], atol=1e-8)
    np.testing.assert_allclose(a.base_values, model.intercept_[0])
    assert a.top(1, row=1)[0][0] == "great"
    phrase = pc.Groups({"praise": ["great", "fun"]}, masker=pc.Nonzero())
    grouped = pc.explain(model, X, pc.ExactShapley(), names=names, masker=phrase, target=pc.Class(1, scale="margin"))
    assert grouped.players.own[1][0] == "praise" and grouped.top(1, row=1)[0][0] == "praise"
    bayes = pc.explain(MultinomialNB().fit(X, [0, 1, 0, 1, 0]), X, pc.LIME(samples=200), names=names)
    assert np.isfinite(bayes.fit).all()


def test_company_slices_and_files(tmp_path):
    x = counts()
    whole = pc.explain(f, x, pc.KernelShap(samples=20))
    alone = pc.explain(f, x[[3]], pc.KernelShap(samples=20), batch_size=3)
    k = len(alone.players.own[0])
    np.testing.assert_allclose(alone.values[0], whole.values[3, :k], atol=1e-12)
    assert whole[3].players.own == alone.players.own
    back = pc.load(whole.save(tmp_path / "a.npz"))
    assert back.players.own == whole.players.own and parse(back.receipt.masker) == pc.Nonzero()
    cost = pc.estimate(f, x[[3, 3, 3]], pc.KernelShap(samples=20))
    assert cost.rows_forward == pc.explain(f, x[[3, 3, 3]], pc.KernelShap(samples=20)).receipt.rows_forward


def test_a_line_per_cell():
    x = sparse.vstack([sparse.csr_matrix((1, 40)), counts(2)]).tocsr()
    for given, masker in ((x, None), (x.toarray(), pc.Nonzero())):
        a = pc.explain(lambda X: X @ W, given, pc.ExactShapley(), masker=masker)
        frame, (rows, columns) = a.to_frame(), x.nonzero()
        assert frame["row"].tolist() == rows.tolist() and frame["feature"].tolist() == [f"x{j}" for j in columns]
        np.testing.assert_allclose(frame["value"], np.asarray(x[rows, columns]).ravel() * W[columns])


def test_a_big_matrix_stays_small():
    """1,000 x 100,000: 800 MB if it were dense."""
    n, p = 1000, 100_000
    rng = np.random.default_rng(0)
    x = sparse.csr_array((rng.random(n * 30), rng.integers(0, p, n * 30), np.arange(0, n * 30 + 1, 30)), shape=(n, p))
    w = rng.normal(size=p)
    tracemalloc.start()
    a = pc.explain(lambda X: X @ w, x, pc.Occlusion())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6, peak
    first = x[[0]].tocoo()
    expected = dict(zip((f"x{j}" for j in first.coords[1]), first.data * w[first.coords[1]], strict=True))
    assert dict(zip(a.players.own[0], a.players.values[0], strict=False)) == pytest.approx(expected)


def test_refusals_name_cause_and_remedy():
    x = counts()
    dense = pytest.raises(pc.PellucidError, match="toarray")
    with dense:
        pc.explain(f, x, pc.KernelShap(), background=x)
    with dense:
        pc.explain(DecisionTreeClassifier().fit(x, [0, 1, 0, 1, 0]), x, pc.TreeShap())
    with dense:
        pc.importance(LogisticRegression().fit(x, [0, 1, 0, 1, 0]), x, [0, 1, 0, 1, 0])
    with dense:
        pc.explain(torch.nn.Linear(40, 1), x, pc.KernelShap())
    with pytest.raises(pc.MethodError, match=r"Columns\(\) takes no sparse matrix.*Nonzero"):
        pc.explain(f, x, pc.KernelShap(), masker=pc.Columns())
    with pytest.raises(pc.InputError, match="at least one row"):
        pc.explain(f, x[:0], pc.KernelShap())
    with pytest.raises(pc.InputError, match="39 names for 40"):
        pc.explain(f, x, pc.KernelShap(), names=["a"] * 39)
    with pytest.raises(pc.InputError, match="fitted with 40"):
        pc.explain(LogisticRegression().fit(x, [0, 1, 0, 1, 0]), x[:, :9], pc.KernelShap())
    broken = x.copy()
    broken.data[0] = np.nan
    with pytest.raises(pc.InputError, match="NaN"):
        pc.explain(f, broken, pc.KernelShap())
    with pytest.raises(pc.MethodError, match="is for tables of numbers"):
        pc.explain(lambda X: X.sum((1, 2)), np.ones((2, 3, 3)), pc.Occlusion(), masker=pc.Nonzero())
