"""Similarity of representations: published numbers, slow derivations, invariances, one pass over networks, bad input."""

from __future__ import annotations

import itertools
from math import factorial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import eigh
from scipy.stats import ortho_group
from sklearn.cross_decomposition import CCA
from sklearn.datasets import load_digits
from torch import nn

import pellucid as pc
from nets import cnn, mlp
from oracles import oracle
from pellucid.methods.representation import base, gram, moments

EVERY = (
    pc.CKA(),
    pc.CKA(unbiased=True),
    pc.CKA(kernel="rbf"),
    pc.CKA(kernel="rbf", unbiased=True),
    pc.CKA(unbiased=True, batch=20),
    pc.SVCCA(),
    pc.SVCCA(weights="projection"),
)
every = pytest.mark.parametrize("method", EVERY, ids=repr)


def pair(n=60, p=6, q=5, seed=0):
    """Two related representations, (n, p) and (n, q), off centre."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * np.linspace(3, 0.5, p) + 2
    return x, np.tanh(x @ rng.normal(size=(p, q)) / 2) + 0.3 * rng.normal(size=(n, q)) - 1


# --- published numbers and closed forms ------------------------------------------------------------------------------


def test_the_numbers_published_with_the_reference():
    known = oracle("CKA-PUB")
    state = np.random.RandomState(1337)
    X = state.randn(100, 10)
    Y = state.randn(100, 10) + X
    expected, near = known["expected"], {"abs": 1e-7}
    assert pc.similarity(X, Y).value == pytest.approx(expected["linear"], **near)
    assert pc.similarity(X, Y, pc.CKA("rbf", 0.5)).value == pytest.approx(expected["rbf_half_median"], **near)
    assert pc.similarity(X, Y, pc.CKA(unbiased=True)).value == pytest.approx(expected["debiased"], **near)


def test_two_features_by_hand():
    # centred: x = (1, -1, 0), y = (1, 0, -1) -> x.y = 1, |x|^2 = |y|^2 = 2, CKA = 1^2 / (2 * 2)
    found = pc.similarity([[2.0], [0.0], [1.0]], [[1.0], [0.0], [-1.0]])
    assert found.value == pytest.approx(0.25)
    assert found.matrix.shape == found.chance.shape == (1, 1) and (found.rows, found.columns) == (("A",), ("B",))
    assert found.chance[0, 0] == pytest.approx(0.5)  # r^2 of one number with another is 1 / (n - 1) on average


def hsic(K, L):
    n = len(K)
    H = np.eye(n) - 1 / n
    return np.trace(K @ H @ L @ H)


def unbiased(K, L):
    """HSIC_1 by its definition over four different inputs, an average over all of them"""
    n, total = len(K), 0.0
    for i, j, q, r in itertools.permutations(range(n), 4):
        total += K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q])
    return total * factorial(n - 4) / factorial(n)


def kernels(x, kind):
    squared = np.square(x[:, None] - x).sum(-1)
    return x @ x.T if kind == "linear" else np.exp(-squared / (2 * 0.7**2 * np.median(squared)))


@pytest.mark.parametrize("kind", ["linear", "rbf"])
@pytest.mark.parametrize("p", [2, 12], ids=["narrow", "wide"])
def test_against_definitions_on_few_inputs(kind, p):
    x, y = pair(8, p, 3)
    K, L = kernels(x, kind), kernels(y, kind)
    for flag, by_hand in ((False, hsic), (True, unbiased)):
        expected = by_hand(K, L) / np.sqrt(by_hand(K, K) * by_hand(L, L))
        assert pc.similarity(x, y, pc.CKA(kind, 0.7, flag)).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("flag", [False, True])
def test_chance_is_the_mean_over_all_pairings_of_the_inputs(flag):
    x, y = pair(6, 2, 3)
    found = pc.similarity(x, y, pc.CKA(unbiased=flag))
    values = [
        pc.similarity(x, y[list(order)], pc.CKA(unbiased=flag)).value for order in itertools.permutations(range(6))
    ]
    assert found.chance[0, 0] == pytest.approx(np.mean(values), abs=1e-12)


def test_chance_of_correlations_is_their_mean_square():
    x, y = pair(6, 1, 2)
    squares = [pc.similarity(x, y[list(order)], pc.SVCCA(1.0)).value ** 2 for order in itertools.permutations(range(6))]
    found = pc.similarity(x, y, pc.SVCCA(1.0))
    assert found.chance[0, 0] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-9)


def test_canonical_correlations_are_those_of_the_eigenproblem_and_of_scikit_learn():
    x, y = pair(80, 4, 3)
    x, y = x - x.mean(0), y - y.mean(0)
    between = x.T @ y
    squares = eigh(between @ np.linalg.solve(y.T @ y, between.T), x.T @ x, eigvals_only=True)
    expected = np.sqrt(np.sort(squares)[-3:]).mean()
    assert pc.similarity(x, y, pc.SVCCA(1.0)).value == pytest.approx(expected, rel=1e-9)
    u, v = CCA(3, max_iter=5000, tol=1e-12).fit_transform(x, y)
    theirs = np.mean([np.corrcoef(u[:, k], v[:, k])[0, 1] for k in range(3)])
    assert pc.similarity(x, y, pc.SVCCA(1.0)).value == pytest.approx(theirs, abs=1e-4)


def test_the_cut_keeps_the_fewest_directions_with_the_variance():
    rng = np.random.default_rng(0)
    x = np.linalg.qr(rng.normal(size=(50, 4)) - 0)[0]
    x = np.linalg.qr(x - x.mean(0))[0] * np.sqrt([0.6, 0.3, 0.08, 0.02])  # shares of variance
    y = x[:, [1]]
    for variance, inside in ((0.6, 0.0), (0.61, 1.0), (0.9, 1.0)):
        assert pc.similarity(x, y, pc.SVCCA(variance)).value == pytest.approx(inside, abs=1e-9)
    found = pc.similarity(x, y, pc.SVCCA(0.98))
    assert "3 to 3 in `rows`, 1 to 1 in `columns`" in found.receipt.notes[0]


def test_projection_weights_by_hand():
    """Two orthogonal features of lengths 3 and 1: correlation i counts |h_i . x_i|, 3 to 1."""
    rng = np.random.default_rng(1)
    raw = rng.normal(size=(40, 4))
    q = np.linalg.qr(raw - raw.mean(0))[0]
    x = q[:, :2] * [3, 1]
    y = np.column_stack([q[:, 0] + q[:, 2], 0.5 * q[:, 1] + q[:, 3]])  # correlations 1/sqrt(2) and 0.5/sqrt(1.25)
    rho = np.array([1 / np.sqrt(2), 0.5 / np.sqrt(1.25)])
    assert pc.similarity(x, y, pc.SVCCA(1.0)).value == pytest.approx(rho.mean())
    assert pc.similarity(x, y, pc.SVCCA(1.0, "projection")).value == pytest.approx(rho @ [0.75, 0.25])


# --- invariances -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_rotations_shifts_and_scales_change_nothing(seed, scale):
    x, y = pair(seed=seed)
    turn = ortho_group.rvs(6, random_state=seed)
    for method in EVERY[:-1]:  # projection weights are taken over features, so they feel a rotation
        one, other = pc.similarity(x, y, method), pc.similarity(scale * x @ turn + 5, y, method)
        np.testing.assert_allclose(other.matrix, one.matrix, rtol=1e-6)
        np.testing.assert_allclose(other.chance, one.chance, rtol=1e-6)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_an_invertible_map_changes_cka_and_no_correlation(seed):
    x, y = pair(seed=seed)
    turn = ortho_group.rvs(6, random_state=seed)
    bent = x @ (turn * np.geomspace(1, 30, 6))
    assert pc.similarity(bent, y, pc.SVCCA(1.0)).value == pytest.approx(
        pc.similarity(x, y, pc.SVCCA(1.0)).value, rel=1e-7
    )
    assert pc.similarity(bent, x, pc.SVCCA(1.0)).value == pytest.approx(1)
    assert pc.similarity(bent, x).value < 0.99


@every
def test_with_itself_it_is_one_and_order_does_not_matter(method):
    x, y = pair()
    assert pc.similarity(x, x.copy(), method).value == pytest.approx(1)
    if getattr(method, "batch", None) is None:
        order = np.random.default_rng(0).permutation(60)
        assert pc.similarity(x[order], y[order], method).value == pytest.approx(pc.similarity(x, y, method).value)
    if getattr(method, "weights", "mean") == "mean":
        assert pc.similarity(y, x, method).value == pytest.approx(pc.similarity(x, y, method).value)


@every
def test_every_pair_of_layers_is_what_the_two_alone_are(method):
    x, y = pair()
    first, second = {"a": x, "b": x[:, :2] ** 2, "c": y}, {"d": y * 2, "e": x[:, 3:]}
    found = pc.similarity(first, second, method)
    assert (found.rows, found.columns, found.n) == (("a", "b", "c"), ("d", "e"), 60)
    for i, j in np.ndindex(3, 2):
        alone = pc.similarity(list(first.values())[i], list(second.values())[j], method)
        assert found.matrix[i, j] == pytest.approx(alone.value) and found.chance[i, j] == pytest.approx(
            alone.chance[0, 0]
        )
    assert found.value == pytest.approx(found.matrix.mean())
    inside = pc.similarity(first, method=method)
    np.testing.assert_allclose(inside.matrix, pc.similarity(first, dict(first), method).matrix, rtol=1e-9)
    np.testing.assert_array_equal(inside.matches, [0, 1, 2])
    assert list(found.to_frame().index) == ["a", "b", "c"] and list(found.to_frame().columns) == ["d", "e"]


# --- the ways of computing it agree ------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", [False, True])
def test_sums_over_rows_and_gram_matrices_agree_far_from_the_origin(flag, monkeypatch):
    x, y = pair(90, 7, 4)
    x, y = x + 1e4, y * 1e-3
    sums = pc.similarity({"x": x, "z": x**2}, {"y": y}, pc.CKA(unbiased=flag))
    monkeypatch.setattr("pellucid.methods.representation.cka.bytes_of", lambda layers: np.inf)
    monkeypatch.setattr(gram, "_BAND", 8 * 90 * 3 * 7)  # bands of seven rows
    grams = pc.similarity({"x": x, "z": x**2}, {"y": y}, pc.CKA(unbiased=flag))
    np.testing.assert_allclose(sums.matrix, grams.matrix, rtol=1e-6)
    np.testing.assert_allclose(sums.chance, grams.chance, rtol=1e-6)


def test_blocks_of_rows_change_nothing(monkeypatch):
    x, y = pair(90)
    whole = pc.similarity({"x": x}, {"y": y}, pc.CKA(unbiased=True)).matrix
    monkeypatch.setattr("pellucid.methods.representation.held.Held.step", 13)
    np.testing.assert_allclose(pc.similarity({"x": x}, {"y": y}, pc.CKA(unbiased=True)).matrix, whole, rtol=1e-9)


def test_batches_average_what_each_says_and_leave_one_out_gives_the_error_bar():
    x, y = pair(45)
    method = pc.CKA(unbiased=True, batch=10, seed=3)
    order, terms = method.stream().permutation(45), []
    for k in range(4):
        a, b = (z[order[10 * k : 10 * k + 10]] for z in (x, y))
        K, L = a @ a.T, b @ b.T
        terms.append([unbiased(K, L), unbiased(K, K), unbiased(L, L)])
    terms = np.array(terms)
    ratio = lambda t: t[0] / np.sqrt(t[1] * t[2])  # noqa: E731
    found = pc.similarity(x, y, method)
    assert found.value == pytest.approx(ratio(terms.sum(0)))
    left = [ratio(terms.sum(0) - terms[k]) for k in range(4)]
    assert found.stderr[0, 0] == pytest.approx(np.sqrt(3 / 4 * np.square(np.subtract(left, np.mean(left))).sum()))
    assert found.receipt.notes == ("4 batches of 10 inputs", "5 inputs filled no batch and were left out")
    assert found.receipt.stderr == pytest.approx(found.stderr[0, 0]) and pc.similarity(x, y).stderr is None


@pytest.mark.slow
def test_batches_come_to_the_number_over_all_and_their_error_bars_cover_it():
    # only numerator and denominators are unbiased, so large samples: error bars of 40 batches cover the truth about 95 times in 100
    inside, population = [], pair(200_000, seed=1)
    truth = pc.similarity(*population, pc.CKA(unbiased=True)).value
    rng = np.random.default_rng(2)
    for seed in range(300):
        rows = rng.choice(200_000, 1200, replace=False)
        found = pc.similarity(population[0][rows], population[1][rows], pc.CKA(unbiased=True, batch=30, seed=seed))
        inside.append(abs(found.value - truth) < 1.96 * found.stderr[0, 0])
    assert 0.91 < np.mean(inside) < 0.98


def test_unbiased_is_nothing_where_there_is_nothing_and_biased_is_not():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 200)), rng.normal(size=(40, 300))
    assert pc.similarity(x, y).value == pytest.approx(pc.similarity(x, y).chance[0, 0], abs=0.03)
    assert pc.similarity(x, y).value > 0.8 and abs(pc.similarity(x, y, pc.CKA(unbiased=True)).value) < 0.05


# --- networks ----------------------------------------------------------------------------------------------------------


@every
def test_networks_are_seen_once_and_say_what_their_activations_say(method):
    one, two, x = mlp(), mlp(seed=1), torch.randn(60, 4, generator=torch.Generator().manual_seed(0)).numpy()
    found = pc.similarity(one, two, method, inputs=x, batch_size=7)
    first, second = (pc.activations(m, x, ["0", "1", "2"]) for m in (one, two))
    held = pc.similarity(first, second, method)
    assert found.rows == found.columns == ("0", "1", "2")
    np.testing.assert_allclose(found.matrix, held.matrix, rtol=1e-5)
    np.testing.assert_allclose(found.chance, held.chance, rtol=1e-5)
    assert found.receipt.rows_forward == 2 * (60 + 1)  # one row more of each says how wide layers are
    assert "torch" in found.receipt.versions
    inside = pc.similarity(one, method=method, inputs=x)
    assert inside.receipt.rows_forward == 61 and np.allclose(np.diag(inside.matrix), 1)


def test_pictures_are_flattened_or_pooled_and_arrays_stand_beside_networks():
    model, x = cnn(), np.random.default_rng(0).normal(size=(40, 2, 8, 8)).astype(np.float32)
    names = ["0", "4"]
    said = pc.activations(model, x, names)
    for pool in (False, True):
        flat = {k: v.mean((2, 3)) if pool else v.reshape(40, -1) for k, v in said.items()}
        found = pc.similarity(model, flat, inputs=x, layers=names, pool=pool)
        np.testing.assert_allclose(found.matrix, pc.similarity(flat).matrix, rtol=1e-5)
        np.testing.assert_allclose(pc.similarity(said, pool=pool).matrix, pc.similarity(flat).matrix, rtol=1e-5)
    assert pc.similarity(model, model, inputs=x, layers="0", others=["4", "9"]).matrix.shape == (1, 2)
    # the order of running; what only repeats (dropout, flatten) is left out
    assert pc.similarity(model, inputs=x).rows == ("0", "1", "2", "3", "4", "5", "7", "9")


def test_tokens_are_averaged_where_texts_have_different_numbers_of_them():
    rng = np.random.default_rng(0)
    tokens, words = rng.normal(size=(30, 5, 3)), rng.integers(1, 6, 30)
    for row, count in enumerate(words):
        tokens[row, count:] = np.nan
    means = np.stack([row[:count].mean(0) for row, count in zip(tokens, words, strict=True)])
    y = rng.normal(size=(30, 2)) + means[:, :2]
    found = pc.similarity({"t": tokens}, {"y": y})
    assert (
        found.value == pytest.approx(pc.similarity(means, y).value) and "averaged over tokens" in found.receipt.notes[0]
    )


def test_token_ids_with_a_mask_are_averaged_over_what_is_no_padding():
    torch.manual_seed(0)

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 3)

        def forward(self, ids, attention_mask):
            return (self.embed(ids) * attention_mask[..., None]).sum(1)

    ids = np.random.default_rng(0).integers(0, 9, (25, 4))
    mask = (np.arange(4) < np.random.default_rng(1).integers(1, 5, 25)[:, None]).astype(np.int64)
    model = Reader()
    said = model.embed(torch.from_numpy(ids)).detach().numpy()
    means = (said * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    y = np.random.default_rng(2).normal(size=(25, 2)) + means[:, :2]
    found = pc.similarity(model, y, inputs=ids, extra={"attention_mask": mask})
    assert found.rows == ("embed",) and found.value == pytest.approx(pc.similarity(means, y).value, rel=1e-5)


def test_what_would_not_fit_into_memory_is_refused_or_taken_in_batches(monkeypatch):
    model, x = cnn(), np.random.default_rng(0).normal(size=(40, 2, 8, 8)).astype(np.float32)
    monkeypatch.setattr(base, "ROOM", 40_000)
    monkeypatch.setattr("pellucid.methods.representation.cka.ROOM", 40_000)
    with pytest.raises(pc.InputError, match=r"held at once.*pool=True.*batch=32"):
        pc.similarity(model, inputs=x, layers=["0", "4"])
    small = pc.similarity(model, None, pc.CKA(unbiased=True, batch=5), inputs=x, layers=["0", "4"])
    assert small.stderr is not None and np.allclose(np.diag(small.matrix), 1)


def test_the_sums_are_as_large_as_they_are_said_to_be():
    x, y = pair()
    layers = base.Layers(*(pc.methods.representation.held.as_held(z, "A", False) for z in (x, y)))
    sums = moments.gather(layers)
    assert moments.bytes_of(layers) == sums.cross.nbytes + sum(own.nbytes for side in sums.own for own in side)


# --- bad input ---------------------------------------------------------------------------------------------------------

X = pair()[0]
HOLED = np.where(np.arange(60)[:, None] == 3, np.nan, X)


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda: pc.similarity(X, X[:50]), r"A has 60 inputs and B has 50"),
        (lambda: pc.similarity({"a": X, "b": X[:9]}), r"different numbers of inputs"),
        (lambda: pc.similarity(HOLED, X), r"layer 'A' of A holds NaN"),
        (lambda: pc.similarity({}, X), r"A has no layers"),
        (lambda: pc.similarity(np.ones((60, 2)), X), r"'A' does not vary over the 60 inputs"),
        (lambda: pc.similarity(np.full((60, 2), 0.1), X, pc.SVCCA()), r"'A' does not vary"),
        (lambda: pc.similarity(np.ones((60, 2)), X, pc.CKA("rbf")), r"'A' does not vary"),
        (lambda: pc.similarity(X[:2], X[:2]), r"2 inputs cannot be compared"),
        (lambda: pc.similarity(X[:3], X[:3], pc.CKA(unbiased=True)), r"at least 4"),
        (lambda: pc.similarity(X, X, pc.CKA(unbiased=True, batch=40)), r"do not fill two batches"),
        (lambda: pc.similarity(X[:10], X[:10], pc.SVCCA()), r"10 inputs are too few.*CKA\(unbiased=True\)"),
        (lambda: pc.similarity(X[:, 0], X), r"rows first"),
        (lambda: pc.similarity(X, pc.CKA()), r"B=CKA.* is a method"),
        (lambda: pc.similarity(X, X, inputs=X), r"are for networks"),
        (lambda: pc.similarity(mlp(), mlp()), r"A is a network: give the inputs"),
        (lambda: pc.similarity(X, X, "Saliency"), r"does not compare representations"),
        (lambda: pc.similarity(mlp(), inputs=np.zeros((9, 4), np.float32), layers="nope"), r"no layer 'nope'"),
        (lambda: pc.similarity(lambda x: x, inputs=X), r"looks at the layers of a network"),
        (lambda: pc.CKA(batch=9), r"unbiased=True, batch=9"),
        (lambda: pc.CKA(unbiased=True, batch=3), r"4 inputs or more"),
        (lambda: pc.CKA("cubic"), r"'linear' or 'rbf'"),
        (lambda: pc.CKA(bandwidth=0), r"positive"),
        (lambda: pc.SVCCA(0), r"a share above 0"),
        (lambda: pc.SVCCA(weights="all"), r"'mean' or 'projection'"),
    ],
)
def test_bad_input(ask, says):
    with pytest.raises(pc.PellucidError, match=says):
        ask()


@every
def test_a_layer_that_does_not_vary_is_nan_and_named_and_the_others_stand(method):
    x, y = pair()
    found = pc.similarity({"dead": np.full((60, 3), 0.1), "x": x}, {"y": y}, method)
    assert np.isnan(found.matrix[0]).all() and np.isnan(found.chance[0]).all()
    assert found.matrix[1, 0] == pytest.approx(pc.similarity(x, y, method).value)
    assert found.receipt.warnings[0] == "'dead' does not vary over the inputs: NaN throughout"
    assert found.matches.tolist() == [-1, 0] and found.value == pytest.approx(found.matrix[1, 0])


def test_a_network_with_nan_names_the_layer():
    model = mlp()
    with torch.no_grad():
        model[2].weight[0] = np.nan
    with pytest.raises(pc.ModelError, match="layer '2' gives NaN"):
        pc.similarity(model, inputs=np.ones((9, 4), np.float32) * np.arange(9, dtype=np.float32)[:, None])


# --- the picture -------------------------------------------------------------------------------------------------------


def test_the_picture_names_fifty_layers_and_marks_the_matches():
    rng = np.random.default_rng(0)
    layers = {f"features.{i}.conv": rng.normal(size=(40, 3)) for i in range(50)}
    ax = pc.plot.show(pc.similarity(layers))
    assert [label.get_text() for label in ax.get_yticklabels()] == list(layers)
    assert len(ax.collections[0].get_offsets()) == 50 and "50" not in ax.get_title()
    few = pc.plot.show(pc.similarity(dict(list(layers.items())[:3]), method=pc.CKA(unbiased=True)))
    assert len(few.texts) == 9 and "unbiased" in few.get_title(loc="left")


def test_the_picture_of_a_layer_without_an_answer():
    ax = pc.plot.similarity(pc.similarity({"dead": np.ones((60, 2)), "x": X}, X))
    assert [text.get_text() for text in ax.texts] == ["n/a", "1.00"]


# --- the paper's experiment ----------------------------------------------------------------------------------------------


def trained(seed: int, x: torch.Tensor, y: torch.Tensor) -> nn.Sequential:
    """Six layers of tanh, from another start and another order of the same rows."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for width in (64, *[128] * 5):
        layers += [nn.Linear(width, 128), nn.Tanh()]
        nn.init.kaiming_normal_(layers[-2].weight)
    model, order = nn.Sequential(*layers, nn.Linear(128, 10)), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(20):
        for rows in torch.randperm(len(x), generator=order).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model


@pytest.mark.slow
def test_cka_finds_the_layers_that_match_in_networks_trained_apart_and_cca_does_not():
    digits = load_digits()
    x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
    names, shown = [str(2 * k + 1) for k in range(6)], x[1297:].numpy()
    said = [pc.activations(trained(seed, x[:1297], y[:1297]), shown, names) for seed in range(3)]
    share = {}
    for method in (pc.CKA(), pc.SVCCA(1.0), pc.SVCCA()):
        pairs = itertools.permutations(said, 2)
        found = [pc.similarity(one, other, method).matches == np.arange(6) for one, other in pairs]
        share[repr(method)] = np.mean(found)
    first, *others = share.values()
    assert first > 0.85 and first > max(others) + 0.2, share
