"""Small transformers with random weights and a word-piece tokenizer made in memory."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

PIECES = ["a", "great", "film", "bor", "##ing", "##ed", "so", "!", ".", ",", "not", "fun", "👍", "the", "end", "##s"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer(**more: Any) -> Any:
    """[CLS] pieces [SEP]"""
    vocabulary = {piece: i for i, piece in enumerate(SPECIAL + PIECES)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **{**names, **more})


def byte_tokenizer(**more: Any) -> Any:
    """Bytes are the pieces, so an emoji is several tokens; no special tokens at all unless given."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, **more)


def bert(labels: int = 2, places: int = 24, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(SPECIAL + PIECES),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=places,
        num_labels=labels,
        initializer_range=0.6,
        id2label={0: "bad", 1: "good"} if labels == 2 else None,
    )
    return transformers.BertForSequenceClassification(config)


def gpt(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=256, n_embd=16, n_layer=2, n_head=2, n_positions=64, num_labels=2, initializer_range=0.5
    )
    return transformers.GPT2ForSequenceClassification(config)
