"""A Qwen2 of tiny size with random weights, and a byte-level tokenizer trained on the spot; a chat template of Qwen's kind."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CORPUS = [
    "Which company is the better choice from a Fundamental perspective, MSFT or NVDA? Reply with the ticker only.",
    "Which stock would you buy for ESG reasons, GOOGL or TSLA? You are a Conservative financial advisor.",
    "Between AMD and AMZN, the Technical outlook and the Sentiment favour AMD. MSFT, NVDA, GOOGL, TSLA, AMZN.",
] * 4
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PROMPTS = [
    "Which company is better, MSFT or NVDA?",
    "Between GOOGL and TSLA, which stock would you buy for ESG reasons? Reply with the ticker only.",
    "Fundamental outlook: NVDA or MSFT?",
]


def tokenizer(chat: bool = True, pad: bool = True, size: int = 420, **more: Any) -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = [AddedToken(name, special=True, normalized=False) for name in SPECIAL]
    letters = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=letters, show_progress=False),
    )
    known = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", **({"pad_token": "<|endoftext|>"} if pad else {}), **more
    )
    known.chat_template = TEMPLATE if chat else None
    return known


def qwen(places: int = 160, seed: int = 0, size: int = 420, **more: Any) -> Any:
    torch.manual_seed(seed)
    config = transformers.Qwen2Config(
        vocab_size=size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=places,
        initializer_range=0.25,
        eos_token_id=2,
        **more,
    )
    return transformers.Qwen2ForCausalLM(config).eval()


def own_logits(net: Any, cut: Any, message: str, system: str | None = None) -> torch.Tensor:
    """The network's logits (V,) of the answer's first token, through transformers alone."""
    turns = ([] if system is None else [{"role": "system", "content": system}]) + [{"role": "user", "content": message}]
    if cut.chat_template is None:
        fed = cut(f"{system}\n\n{message}" if system else message, return_tensors="pt")
    else:
        fed = cut.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")
    with torch.no_grad():
        return net(**fed).logits[0, -1].double()
