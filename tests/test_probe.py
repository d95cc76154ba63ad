"""Probes: a label that is there is read and one that is not is not; control tasks expose what a probe knows by heart."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from nets import Formula, cnn
from oracles import oracle
from pellucid.methods.representation.fitting import clustered, commonest_by_type, control_labels, fitted, interval
from small_bert import bert, tokenizer

WORDS = ["a", "great", "film", "boring", "ends", "so", "!", "not", "fun", "the", "end", "bored"]


class Ids(nn.Module):
    """Token ids -> one-hot types ("types"), or vectors that say only whether the id is even ("parity")."""

    def __init__(self, n: int = 12):
        super().__init__()
        self.types, self.parity = nn.Embedding(n, n), nn.Embedding(n, 3)
        with torch.no_grad():
            self.types.weight[:] = torch.eye(n)
            self.parity.weight[:] = (torch.arange(n) % 2).float()[:, None] * torch.tensor([1.0, -1.0, 2.0])

    def forward(self, ids):
        return self.types(ids).sum(1) + self.parity(ids).sum((1, 2))[:, None]


def ids(n=60, t=10, seed=0):
    return np.random.default_rng(seed).integers(0, 12, (n, t))


def test_a_representation_of_types_alone_has_no_selectivity():
    """One-hot types solve the task and any control task alike: accuracy 1, control accuracy 1, selectivity 0."""
    x = ids()
    found = pc.probe(Ids(), x, x % 2, pc.LinearProbe(penalty=1e-4), layer=["types", "parity"])
    assert found.accuracy[0] == found.control[0] == 1
    assert found.selectivity[0] == oracle("PROBE")["expected"]["selectivity"]
    assert found.accuracy[1] == 1 and found.selectivity[1] > 0.3  # parity alone cannot remember types
    assert found.by_type == 1 and found.unit == "token" and found.best == "parity"
    assert "types the probe does no better than on random labels" in found.words()[-1]
    np.testing.assert_allclose(found.memorised[0], 1)


def test_a_control_task_exposes_a_probe_that_is_too_strong():
    """Random vectors for each type hold no part of speech; a probe without penalty learns it by heart, a modest one less."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(200, 300), Formula(lambda e: e.sum(1)))
    rng = np.random.default_rng(0)
    x, tags = rng.integers(0, 200, (80, 12)), rng.integers(0, 3, 200)
    strong = pc.probe(net, x, tags[x], pc.LinearProbe(penalty=1e-5), layer="0")
    assert strong.accuracy[0] > 0.9 and abs(strong.selectivity[0]) < 0.05
    modest = pc.probe(net, x, tags[x], pc.LinearProbe(penalty=1e3), layer="0")
    assert modest.accuracy[0] < 0.75


def test_what_is_there_is_read_and_what_is_not_is_not():
    rng = np.random.default_rng(0)
    net, x = nn.Sequential(nn.Linear(5, 40), nn.Tanh(), nn.Linear(40, 2)), rng.normal(size=(300, 5))
    there, chance = (x[:, 0] > 0).astype(int), rng.integers(0, 2, 300)
    read = pc.probe(net, x, there, layer=["0", "1"])
    assert read.accuracy.min() > 0.9 and read.unit == "row" and (read.train, read.test) == (210, 90)
    assert (read.low < read.accuracy).all() and (read.accuracy < read.high).all()
    assert (
        np.abs(read.control - 0.5).max() < 0.15 and "control labels are drawn for each example" in read.receipt.notes[0]
    )
    guessed = pc.probe(net, x, chance, layer="0")
    assert guessed.low[0] < 0.5 < guessed.high[0] and np.isnan(guessed.by_type)
    grouped = pc.probe(net, x, there, layer="0", control=there)
    assert grouped.by_type == 1 and not grouped.receipt.notes
    assert read.receipt.rows_forward == 300 and read.receipt.rows_backward == 0


def test_the_probe_is_the_penalised_regression_of_its_docstring():
    """The gradient of the stated objective vanishes at scikit-learn's solution, on standardised vectors."""
    rng = np.random.default_rng(0)
    vectors, penalty = rng.normal(size=(80, 3)) * [1, 10, 0.1], 0.02
    y = (vectors[:, 0] + vectors[:, 1] / 10 + rng.normal(size=80) > 0).astype(int)
    train = np.arange(80) < 60
    found = fitted(vectors, y, train, penalty)
    seen = (vectors - vectors[train].mean(0)) / vectors[train].std(0)
    w, b = (
        torch.zeros(3, dtype=torch.float64, requires_grad=True),
        torch.zeros((), dtype=torch.float64, requires_grad=True),
    )
    step = torch.optim.LBFGS([w, b], max_iter=200, tolerance_grad=1e-10)
    at, labels = torch.tensor(seen[train]), torch.tensor(y[train]).double()

    def loss():
        step.zero_grad()
        height = at @ w + b
        made = nn.functional.binary_cross_entropy_with_logits(height, labels) + penalty / 2 * (w**2).sum()
        made.backward()
        return made

    step.step(loss)
    expected = (torch.tensor(seen) @ w + b > 0).numpy() == y
    np.testing.assert_array_equal(found.held, expected[~train])
    np.testing.assert_array_equal(found.trained, expected[train])


