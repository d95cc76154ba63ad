"""Answers that are selected in a context: a network taught to find the word before a thing; the numbers are transformers' own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import pellucid as pc

pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

ROWS = [
    ("Who has the boat?", "Ann lamp, Bob boat."),
    ("Who has the drum?", "Cleo drum, Dan lamp."),
    ("Who has the boat?", "Bobat or Dan boat, Ann drum."),
]
ANSWERS = ["Bob", "Cleo", "Dan"]


@pytest.fixture(scope="module")
def small():
    return pytest.importorskip("small_reader", reason="transformers is an optional framework")


@pytest.fixture(scope="module")
def cut(small):
    return small.tokenizer()


@pytest.fixture(scope="module")
def net(small, cut):
    return small.trained(cut)


@pytest.fixture(scope="module")
def model(net, cut):
    return pc.TextModel(net, cut)


def own(net, cut, question, context, place, scale="raw"):
    """The network's number of the answer at tokens (i, j), through transformers alone."""
    with torch.no_grad():
        out = net(**cut(question, context, return_tensors="pt"))
    both = [one[0].double() for one in (out.start_logits, out.end_logits)]
    if scale != "raw":
        both = [torch.log_softmax(one, dim=-1) for one in both]
    return float(both[0][place[0]] + both[1][place[1]])


def token_of(cut, question, context, word):
    ids = cut(question, context)["input_ids"]
    (found,) = (at for at, token in enumerate(ids) if cut.decode([token]).strip().lower() == word.lower())
    return found, found


# --- the numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [None, "log probability", "probability"])
@pytest.mark.parametrize("method", [pc.Occlusion(), pc.InputXGradient()], ids=["texts", "embeddings"])
def test_numbers_are_the_networks_own_whatever_the_batch(net, cut, model, scale, method):
    told = "raw" if scale is None else "log"
    expected = [own(net, cut, *row, token_of(cut, *row, word), told) for row, word in zip(ROWS, ANSWERS, strict=True)]
    expected = np.exp(expected) if scale == "probability" else np.array(expected)
    for size in (None, 1, 2):
        a = pc.explain(model, ROWS, method, target=pc.Span(tuple(ANSWERS), scale=scale), batch_size=size)
        np.testing.assert_allclose(a.scores, expected, atol=1e-5)
    for row in range(3):
        alone = pc.explain(model, ROWS[row : row + 1], method, target=pc.Span(ANSWERS[row], scale=scale))
        np.testing.assert_allclose(alone.scores, expected[row], atol=1e-5)
        np.testing.assert_allclose(alone.values[0], a.values[row, : alone.values.shape[1]], atol=1e-5)


def test_the_networks_own_answer_is_the_best_span(net, cut, model):
    a = pc.explain(model, ROWS[:2], pc.Occlusion())
    assert [row[1][s:e] for row, s, e in zip(ROWS, a.target.answer, a.target.stop, strict=False)] == ANSWERS[:2]
    for row, (question, context) in enumerate(ROWS[:2]):
        fed = cut(question, context, return_tensors="pt")
        inside = [k for k, which in enumerate(fed.sequence_ids(0)) if which == 1]
        every = [own(net, cut, question, context, (i, j)) for i in inside for j in inside if i <= j]
        assert a.scores[row] == pytest.approx(max(every), abs=1e-5)
    short = pc.explain(pc.TextModel(untaught(), cut), ROWS, pc.Occlusion(), target=pc.Span(longest=1))
    wide = pc.explain(pc.TextModel(untaught(), cut), ROWS, pc.Occlusion(), target=pc.Span())
    assert (wide.scores >= short.scores - 1e-6).all() and (wide.scores > short.scores + 1e-3).any()
    again = pc.explain(model, ROWS[:2], pc.Occlusion(), target=a.target)
    np.testing.assert_array_equal(again.values, a.values)
    by_number = pc.explain(model, ROWS[:1], pc.Occlusion(), target=pc.Span(10, 13))
    np.testing.assert_array_equal(by_number.values[0], a.values[0])


def untaught():
    import small_reader

    return small_reader.network(seed=3).eval()


