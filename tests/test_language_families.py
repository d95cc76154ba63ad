"""Families of networks, tiny: the numbers are those of each text alone, wherever padding stands and whatever prefixes are kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pellucid as pc

pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

TEXTS = ["Which company is better, MSFT or NVDA?", "MSFT", "Between GOOGL and TSLA, for ESG reasons?"]
SYSTEM = "You are a Conservative financial advisor."
USUAL = {"vocab_size": 420, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "pad_token_id": 0}
USUAL |= {"bos_token_id": 1, "eos_token_id": 2, "num_labels": 2}
WIDE = dict(USUAL, intermediate_size=48, max_position_embeddings=128, initializer_range=0.3)
SPREAD = 0.3
FAMILIES = {
    "GPT2": {"vocab_size": 420, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128, "pad_token_id": 0}
    | {"num_labels": 2, "initializer_range": SPREAD, "bos_token_id": 1, "eos_token_id": 2},
    "OPT": dict(USUAL, ffn_dim=48, word_embed_proj_dim=32, max_position_embeddings=128, init_std=SPREAD),
    "GPTNeo": {
        "vocab_size": 420,
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "intermediate_size": 48,
        "window_size": 6,
    }
    | {"attention_types": [[["global", "local"], 1]], "max_position_embeddings": 128, "initializer_range": SPREAD}
    | {"pad_token_id": 0, "num_labels": 2, "bos_token_id": 1, "eos_token_id": 2},
    "GPTNeoX": WIDE,
    "Llama": WIDE,
    "Gemma": dict(WIDE, head_dim=8, num_key_value_heads=1),
    "Mistral": dict(WIDE, num_key_value_heads=2, sliding_window=6),
    "Bloom": {
        "vocab_size": 420,
        "hidden_size": 32,
        "n_layer": 2,
        "n_head": 4,
        "initializer_range": SPREAD,
        "pad_token_id": 0,
    }
    | {"num_labels": 2, "bos_token_id": 1, "eos_token_id": 2},
    "Mamba": {"vocab_size": 420, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8, "pad_token_id": 0}
    | {"initializer_range": SPREAD, "bos_token_id": 1, "eos_token_id": 2},
    "Mamba2": {
        "vocab_size": 420,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "state_size": 8,
        "num_heads": 8,
        "head_dim": 8,
    }
    | {
        "n_groups": 2,
        "chunk_size": 8,
        "initializer_range": SPREAD,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    },
}


@pytest.fixture(scope="module")
def small():
    return pytest.importorskip("small_lm", reason="transformers is an optional framework")


def network(family, head):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**FAMILIES[family])
    return getattr(transformers, f"AutoModelFor{head}").from_config(config).eval()


def alone(net, cut, text):
    """The network's logits for one text that nothing pads: (k,), or (t, V)"""
    with torch.no_grad():
        return net(**{k: v for k, v in cut(text, return_tensors="pt").items() if k != "token_type_ids"}).logits[0]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", [name for name in FAMILIES if "Mamba" not in name])
def test_a_classifier_scores_each_text_as_if_it_stood_alone(small, family, side):
    net, cut = network(family, "SequenceClassification"), small.tokenizer(chat=False, padding_side=side)
    expected = [float(alone(net, cut, text)[1]) for text in TEXTS]
    model = pc.TextModel(net, cut)
    for method in (pc.Occlusion(), pc.InputXGradient()):  # texts, and ids at their embeddings
        a = pc.explain(model, TEXTS, method, target=1)
        np.testing.assert_allclose(a.scores, expected, atol=1e-5)
    single = pc.explain(model, TEXTS[1:2], pc.InputXGradient(), target=1)
    np.testing.assert_allclose(a.values[1, a.mask[1]], single.values[0], atol=1e-5)
    assert a.data[1, a.mask[1]].tolist() == single.data[0].tolist()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_language_model_gives_the_same_with_and_without_kept_prefixes(small, family):
    net, cut = network(family, "CausalLM"), small.tokenizer(chat=False)
    target = pc.LogOdds("MSFT", "GOOGL", tokens="all")
    found = {}
    for cache in (True, False):
        model = pc.CausalLM(net, cut, system=SYSTEM, cache=cache)
        a = pc.explain(model, TEXTS, pc.KernelShap(samples=40), target=target)
        np.testing.assert_allclose(a.gap, 0, atol=1e-5)
        found[cache] = a
    np.testing.assert_allclose(found[True].scores, found[False].scores, atol=1e-5)
    np.testing.assert_allclose(found[True].values, found[False].values, atol=1e-5)
    one = pc.explain(
        pc.CausalLM(net, cut, system=SYSTEM), TEXTS, pc.KernelShap(samples=40), target=target, batch_size=1
    )
    np.testing.assert_allclose(one.values, found[True].values, atol=1e-5)
    for method in (pc.Occlusion(), pc.InputXGradient()):
        token = pc.explain(pc.CausalLM(net, cut, system=SYSTEM), TEXTS, method, target=pc.Token(300))
        expected = [float(alone(net, cut, f"{SYSTEM}\n\n{text}")[-1, 300]) for text in TEXTS]
        np.testing.assert_allclose(token.scores, expected, atol=1e-5)
    assert any("shared prefixes" in note for note in found[True].receipt.notes) == (
        # computed whole: a forward that takes no places, and local layers that count places of the row, not of the prompt
        family not in ("Bloom", "Mamba", "Mamba2", "GPTNeo")
    )


def test_advice_knows_that_a_network_of_texts_has_gradients(small):
    from small_bert import bert, tokenizer

    for model in (pc.TextModel(bert(), tokenizer()), pc.CausalLM(small.qwen(), small.tokenizer())):
        advice = pc.advise(model=model, x=["fun", "so"], budget=pc.Budget(rows=1))
        assert advice.access == ("black box", "gradients", "inner layer") and advice.modality == "text"
        assert {"DeepLift", "LRP"} <= {one.name for one in advice.suggestions} | {name for name, _ in advice.left_out}
        left = dict(advice.left_out)
        assert not any("is for" in why or "needs" in why for name, why in left.items() if name in ("LRP", "DeepLift"))
    function = pc.advise(model=lambda texts: np.array([float(len(t)) for t in texts]), x=["a b", "c"], budget=1.0)
    assert function.access == ("black box",)