def test_rows_stay_whole_and_their_examples_count_together():
    """Ten copies of each row's answer are no more evidence than one: the error of the mean is that of the rows."""
    answers = np.random.default_rng(0).integers(0, 2, 50).astype(float)
    alone, copied = clustered(answers, np.arange(50)), clustered(np.repeat(answers, 10), np.repeat(np.arange(50), 10))
    np.testing.assert_allclose(alone, copied)
    assert alone[1] == pytest.approx(answers.std(ddof=1) / np.sqrt(50))
    low, high = interval(0.9, np.sqrt(0.09 / 100), 100)
    np.testing.assert_allclose([low, high], [0.8256, 0.9448], atol=5e-5)  # Wilson for 90 of 100
    assert interval(1.0, 0.0, 20)[1] == pytest.approx(1) and interval(1.0, 0.0, 20)[0] == pytest.approx(
        0.8389, abs=1e-4
    )


def test_the_interval_covers_the_truth_over_rows():
    """Examples of a row are right or wrong together more often than not; 1,000 draws."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(1000):
        level = rng.beta(8, 2, 60)
        right = (rng.random((60, 5)) < level[:, None]).astype(float).ravel()
        mean, stderr = clustered(right, np.repeat(np.arange(60), 5))
        low, high = interval(mean, stderr, 300)
        inside += low <= 0.8 <= high
    assert 930 <= inside <= 970


def test_control_labels_belong_to_types_and_keep_the_distribution():
    rng = np.random.default_rng(0)
    types = rng.integers(0, 5000, 20000)
    y = (rng.random(20000) < 0.2).astype(int)
    drawn = control_labels(y, types, rng)
    for kind in (0, 7, 4999):
        assert len(set(drawn[types == kind])) <= 1
    assert drawn.mean() == pytest.approx(0.2, abs=0.02)
    assert (control_labels(y, None, rng) != y).any()
    train = np.array([True] * 4 + [False] * 3)
    right = commonest_by_type(np.array([0, 1, 1, 1, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0, 2]), train)
    np.testing.assert_array_equal(right, [False, True, True])


# --- texts -----------------------------------------------------------------------------------------------------------


def sentences(n=40, seed=0):
    rng = np.random.default_rng(seed)
    words = [[WORDS[i] for i in rng.integers(0, len(WORDS), rng.integers(2, 7))] for _ in range(n)]
    return words, [["mark" if word == "!" else "long" if len(word) > 3 else "short" for word in line] for line in words]


def test_labels_of_words_are_read_off_the_mean_of_their_pieces():
    """As lists of words or as texts; against vectors put together by hand, each sentence alone."""
    model, tok = bert(), tokenizer()
    words, tags = sentences()
    layers = ["bert.embeddings", "bert.encoder.layer.*"]
    found = pc.probe(pc.TextModel(model, tok), words, tags, layer=layers)
    assert found.unit == "word" and found.train + found.test == sum(map(len, words)) and len(found) == 3
    assert found.classes == ("long", "mark", "short") and found.accuracy[0] > 0.9
    texts = pc.probe(pc.TextModel(model, tok), [" ".join(line) for line in words], tags, layer=layers)
    np.testing.assert_array_equal(texts.accuracy, found.accuracy)
    model.eval()
    vectors = []
    for line in words:
        fed = tok([line], is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            states = model.bert(**fed, output_hidden_states=True).hidden_states[1][0]
        for i in range(len(line)):
            vectors.append(states[[j for j, word in enumerate(fed.word_ids(0)) if word == i]].mean(0).numpy())
    rows = np.repeat(np.arange(len(words)), [len(line) for line in words])
    held = np.random.default_rng(0).permutation(len(words))[: round(0.3 * len(words))]
    y = np.array([found.classes.index(tag) for line in tags for tag in line])
    by_hand = fitted(np.stack(vectors), y, ~np.isin(rows, held), 1e-3)
    assert by_hand.held.mean() == pytest.approx(found.accuracy[1], abs=0.02)


def test_words_without_a_label_or_beyond_the_limit_are_left_out():
    words, tags = sentences()
    tags[0] = [None] * len(tags[0])
    found = pc.probe(
        pc.TextModel(bert(), tokenizer()), words, tags, pc.LinearProbe(controls=0), layer="bert.embeddings"
    )
    assert found.train + found.test == sum(map(len, words[1:]))
    assert not found.controlled and np.isnan(found.selectivity).all()
    cut = pc.TextModel(bert(), tokenizer(), max_length=4)
    short = pc.probe(cut, words, tags, layer="bert.embeddings")
    assert any("no token that the network reads" in said for said in short.receipt.warnings)
    assert short.train + short.test < found.train + found.test


def test_labels_of_texts_and_of_pictures():
    words, _ = sentences()
    texts = [" ".join(line) for line in words]
    found = pc.probe(
        pc.TextModel(bert(), tokenizer()), texts, ["!" in text for text in texts], layer="bert.encoder.layer.*"
    )
    assert found.unit == "row" and found.classes == (False, True)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2, 8, 8)).astype(np.float32)
    x[:30, 0] += 1
    for pool, width in (("mean", 4), ("max", 4), ("flatten", 256)):
        seen = pc.probe(cnn(), x, np.arange(60) < 30, pc.LinearProbe(pool=pool), layer="0")
        assert seen.width[0] == width and seen.accuracy[0] > 0.6
    assert any("0 has 256 numbers for 42 examples" in said for said in seen.receipt.warnings)


def test_neither_batches_nor_company_matter_and_the_record_keeps(tmp_path):
    rng = np.random.default_rng(0)
    net, x = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2)), rng.normal(size=(60, 5))
    y = (x[:, 0] > 0).astype(int)
    both = pc.probe(net, x, y, layer=["0", "1"], control=y)
    alone = pc.probe(net, x, y, layer="1", batch_size=7, control=y)
    assert alone.accuracy[0] == both.accuracy[1] and alone.selectivity[0] == both.selectivity[1]
    back = pc.load(both.save(tmp_path / "p.npz"))
    assert back.layers == both.layers and back.method == both.method and back[1].accuracy[0] == both.accuracy[1]
    assert list(both.to_frame()["layer"]) == ["0", "1"]
    ax = pc.plot.show(both)
    assert {line.get_label() for line in ax.lines} >= {"accuracy", "control labels", "selectivity", "commonest label"}
    np.testing.assert_allclose(ax.lines[2].get_ydata(), both.selectivity)
    assert pc.probe(net, x, y, pc.LinearProbe(seed=3), layer="0").accuracy[0] != both.accuracy[0]


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"y": np.zeros(40)}, r"single class, 0.0"),
        ({"y": np.zeros(39, int)}, r"y has 39 entries and X 40 rows"),
        ({"y": np.linspace(0, 1, 40)}, r"no classes: probes classify"),
        ({"y": [None, *range(39)]}, r"missing labels"),
        ({"y": np.zeros((40, 3, 2))}, r"expected \(n,\), \(n, t\)"),
        ({"y": np.zeros((40, 3), int)}, r"labels of places need y \(n, t\)"),
        ({"y": [[1]] * 40}, r"a list a row, and X numbers"),
        ({"control": [0] * 39}, r"39 types for 40 examples"),
        ({"X": np.ones((3, 4)), "y": [0, 1, 0]}, r"3 rows are too few"),
    ],
)
def test_bad_labels_are_named_with_a_remedy(given, says):
    asked = {"X": np.random.default_rng(0).normal(size=(40, 4)), "y": np.arange(40) % 2, **given}
    net = nn.Sequential(nn.Linear(4, 3))
    with pytest.raises(pc.InputError, match=says):
        pc.probe(net, asked.pop("X"), asked.pop("y"), layer="0", **asked)


def test_other_things_that_will_not_do():
    words, tags = sentences()
    model = pc.TextModel(bert(), tokenizer())
    with pytest.raises(pc.InputError, match=r"row 0 has \d labels for \d words"):
        pc.probe(model, words, [line[1:] for line in tags], layer="bert.embeddings")
    with pytest.raises(pc.MethodError, match=r"has no tokens: labels of words"):
        pc.probe(model, words, tags, layer="bert.pooler")
    with pytest.raises(pc.MethodError, match=r"does not probe layers"):
        pc.probe(cnn(), np.ones((9, 2, 8, 8)), np.arange(9) % 2, pc.TCAV(), layer="0")
    with pytest.raises(pc.MethodError, match=r"tokens make no vector of one length"):
        pc.probe(
            model,
            [" ".join(line) for line in words],
            np.arange(40) % 2,
            pc.LinearProbe(pool="flatten"),
            layer="bert.embeddings",
        )
    with pytest.raises(pc.InputError, match=r"one label: give more rows"):
        pc.probe(
            nn.Sequential(nn.Linear(2, 2)),
            np.ones((10, 2)),
            [1] + [0] * 9,
            pc.LinearProbe(seed=_holds_out_first()),
            layer="0",
        )
    for wrong in ({"penalty": 0}, {"test": 1.0}, {"controls": -1}, {"pool": "sum"}):
        with pytest.raises(pc.MethodError, match=next(iter(wrong))):
            replace(pc.LinearProbe(), **wrong)


def _holds_out_first():
    return next(seed for seed in range(50) if 0 in np.random.default_rng(seed).permutation(10)[:3])
