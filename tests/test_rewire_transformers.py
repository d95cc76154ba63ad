"""Backward rules on the architectures of the transformers library, small and with random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pellucid as pc

transformers = pytest.importorskip("transformers", reason="transformers is an optional framework")
pytestmark = [
    pytest.mark.slow,  # loading the library takes seconds
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

TEXT = {"vocab_size": 60, "pad_token_id": 0}
SIZES: dict[str, tuple[str, dict[str, Any]]] = {
    "Bert": (
        "SequenceClassification",
        {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 2},
    ),
    "DistilBert": ("SequenceClassification", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}),
    "GPT2": ("SequenceClassification", {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2}),
    "Llama": (
        "SequenceClassification",
        {
            "hidden_size": 16,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
        },
    ),
    "ViT": (
        "ImageClassification",
        {
            "hidden_size": 16,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "image_size": 32,
            "patch_size": 8,
        },
    ),
    "ConvNext": ("ImageClassification", {"hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1]}),
    "Swin": (
        "ImageClassification",
        {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [2, 2], "num_heads": [2, 2], "window_size": 4},
    ),
}


def network(name: str) -> torch.nn.Module:
    head, size = SIZES[name]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**size, **(TEXT if head == "SequenceClassification" else {}))
    return getattr(transformers, f"{name}For{head}")(config).double().eval()


def inputs(name: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (
        rng.integers(3, 50, (3, 7)) if SIZES[name][0] == "SequenceClassification" else rng.normal(size=(3, 3, 32, 32))
    )


@pytest.mark.parametrize(
    "method", [pc.DeepLift(), pc.DeepLift(rule="reveal-cancel"), pc.LRP(pc.Epsilon(0), None)], ids=repr
)
@pytest.mark.parametrize("name", SIZES)
def test_no_function_is_unknown_and_values_add_up(name: str, method: Any):
    record = pc.explain(network(name), inputs(name), method, target=1)
    assert record.receipt.unruled == () and not record.receipt.warnings
    assert np.abs(record.values).max() > 1e-6
    np.testing.assert_allclose(record.gap, 0, atol=1e-7)  # Llama's norm runs in single precision


@pytest.mark.parametrize("name", ["Bert", "Llama", "ViT"])
def test_without_biases_cp_lrp_conserves(name: str):
    net = network(name)
    for key, parameter in net.named_parameters():
        if key.endswith("bias") or "position_embeddings" in key or "token_type" in key or "cls_token" in key:
            parameter.data.zero_()
    record = pc.explain(net, inputs(name), pc.LRP(pc.Epsilon(0), None), target=1)
    total = record.values.reshape(3, -1).sum(1)
    np.testing.assert_allclose(total, record.scores, rtol=1e-5, atol=1e-9)
