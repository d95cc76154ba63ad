"""Attention rollout: by hand, from a network's own attention, and what its record says of itself."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import pellucid as pc
from pellucid.core.scalar import Attended

TEXTS = ["a great film!", "so boring, so bored", "fun"]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def bert():
    """The library is loaded by the first test, not when tests are collected."""
    return pytest.importorskip("small_bert", reason="transformers is an optional framework")


@pytest.fixture(scope="module")
def lms():
    return pytest.importorskip("small_lm", reason="transformers is an optional framework")


def given(*maps, places=None):
    layers = tuple(np.array([one], float) for one in maps)
    real = np.ones(layers[0].shape[:2], bool)
    return Attended(layers, real, np.arange(real.shape[1])[None] if places is None else np.array([places]))


def test_two_layers_by_hand():
    """Rows of the mixed matrices: (1, 0), (1/4, 3/4) below and (1, 0), (3/10, 7/10) above."""
    batch = given([[1, 0], [0.5, 0.5]], [[1, 0], [0.6, 0.4]])
    x = np.zeros((1, 2), int)
    np.testing.assert_allclose(pc.AttentionRollout().attribute(x, [batch]).values, [[0.3 + 0.7 / 4, 0.7 * 3 / 4]])
    np.testing.assert_allclose(pc.AttentionRollout("first").attribute(x, [batch]).values, [[1, 0]])


def test_the_order_of_layers_and_the_places():
    """Below the first looks at the middle, above it looks at the last, which has seen itself alone; then the other way round."""
    below, above = [[0, 1, 0], [0, 1, 0], [0, 0, 1]], [[0, 0, 1], [0, 1, 0], [0, 0, 1]]
    method, x = pc.AttentionRollout(), np.zeros((1, 3), int)
    np.testing.assert_allclose(method.attribute(x, [given(below, above)]).values, [[0.25, 0.25, 0.5]])
    np.testing.assert_allclose(method.attribute(x, [given(above, below)]).values, [[0.25, 0.5, 0.25]])
    moved = method.attribute(np.zeros((2, 2), int), [given(below, above, places=[-1, 1, 0])] * 2)
    np.testing.assert_allclose(moved.values, [[0.5, 0.25]] * 2)
    looks_back = [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    np.testing.assert_allclose(method.attribute(x, [given(looks_back, looks_back)]).values, [[0.25, 0.5, 0.25]])


def by_formula(net, ids, token):
    """The product of all mixed matrices of a copy that computes attention plainly, and its row of `token`."""
    plain = copy.deepcopy(net).eval()
    plain.set_attn_implementation("eager")
    with torch.no_grad():
        maps = plain(input_ids=torch.tensor([ids]), output_attentions=True).attentions
    product = np.eye(len(ids))
    for attention in maps:
        mixed = attention[0].double().mean(dim=0).numpy() + np.eye(len(ids))
        product = (mixed / mixed.sum(axis=1, keepdims=True)) @ product
    return product[token]


@pytest.mark.parametrize("size", [None, 1])
def test_a_classifier_of_texts_by_the_formula(bert, size):
    net, cut = bert.bert(), bert.tokenizer()
    record = pc.explain(pc.TextModel(net, cut), TEXTS, pc.AttentionRollout(), target="good", batch_size=size)
    for row, text in enumerate(TEXTS):
        expected = by_formula(net, cut(text)["input_ids"], 0)
        np.testing.assert_allclose(record.values[row, record.mask[row]], expected, atol=1e-6)
        assert (record.values[row, ~record.mask[row]] == 0).all()
    np.testing.assert_allclose(record.values.sum(axis=1), 1, atol=1e-6)
    assert "attention rolled out from the first token" in record.receipt.notes


def test_a_network_that_looks_back_is_read_at_its_last_token(bert):
    net, cut = bert.gpt(), bert.byte_tokenizer(pad_token="!")
    net.config.pad_token_id = cut.pad_token_id
    record = pc.explain(pc.TextModel(net, cut), ["a film", "so fun, so great"], pc.AttentionRollout(), target=1)
    for row, text in enumerate(["a film", "so fun, so great"]):
        expected = by_formula(net, cut(text)["input_ids"], -1)
        np.testing.assert_allclose(record.values[row, record.mask[row]], expected, atol=1e-6)
    assert "attention rolled out from the last token" in record.receipt.notes


def test_a_language_model_puts_values_on_the_message_alone(lms):
    net, cut = lms.qwen(), lms.tokenizer()
    lm = pc.CausalLM(net, cut, system="Be brief.")
    record = pc.explain(lm, lms.PROMPTS, pc.AttentionRollout(), target=pc.LogOdds("MSFT", "NVDA"))
    for row, text in enumerate(lms.PROMPTS):
        turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]
        ids = cut.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
        own = cut(text, add_special_tokens=False)["input_ids"]
        after = len(cut("<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False)["input_ids"])
        expected = by_formula(net, ids, -1)[-after - len(own) : -after]
        np.testing.assert_allclose(record.values[row, record.mask[row]], expected, atol=1e-6)
    assert (record.values.sum(axis=1) < 0.99).all()  # the rest lies on the frame
    whole = pc.explain(lm, lms.PROMPTS, "AttentionRollout", target=pc.Answer("the Sentiment"))
    np.testing.assert_allclose(whole.values, record.values, atol=1e-6)


def test_it_says_that_it_is_no_explanation(bert):
    model = pc.TextModel(bert.bert(), bert.tokenizer())
    good, bad = (pc.explain(model, TEXTS, pc.AttentionRollout(), target=name) for name in ("good", "bad"))
    np.testing.assert_array_equal(good.values, bad.values)
    assert (good.scores != bad.scores).all() and (good.values >= 0).all()
    assert np.isnan(good.gap).all() and np.isnan(good.base_values).all() and good.receipt.gap is None
    (said,) = [warning for warning in good.receipt.warnings if "Jain & Wallace 2019" in warning]
    assert "no explanation" in said and "same for every target" in said and "no gap" in said
    card = pc.AttentionRollout.card
    assert "not an explanation" in card.output and "no explanation" in card.weaknesses and not card.complete
    assert pc.advise(access="inner layer", modality="text").suggestions[0].name != "AttentionRollout"


def as_found(net):
    return dict(vars(net.config)), [len(module._forward_hooks) for module in net.modules()]


def test_the_network_is_left_as_found_after_an_exception_too(bert):
    net = bert.bert()
    assert net.config._attn_implementation == "sdpa"
    before, model = as_found(net), pc.TextModel(net, bert.tokenizer())
    pc.explain(model, TEXTS, pc.AttentionRollout(), target=0)
    assert as_found(net) == before
    asked = []

    def trip(*_):
        asked.append(net.config._attn_implementation)
        if asked[-1] == "eager":
            raise ValueError("in the middle")

    handle = net.register_forward_hook(trip)
    with pytest.raises(pc.ModelError, match="in the middle"):
        pc.explain(model, TEXTS, pc.AttentionRollout(), target=0)
    handle.remove()
    assert asked == ["sdpa", "eager"] and as_found(net) == before


class Bag(nn.Module):
    """Token ids -> the mean of embeddings, without any attention."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Embedding(30, 4), nn.Linear(4, 2))

    def forward(self, input_ids, **_):
        return self.body(input_ids).mean(dim=1)


def test_models_without_attention(bert):
    with pytest.raises(pc.MethodError, match="shows no attention weights"):
        pc.explain(pc.TextModel(Bag(), bert.tokenizer()), TEXTS, pc.AttentionRollout(), target=0)
    with pytest.raises(pc.MethodError, match=r"attention to tokens.*TextModel"):
        pc.explain(lambda texts: np.ones((len(texts), 2)), TEXTS, pc.AttentionRollout(), target=0)
    with pytest.raises(pc.MethodError, match=r"attention to tokens.*TextModel"):
        pc.explain(nn.Linear(3, 2), np.ones((2, 3), np.float32), pc.AttentionRollout(), target=0)
    with pytest.raises(pc.MethodError, match="token='middle'"):
        pc.AttentionRollout("middle")