def test_one_answer_rather_than_another(model):
    a, b = (pc.explain(model, ROWS[:1], pc.KernelShap(), target=pc.Span(word)) for word in ("Bob", "Ann"))
    both = pc.explain(model, ROWS[:1], pc.KernelShap(), target=pc.Margin("Bob", "Ann"))
    np.testing.assert_allclose(both.values, a.values - b.values, atol=1e-5)
    np.testing.assert_allclose(both.gap, 0, atol=1e-5)
    chance = [
        pc.explain(model, ROWS[:1], pc.Occlusion(), target=pc.Span(w, scale="log probability")) for w in ("Bob", "Ann")
    ]
    assert both.scores[0] == pytest.approx(chance[0].scores[0] - chance[1].scores[0], abs=1e-5)
    assert both.target == pc.LogOdds("Bob", "Ann", tokens="all", scale="raw")
    slope = pc.explain(model, ROWS[:1], pc.LRP(), target=both.target)
    np.testing.assert_allclose(slope.scores, both.scores, atol=1e-5)


# --- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", [pc.ExactShapley(), pc.Occlusion(), pc.PartitionShap()], ids=lambda m: type(m).__name__
)
def test_the_planted_words_are_found(model, method):
    """Asked who has the boat, the network looks for "boat": in the question, and beside the answer."""
    target = pc.Margin("Bob", "Ann")
    a = pc.explain(model, ROWS[:1], method, target=target)
    words = a.data[0].tolist()
    order = np.argsort(-a.values[0])
    asked, beside = words.index("boat"), len(words) - 2
    assert words[beside] == "boat" and asked in order[:3] and a.values[0, asked] > 0
    assert a.values[0, words.index("lamp")] != 0
    if not isinstance(method, pc.Occlusion):
        np.testing.assert_allclose(a.gap, 0, atol=1e-5)
        assert a.base_values[0] == pytest.approx(
            pc.explain(model, ROWS[:1], pc.ExactShapley(), target=target).base_values[0]
        )


@pytest.mark.parametrize(
    "method", [pc.IntegratedGradients(steps=128), pc.DeepLift(), pc.LRP()], ids=lambda m: type(m).__name__
)
def test_gradient_methods_add_up_at_the_embeddings(model, method):
    a = pc.explain(model, ROWS, method, target=pc.Span(tuple(ANSWERS)))
    np.testing.assert_allclose(a.gap, 0, atol=2e-2 if isinstance(method, pc.IntegratedGradients) else 1e-3)
    words = a.data[0, a.mask[0]].tolist()
    assert words == [
        "[CLS]",
        "Who",
        "has",
        "the",
        "boat",
        "?",
        "[SEP]",
        "Ann",
        "lamp",
        ",",
        "Bob",
        "boat",
        ".",
        "[SEP]",
    ]
    rather = pc.explain(model, ROWS[:1], pc.DeepLift(), target=pc.Margin("Bob", "Ann"))
    assert rather.values[0, words.index("boat")] > 0  # the question's


# --- hiding -----------------------------------------------------------------------------------------------------------


def test_the_number_is_read_where_the_answer_stands(net, cut, model):
    """Occlusion by hand: another text before the answer moves it, and where it is hidden, its stand-in is read."""
    question, context = "Who has the boat?", "Bobat or Dan boat, Ann drum."  # Bobat is several tokens
    assert len(cut.tokenize("Bobat")) > 1
    a = pc.explain(model, [(question, context)], pc.Occlusion(), target=pc.Span("Dan"))
    row = dict(zip(a.data[0].tolist(), a.values[0], strict=True))
    whole = own(net, cut, question, context, token_of(cut, question, context, "Dan"))
    without = "[MASK] or Dan boat, Ann drum."
    assert row["Bobat"] == pytest.approx(
        whole - own(net, cut, question, without, token_of(cut, question, without, "Dan")), abs=1e-5
    )
    hidden = "Bobat or [MASK] boat, Ann drum."
    assert row["Dan"] == pytest.approx(
        whole - own(net, cut, question, hidden, token_of(cut, question, hidden, "[MASK]")), abs=1e-5
    )
    sentence = pc.explain(
        model, [(question, context)], pc.Occlusion(), target=pc.Span("Dan"), masker=pc.Sentences("mask")
    )
    assert sentence.data[0].tolist() == [question, context]
    gone = own(net, cut, question, "[MASK]", token_of(cut, question, "[MASK]", "[MASK]"))
    assert sentence.values[0, 1] == pytest.approx(whole - gone, abs=1e-5)


