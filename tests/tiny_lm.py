"""The trained 230,976-parameter language model of the data folder as transformers' Llama, with its own tokenizer.

The weights are in the layout of llama2.c (a header of 7 int32, then float32 arrays; queries and keys interleave the two halves that
transformers keeps apart), the tokenizer in that of its tokenizer.bin (a score and the bytes of each piece), from which the merges
of a byte-pair encoding follow: any two pieces whose union is a piece, the best score first.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, processors


def folder() -> Path | None:
    held = os.environ.get("PELLUCID_DATA")
    found = Path(held) / "tiny_lm" if held else None
    return found if found is not None and found.is_dir() else None


def network(path: Path) -> Any:
    raw = path.read_bytes()
    dim, hidden, layers, heads, kv, vocabulary, places = struct.unpack("7i", raw[:28])
    values, at = torch.from_numpy(np.frombuffer(raw, np.float32, offset=28).copy()), 0

    def take(*shape: int) -> torch.Tensor:
        nonlocal at
        count = int(np.prod(shape))
        at += count
        return values[at - count : at].reshape(shape)

    head = dim // heads
    config = transformers.LlamaConfig(
        vocab_size=abs(vocabulary),
        hidden_size=dim,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv,
        max_position_embeddings=places,
        rms_norm_eps=1e-5,
        tie_word_embeddings=vocabulary > 0,
        bos_token_id=1,
        eos_token_id=2,
    )
    net = transformers.LlamaForCausalLM(config)
    state = {"model.embed_tokens.weight": take(abs(vocabulary), dim)}
    sizes = {
        "input_layernorm": (dim,),
        "self_attn.q_proj": (dim, dim),
        "self_attn.k_proj": (kv * head, dim),
        "self_attn.v_proj": (kv * head, dim),
        "self_attn.o_proj": (dim, dim),
        "post_attention_layernorm": (dim,),
        "mlp.gate_proj": (hidden, dim),
        "mlp.down_proj": (dim, hidden),
        "mlp.up_proj": (hidden, dim),
    }
    for name, shape in sizes.items():
        stack = take(layers, *shape)
        for layer in range(layers):
            weight = stack[layer]
            if name.endswith(("q_proj", "k_proj")):
                count = shape[0] // head
                weight = weight.reshape(count, head // 2, 2, dim).transpose(1, 2).reshape(shape)
            state[f"model.layers.{layer}.{name}.weight"] = weight
    state["model.norm.weight"] = take(dim)
    take(2 * places * head // 2)  # tables of rotations, which transformers computes
    state["lm_head.weight"] = state["model.embed_tokens.weight"] if vocabulary > 0 else take(abs(vocabulary), dim)
    assert at == len(values), "the file holds exactly these arrays"
    net.load_state_dict(state)
    return net.eval()


def tokenizer(path: Path, size: int = 512) -> Any:
    raw, at, scored = path.read_bytes(), 4, []
    for _ in range(size):
        score, length = struct.unpack("fi", raw[at : at + 8])
        scored.append((raw[at + 8 : at + 8 + length].decode("utf-8", "replace"), score))
        at += 8 + length
    assert at == len(raw)
    pieces = [text.strip("\n") if text in ("\n<s>\n", "\n</s>\n") else text.replace(" ", "▁") for text, _ in scored]
    number = {piece: i for i, piece in enumerate(pieces)}
    merges = [
        (i, (piece[:k], piece[k:]))
        for i, piece in enumerate(pieces)
        for k in range(1, len(piece))
        if i > 258 and piece[:k] in number and piece[k:] in number
    ]
    ordered = [pair for _, pair in sorted(merges, key=lambda one: (-scored[one[0]][1], one[0]))]
    made = Tokenizer(models.BPE(number, ordered, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    made.decoder = decoders.Sequence(parts)
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
