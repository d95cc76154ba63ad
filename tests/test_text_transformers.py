"""Transformers on texts: scores, batches, the limit, tokens, gradients at the embeddings; everything left as found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pellucid as pc

pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

TEXTS = ["A great film, so great!", "boring", "The film bored the end. Not fun!", "", "👍 fun the films"]


def small():
    """The library is loaded by the first test, not when tests are collected."""
    return pytest.importorskip("small_bert", reason="transformers is an optional framework")


def reader(**more):
    return pc.TextModel(small().bert(), small().tokenizer(), **more)


def one_by_one(model, texts):
    """The network's own outputs (b, k), each text by itself: no padding, no batch."""
    net = model.model.eval()
    with torch.no_grad():
        rows = [net(**model.tokenizer(text, return_tensors="pt")).logits[0].double().numpy() for text in texts]
    return np.stack(rows)


def test_scores_are_the_networks_own_whatever_the_batch():
    model = reader()
    expected = one_by_one(model, TEXTS)
    for size in (None, 1, 2):
        a = pc.explain(model, TEXTS, pc.Occlusion(), target=1, batch_size=size)
        np.testing.assert_allclose(a.scores, expected[:, 1], atol=1e-6)
    named = pc.explain(model, TEXTS, pc.Occlusion(), target="good")
    np.testing.assert_array_equal(named.scores, pc.explain(model, TEXTS, pc.Occlusion(), target=1).scores)
    chance = pc.explain(model, TEXTS, pc.Occlusion(), target=pc.Class("good", scale="probability"))
    np.testing.assert_allclose(chance.scores, torch.softmax(torch.tensor(expected), 1)[:, 1], atol=1e-6)
    predicted = pc.explain(model, TEXTS, pc.Occlusion())
    np.testing.assert_allclose(predicted.scores, expected.max(axis=1), atol=1e-6)


def test_occlusion_by_hand():
    model, text = reader(), "A great film, so great!"
    left = ["great film, so great!", "A film, so great!", "A great, so great!", "A great film so great!"]
    left += ["A great film, great!", "A great film, so!", "A great film, so great"]
    whole, *rest = one_by_one(model, [text, *left])[:, 1]
    a = pc.explain(model, [text], pc.Occlusion(), target=1)
    np.testing.assert_allclose(a.values[0], whole - np.array(rest), atol=1e-5)
    masked = pc.explain(model, [text], pc.Occlusion(), target=1, masker=pc.Words(fill="mask"))
    hidden = one_by_one(model, ["A [MASK] film, so great!"])[0, 1]
    assert masked.values[0, 1] == pytest.approx(whole - hidden, abs=1e-5)


def test_tokens_are_the_tokenizers_pieces():
    a = pc.explain(reader(), ["So boring films! 👍"], pc.Occlusion(), target=1, masker=pc.Tokens())
    assert a.data[0].tolist() == ["So", "bor", "ing", "film", "s", "!", "👍"]
    bytes_ = pc.TextModel(small().gpt(), small().byte_tokenizer())
    b = pc.explain(bytes_, ["é 👍🏽"], pc.Occlusion(), target=1, masker=pc.Tokens())
    assert b.data[0].tolist() == ["é", "👍", "🏽"]  # a character of several tokens is one piece


@pytest.mark.parametrize(
    "method",
    [pc.KernelShap(samples=60), pc.LIME(samples=60), pc.PermutationShap(orders=4), pc.PartitionShap(orders=4)],
    ids=repr,
)
def test_a_row_is_the_same_to_the_last_bit_whatever_its_company(method):
    model = reader()
    whole = pc.explain(model, TEXTS, method, target=1)
    for row in (0, 2, 3):
        alone = pc.explain(model, TEXTS[row : row + 1], method, target=1)
        np.testing.assert_array_equal(alone.values[0], whole.values[row, : alone.values.shape[1]])
        assert (whole.values[row, alone.values.shape[1] :] == 0).all()


@pytest.mark.parametrize("padding", [None, 7])
def test_networks_without_a_padding_token_get_batches_that_need_none(padding):
    model = pc.TextModel(small().gpt(), small().byte_tokenizer())
    model.model.config.pad_token_id = padding
    assert model.tokenizer.pad_token_id is None
    texts = ["good", "so good", "fun!", "bad end"]
    a = pc.explain(model, texts, pc.KernelShap(), target=1)
    np.testing.assert_allclose(a.scores, one_by_one(model, texts)[:, 1], atol=1e-5)
    np.testing.assert_allclose(a.gap, 0, atol=1e-6)  # the base value is the score of a text without any token