def test_deletion_moves_the_answer_and_may_not_take_it(net, cut, model):
    question, context = ROWS[0]
    a = pc.explain(model, ROWS[:1], pc.Occlusion(), target=pc.Span("Bob"), masker=pc.Words(span="question"))
    whole = own(net, cut, question, context, token_of(cut, question, context, "Bob"))
    short = "Who has boat?"
    assert (
        a.data[0].tolist()[:5] == ["Who", "has", "the", "boat", "?"] and a.mask[0].tolist() == [True] * 5 + [False] * 6
    )
    assert a.values[0, 2] == pytest.approx(
        whole - own(net, cut, short, context, token_of(cut, short, context, "Bob")), abs=1e-5
    )
    none = pc.explain(model, ROWS[:1], pc.ExactShapley(), target=pc.Span("Bob"), masker=pc.Words(span="question"))
    assert none.base_values[0] == pytest.approx(own(net, cut, "", context, token_of(cut, "", context, "Bob")), abs=1e-5)
    assert not none.receipt.warnings
    with pytest.raises(pc.MethodError, match=r"deletes the answer 'Bob' itself.*Words\(fill='mask'\)"):
        pc.explain(model, ROWS[:1], pc.Occlusion(), target=pc.Span("Bob"), masker=pc.Words())
    before = pc.explain(model, ROWS[:1], pc.Occlusion(), target=pc.Span("Bob"), masker=pc.Words(span="Ann lamp,"))
    left = "Bob boat."
    assert before.data[0, before.mask[0]].tolist() == ["Ann", "lamp", ","]
    every = pc.explain(model, ROWS[:1], pc.ExactShapley(), target=pc.Span("Bob"), masker=pc.Words(span="Ann lamp,"))
    assert every.base_values[0] == pytest.approx(
        own(net, cut, question, left, token_of(cut, question, left, "Bob")), abs=1e-5
    )
    context_only = pc.explain(model, ROWS[:1], pc.Occlusion(), masker=pc.Tokens("mask", span="context"))
    assert context_only.mask[0].tolist() == [False] * 5 + [True] * 6


def test_metrics_follow_the_answer_too(model, net, cut):
    a = pc.explain(model, ROWS[:2], pc.ExactShapley(), target=pc.Span(("Bob", "Cleo")))
    curve = pc.evaluate(model, a, pc.Deletion(fill="mask")).curves[0]
    np.testing.assert_allclose(curve.curves[:, 0], a.scores, atol=1e-5)
    np.testing.assert_allclose(curve.curves[:, -1], a.base_values, atol=1e-5)
    with pytest.raises(pc.MethodError, match="deletes the answer"):
        pc.evaluate(model, a, pc.Deletion())


# --- the input --------------------------------------------------------------------------------------------------------


def test_of_a_pair_the_context_is_cut(net, cut):
    context = "Ann lamp, Bob boat." + " Cleo drum, Dan lamp." * 3
    model = pc.TextModel(net, cut, max_length=15)  # the question, 3 special tokens, and 7 of the context
    a = pc.explain(model, [(ROWS[0][0], context)], pc.Occlusion(), target=pc.Span("Bob"))
    assert a.mask[0].tolist() == [True] * 12 + [False] * 17
    assert any("longer than the model reads" in warning for warning in a.receipt.warnings)
    with pytest.raises(pc.TargetError, match="beyond the 15 tokens"):
        pc.explain(
            model,
            [(ROWS[0][0], context)],
            pc.Occlusion(),
            target=pc.Span(context.rindex("Dan"), context.rindex("Dan") + 3),
        )
    with pytest.raises(pc.InputError, match=r"the question of row 0 takes .* of the 6 tokens"):
        pc.explain(pc.TextModel(net, cut, max_length=6), ROWS[:1], pc.Occlusion())


