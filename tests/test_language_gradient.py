"""Gradients and relevance at the embeddings of a message, with the frame around it fixed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pellucid as pc

pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

SYSTEM = "You are a Conservative financial advisor."
ODDS = pc.LogOdds("MSFT", "NVDA")
WHOLE = pc.LogOdds("MSFT", "the Sentiment", tokens="all")


@pytest.fixture(scope="module")
def small():
    """The library is loaded by the first test, not when tests are collected."""
    return pytest.importorskip("small_lm", reason="transformers is an optional framework")


@pytest.fixture(scope="module")
def lm(small):
    return pc.CausalLM(small.qwen().double(), small.tokenizer(), system=SYSTEM)


def by_hand(lm, text, a, b, whole):
    """Embeddings and gradients of the message's tokens (t, d) each, from one prompt by itself: appended answers, autograd."""
    cut, lookup = lm.tokenizer, lm.model.get_input_embeddings()
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
    prompt = cut.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]
    after = cut("<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    own = cut(text, add_special_tokens=False)["input_ids"]
    places = range(len(prompt) - len(after) - len(own), len(prompt) - len(after))
    assert [prompt[i] for i in places] == own
    vectors = lookup(torch.tensor([prompt])).detach().requires_grad_()

    def number(answer):
        ids = cut(answer, add_special_tokens=False)["input_ids"]
        if not whole:
            return lm.model(inputs_embeds=vectors).logits[0, -1, ids[0]]
        logits = lm.model(inputs_embeds=torch.cat([vectors, lookup(torch.tensor([ids]))], dim=1)).logits[0]
        told = torch.log_softmax(logits, dim=-1)
        return sum(told[len(prompt) + i - 1, token] for i, token in enumerate(ids))

    score = number(a) - number(b)
    (slopes,) = torch.autograd.grad(score, vectors)
    return vectors.detach()[0, list(places)].numpy(), slopes[0, list(places)].numpy(), float(score.detach())


@pytest.mark.parametrize("target", [ODDS, WHOLE], ids=["first", "all"])
def test_input_times_gradient_by_hand(small, lm, target):
    record = pc.explain(lm, small.PROMPTS, pc.InputXGradient(), target=target)
    for row, text in enumerate(small.PROMPTS):
        vectors, slopes, score = by_hand(lm, text, target.a, target.b, target.tokens == "all")
        there = record.mask[row]
        np.testing.assert_allclose(record.values[row, there], (vectors * slopes).sum(axis=1), atol=1e-6)
        assert (record.values[row, ~there] == 0).all() and record.scores[row] == pytest.approx(score, abs=1e-6)
    black_box = pc.explain(lm, small.PROMPTS, pc.Occlusion(), target=target)
    np.testing.assert_allclose(black_box.scores, record.scores, atol=1e-6)
    np.testing.assert_array_equal(black_box.data, record.data)


def test_integrated_gradients_start_from_the_frame_alone(small, lm):
    a = pc.explain(lm, small.PROMPTS, pc.IntegratedGradients(steps=32), target=ODDS)
    masked = pc.explain(lm, small.PROMPTS, pc.Occlusion(), target=ODDS, masker=pc.Tokens(fill="zero-embedding"))
    assert masked.values.shape == a.values.shape
    short = pc.explain(lm, ["MSFT?"], pc.KernelShap(), target=ODDS, masker=pc.Tokens(fill="zero-embedding"))
    path = [pc.explain(lm, ["MSFT?"], pc.IntegratedGradients(steps=s), target=ODDS) for s in (32, 1024)]
    np.testing.assert_allclose(path[1].base_values, short.base_values, atol=1e-6)
    assert (
        abs(path[1].gap[0]) < 0.2 * abs(path[0].gap[0]) or abs(path[1].gap[0]) < 1e-3
    )  # the norms bend the path near its start


@pytest.mark.parametrize("target", [ODDS, WHOLE], ids=["first", "all"])
@pytest.mark.parametrize("method", [pc.LRP(), pc.LRP(pc.Epsilon(0), None), pc.DeepLift()], ids=repr)
def test_relevance_adds_up_and_knows_no_company(small, lm, method, target):
    a = pc.explain(lm, small.PROMPTS, method, target=target)
    assert a.receipt.unruled == () and not a.receipt.warnings and np.abs(a.values).max() > 1e-3
    np.testing.assert_allclose(a.gap, 0, atol=1e-5)  # the norm runs in single precision
    alone = pc.explain(lm, small.PROMPTS[2:], method, target=target)
    np.testing.assert_allclose(alone.values[0], a.values[2, a.mask[2]], atol=1e-6)


def test_attention_rules_differ(small, lm):
    conserving, own = (pc.explain(lm, small.PROMPTS, pc.LRP(attention=a), target=ODDS) for a in ("CP-LRP", "AttnLRP"))
    assert np.abs(conserving.gap).max() < 1e-5 < np.abs(own.gap).max()  # the softmax's own gradient does not conserve


def test_targets_without_a_gradient(small, lm):
    with pytest.raises(pc.TargetError, match="no gradient here"):
        pc.explain(lm, small.PROMPTS, pc.Saliency(), target=lambda outputs: outputs[:, 0])
    a = pc.explain(lm, small.PROMPTS, pc.Saliency())
    assert a.target == pc.explain(lm, small.PROMPTS, pc.Occlusion()).target


def test_half_precision_works_and_is_told(small):
    half = pc.CausalLM(small.qwen().to(torch.bfloat16), small.tokenizer(), SYSTEM)
    full = pc.CausalLM(small.qwen(), small.tokenizer(), SYSTEM)
    for method in (pc.Occlusion(), pc.InputXGradient()):
        a, b = (pc.explain(model, small.PROMPTS, method, target=ODDS) for model in (half, full))
        assert np.corrcoef(a.values.ravel(), b.values.ravel())[0, 1] > 0.9
        assert any("16-bit" in warning for warning in a.receipt.warnings) and not b.receipt.warnings