def test_padding_stands_at_the_right_of_networks_that_count_places():
    left = small().tokenizer(padding_side="left")
    model = pc.TextModel(small().bert(), left)
    a = pc.explain(model, TEXTS[:3], pc.Occlusion(), target=1)
    np.testing.assert_allclose(a.scores, one_by_one(model, TEXTS[:3])[:, 1], atol=1e-6)
    g = pc.explain(model, TEXTS[:3], pc.InputXGradient(), target=1)
    np.testing.assert_allclose(g.scores, a.scores, atol=1e-6)
    assert g.data[1, :4].tolist() == ["[CLS]", "bor", "ing", "[SEP]"] and not g.mask[1, 4:].any()
    assert left.padding_side == "left"


# --- the limit --------------------------------------------------------------------------------------------------------

LONG = "so great film, " * 4 + "boring end"


def test_words_beyond_the_limit_are_never_seen():
    model = reader(max_length=10)  # 8 tokens beside the special ones: two rounds of so great film ,
    a = pc.explain(model, [LONG, "fun!"], pc.ExactShapley(), target=1)
    assert a.mask[0].tolist() == [True] * 8 + [False] * 10
    assert (a.values[0, 8:] == 0).all() and (a.values[0, :8] != 0).any()
    assert a.data[0, -2:].tolist() == ["boring", "end"]
    np.testing.assert_allclose(a.gap, 0, atol=1e-5)
    assert any("1 of 2 texts are longer than the model reads: 10 parts" in warning for warning in a.receipt.warnings)
    cut = pc.explain(model, ["so great film, so great film,"], pc.ExactShapley(), target=1)
    np.testing.assert_allclose(a.values[0, :8], cut.values[0], atol=1e-6)


def test_the_limit_is_the_networks_own():
    assert pc.explain(reader(), [LONG], pc.Occlusion()).mask.all()  # 19 + 2 tokens, 24 places
    longer = pc.explain(reader(), [LONG + " the end" * 9], pc.Occlusion(), target=1)
    assert longer.mask[0].sum() == 21 and longer.receipt.warnings  # 22 tokens: the last word has two
    gradient = pc.explain(reader(), [LONG + " the end" * 9], pc.InputXGradient(), target=1)
    assert gradient.values.shape == (1, 24)
    assert any("longer than the 24 tokens" in warning for warning in gradient.receipt.warnings)


def test_a_tokenizer_that_cuts_at_the_left():
    model = pc.TextModel(small().bert(), small().tokenizer(truncation_side="left"), max_length=6)
    a = pc.explain(model, ["so great film not fun !"], pc.Occlusion(), target=1)
    assert a.mask[0].tolist() == [False, False, True, True, True, True]


# --- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", [pc.IntegratedGradients(steps=96), pc.DeepLift(), pc.LRP(), pc.SmoothGrad(samples=4)], ids=repr
)
def test_tokens_by_gradients(method):
    model = reader()
    a = pc.explain(model, TEXTS, method, target=1)
    assert a.data[0, a.mask[0]].tolist() == ["[CLS]", "A", "great", "film", ",", "so", "great", "!", "[SEP]"]
    assert a.data[1, a.mask[1]].tolist() == ["[CLS]", "bor", "ing", "[SEP]"]
    assert a.layout == "tokens" and a.texts == tuple(TEXTS)
    np.testing.assert_allclose(a.values[~a.mask], 0, atol=1e-6)
    np.testing.assert_allclose(a.scores, one_by_one(model, TEXTS)[:, 1], atol=1e-5)
    if isinstance(method, pc.IntegratedGradients | pc.DeepLift):
        np.testing.assert_allclose(a.gap, 0, atol=5e-3)
    for row in range(len(TEXTS)):
        alone = pc.explain(model, [TEXTS[row]], method, target=1)
        if not method.card.sampled:
            np.testing.assert_allclose(alone.values[0], a.values[row, a.mask[row]], atol=1e-5)
    names, values, _ = a.players.row(1)
    assert names == ("[CLS]", "bor", "ing", "[SEP]") and values.tolist() == a.values[1, :4].tolist()
    assert a.players.labels[1, :6].tolist() == [1, 1, 1, 2, 2, 2]