def test_refusals(model):
    for target, said in [
        (pc.Span("Zoe"), "'Zoe' does not stand in the context of row 0"),
        (pc.Span("An"), "as whole words"),
        (pc.Span(3, 99), "characters 3 to 99 are no part of the context"),
        (pc.Span(("Bob", "Ann")), "2 answers for 1 rows"),
        (pc.LogOdds("Bob", "Ann"), "asks for no span"),
        (1, "asks for no span"),
    ]:
        with pytest.raises(pc.TargetError, match=said):
            pc.explain(model, ROWS[:1], pc.Occlusion(), target=target)
    twice = [("Who has the boat?", "Ann lamp, Ann boat.")]
    with pytest.raises(pc.TargetError, match=r"stands 2 times.*Span\(0, 3\), Span\(10, 13\)"):
        pc.explain(model, twice, pc.Occlusion(), target=pc.Span("Ann"))
    for wrong in ({"answer": 3}, {"answer": "Ann", "stop": 3}, {"answer": 1.5, "stop": 2}, {"longest": 0}):
        with pytest.raises(pc.TargetError):
            pc.Span(**wrong)
    with pytest.raises(pc.InputError, match=r"give rows \(question, context\)"):
        pc.explain(model, ["Ann lamp."], pc.Occlusion())
    with pytest.raises(pc.InputError, match="row 1 of x is one text, and row 0 is not"):
        pc.explain(model, [ROWS[0], "Ann lamp."], pc.Occlusion())
    with pytest.raises(pc.TargetError, match="asks where an answer stands"):
        pc.explain(lambda texts: np.zeros(len(texts)), ["Ann lamp."], pc.Occlusion(), target=pc.Span("Ann"))


def test_a_function_of_pairs_and_a_classifier_of_pairs(cut):
    import transformers

    a = pc.explain(lambda rows: np.array([len(q) + 10.0 * len(c) for q, c in rows]), ROWS[:1], pc.Occlusion())
    assert a.scores[0] == len(ROWS[0][0]) + 10 * len(ROWS[0][1]) and a.data[0, 4] == "?"
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=160,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.5,
    )
    net = transformers.BertForSequenceClassification(config).eval()
    with torch.no_grad():
        expected = [float(net(**cut(*row, return_tensors="pt")).logits[0, 1]) for row in ROWS]
    for method in (pc.KernelShap(samples=60), pc.InputXGradient()):
        found = pc.explain(pc.TextModel(net, cut), ROWS, method, target=1)
        np.testing.assert_allclose(found.scores, expected, atol=1e-5)
    with torch.no_grad():
        empty = float(net(**cut([""], [""], return_tensors="pt")).logits[0, 1])
    assert pc.explain(pc.TextModel(net, cut), ROWS[:1], pc.ExactShapley(), target=1).base_values[0] == pytest.approx(
        empty, abs=1e-5
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["Roberta", "DistilBert", "Electra", "GPT2", "OPT"])
def test_other_architectures(small, family, side):
    import transformers

    cut = small.tokenizer(
        padding_side=side, **({} if family in ("Electra",) else {"model_input_names": ["input_ids", "attention_mask"]})
    )
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 160,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    sizes |= {
        "pad_token_id": 0,
        "max_position_embeddings": 64,
        "initializer_range": 0.5,
        "bos_token_id": 1,
        "eos_token_id": 3,
    }
    if family == "DistilBert":
        sizes = {"vocab_size": 160, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16, "initializer_range": 0.5}
    if family == "OPT":
        sizes |= {"ffn_dim": 16, "word_embed_proj_dim": 16, "init_std": 0.5}
    config = getattr(transformers, f"{family}Config")(**sizes)
    net = transformers.AutoModelForQuestionAnswering.from_config(config).eval()
    expected = [own(net, cut, *row, token_of(cut, *row, word)) for row, word in zip(ROWS, ANSWERS, strict=True)]
    for method in (pc.KernelShap(samples=40), pc.InputXGradient()):
        a = pc.explain(pc.TextModel(net, cut), ROWS, method, target=pc.Span(tuple(ANSWERS)))
        np.testing.assert_allclose(a.scores, expected, atol=1e-5)


# --- records and plots ------------------------------------------------------------------------------------------------