# --- the user's world -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [pc.Occlusion(), pc.IntegratedGradients(steps=4)], ids=repr)
def test_network_and_tokenizer_are_left_as_found(method):
    model = reader()
    model.model.train()
    next(model.model.parameters()).requires_grad_(False)
    model.tokenizer.backend_tokenizer.enable_truncation(7)
    model.tokenizer.backend_tokenizer.enable_padding(length=5)
    backend = model.tokenizer.backend_tokenizer
    before = backend.truncation, backend.padding
    needed = [p.requires_grad for p in model.model.parameters()]
    pc.explain(model, TEXTS, method, target=1)
    assert (backend.truncation, backend.padding) == before
    assert all(m.training for m in model.model.modules())
    assert [p.requires_grad for p in model.model.parameters()] == needed
    assert all(p.grad is None for p in model.model.parameters())


def test_double_and_half_precision():
    double = pc.TextModel(small().bert().double(), small().tokenizer())
    half = pc.TextModel(small().bert().to(torch.bfloat16), small().tokenizer())
    a, b, c = (pc.explain(m, TEXTS, pc.Occlusion(), target=1).values for m in (reader(), double, half))
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert np.corrcoef(a.ravel(), c.ravel())[0, 1] > 0.95


def test_a_pipeline_of_transformers_is_a_text_model():
    import transformers

    model = reader()
    made = transformers.pipeline("text-classification", model=model.model, tokenizer=model.tokenizer, device="cpu")
    a = pc.explain(made, TEXTS[:2], pc.Occlusion(), target="good")
    np.testing.assert_array_equal(a.values, pc.explain(model, TEXTS[:2], pc.Occlusion(), target="good").values)


def test_an_encoder_is_explained_by_a_function():
    import transformers

    config = transformers.BertConfig(
        vocab_size=21, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    net, cut = transformers.BertModel(config).eval(), small().tokenizer()

    def likeness(texts):
        fed = cut(["great film", *texts], return_tensors="pt", padding=True)
        with torch.no_grad():
            vectors = net(**fed).last_hidden_state[:, 0]
        return torch.nn.functional.cosine_similarity(vectors[1:], vectors[:1]).numpy()

    a = pc.explain(likeness, ["so great film !"], pc.KernelShap())
    np.testing.assert_allclose(a.gap, 0, atol=1e-6)
    with pytest.raises(pc.ModelError, match="not a tensor"):
        pc.explain(pc.TextModel(net, cut), ["so great"], pc.Occlusion())


def test_refusals():
    with pytest.raises(pc.InputError, match=r"takes numbers.*TextModel\(model, tokenizer\)"):
        pc.explain(small().bert(), ["so great"], pc.Occlusion())
    with pytest.raises(pc.InputError, match="takes texts"):
        pc.explain(reader(), np.ones((2, 3), int), pc.Occlusion())
    with pytest.raises(pc.ModelError, match="takes a torch network"):
        pc.explain(pc.TextModel(lambda ids: ids, small().tokenizer()), ["so"], pc.Occlusion())
    with pytest.raises(pc.ModelError, match="positive number of tokens"):
        reader(max_length=0)
    with pytest.raises(pc.TargetError, match="has no class 'fish'; its classes are bad, good"):
        pc.explain(reader(), ["so"], pc.Occlusion(), target="fish")


# --- metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [pc.KernelShap(samples=60), pc.InputXGradient()], ids=repr)
def test_deletion_writes_texts_anew_by_deleting_or_by_the_mask_token(method):
    model = reader()
    a = pc.explain(model, TEXTS[:3], method, target=1)
    card = pc.evaluate(model, a, [pc.Deletion(), pc.Deletion(fill="mask")])
    deleted, masked = (curve.curves[:, -1] for curve in card.curves)
    np.testing.assert_allclose(deleted, one_by_one(model, [""] * 3)[:, 1], atol=1e-5)
    assert not np.allclose(masked, deleted)
    np.testing.assert_allclose(card.curves[0].curves[:, 0], a.scores, atol=1e-5)


def test_deletion_keeps_what_was_never_seen_out_of_view():
    model = reader(max_length=10)
    a = pc.explain(model, [LONG], pc.Occlusion(), target=1)
    curve = pc.evaluate(model, a, pc.Deletion()).curves[0]
    assert curve.curves[0, -1] == pytest.approx(one_by_one(model, [""])[0, 1], abs=1e-5)
    assert len(curve.x) == 9