def test_records_and_plots_show_question_context_and_answer(model, tmp_path):
    a = pc.explain(
        model, ROWS[:2], pc.Occlusion(), target=pc.Span(("Bob", "Cleo")), masker=pc.Words("mask", span="context")
    )
    a.save(tmp_path / "a.npz")
    back = pc.load(tmp_path / "a.npz")
    assert back.target == a.target and back.texts == a.texts
    ax = pc.plot.text(a)
    drawn = {text.get_text(): text for text in ax.texts}
    assert drawn["Who"].get_position()[1] < drawn["Ann"].get_position()[1] and drawn["Who"].get_bbox_patch() is None
    (line,) = [one for one in ax.lines if one.get_linewidth() == 1.6]
    x, _ = drawn["Bob"].get_position()
    assert line.get_xdata()[0] == pytest.approx(x - 1)
    html, plain = pc.plot.text_html(a), pc.plot.text_terminal(a)
    assert "Who has the boat?\n" in plain and "[" in plain and html.count("[") == 1 and "\x1e" not in html + plain
    second = pc.plot.text_terminal(a, 1).split("\n")[1]
    assert second.startswith("[") and second.index("]") < second.index("drum")


@pytest.mark.parametrize(
    ("span", "players"),
    [
        ("user", ["a", "great", "film", ",", "a", "fun", "end"]),
        ("a", ["a", "great", "a"]),
        ((2, 7), ["great"]),
        ((4, 9), ["great", "film"]),
        (("film", (0, 1)), ["a", "film"]),
        (("great", "fun end"), ["great", "fun", "end"]),
    ],
)
def test_spans_of_the_users_own(span, players):
    """A function of texts will do: what lies outside the span stays."""
    seen = []

    def model(texts):
        seen.extend(texts)
        return np.array([float(len(text)) for text in texts])

    text = "a great film, a fun end"
    a = pc.explain(model, [text], pc.ExactShapley(), masker=pc.Words(span=span))
    assert a.data[0, a.mask[0]].tolist() == players
    assert a.data[0].tolist() == ["a", "great", "film", ",", "a", "fun", "end"]
    outside = list(a.data[0, ~a.mask[0]])
    assert all(all(word in one for word in outside) for one in seen)
    np.testing.assert_allclose(a.gap, 0, atol=1e-9)


def test_spans_that_stand_nowhere_are_refused():
    model = lambda texts: np.zeros(len(texts))  # noqa: E731
    with pytest.raises(pc.MethodError, match="'fish' stands nowhere in 'a great film'"):
        pc.explain(model, ["a great film"], pc.Occlusion(), masker=pc.Words(span="fish"))
    with pytest.raises(pc.MethodError, match="characters 3 to 99 lie beyond a text of 12"):
        pc.explain(model, ["a great film"], pc.Occlusion(), masker=pc.Words(span=(3, 99)))
    for wrong in ("", (), (5, 5), (5, 2), 3, (-1, 2), ("a", 3)):
        with pytest.raises(pc.MethodError, match="span="):
            pc.Tokens(span=wrong)


def test_the_command_line_reads_questions_and_contexts(net, cut, model, tmp_path):
    import pandas as pd
    from click.testing import CliRunner

    from pellucid.cli.app import app

    net.save_pretrained(tmp_path / "net")
    cut.save_pretrained(tmp_path / "net")
    pd.DataFrame(ROWS, columns=["question", "context"]).to_csv(tmp_path / "rows.csv", index=False)
    asked = ["explain", "--model", str(tmp_path / "net"), "--data", str(tmp_path / "rows.csv"), "--rows", "0:1"]
    told = CliRunner().invoke(app, [*asked, "--method", "Occlusion", "--target", "Span('Bob')", "--json"])
    assert told.exit_code == 0, told.output
    own_values = pc.explain(model, ROWS[:1], pc.Occlusion(), target=pc.Span("Bob")).values
    np.testing.assert_allclose(json.loads(told.stdout)["values"], own_values, atol=1e-5)


def test_an_answer_has_at_most_so_many_tokens():
    from pellucid.models.spans import _largest

    starts, ends = np.array([5.0, 0.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.5, 9.0])
    assert [_largest(starts, ends, longest) for longest in (4, 3, 2, 1)] == [(0, 3), (2, 3), (2, 3), (3, 3)]
    assert _largest(np.array([0.0, 9.0]), np.array([8.0, 0.0]), 5) == (1, 1)  # none ends before it starts
