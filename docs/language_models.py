"""The numbers of `docs/language_models.md`: a small language model trained on the spot, and what explains its answers.

    python docs/language_models.py

The model is taught one rule: asked about profits it answers the name that comes first, asked about debts the one that comes second.
So it is known what an explanation has to find: the word, and the two names.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import pellucid as pc

NAMES = ("MSFT", "NVDA", "GOOGL", "TSLA")
ASKED = {"profits": 0, "debts": 1}
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PAIRS = [(a, b) for a in NAMES for b in NAMES if a != b]


def prompt(a: str, b: str, about: str) -> str:
    return f"Think of {about}: which company, {a} or {b}?"


def tokenizer() -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = [AddedToken(name, special=True) for name in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    letters = pre_tokenizers.ByteLevel.alphabet()
    texts = [prompt(a, b, about) for a, b in PAIRS for about in ASKED] + [
        "system user assistant You answer briefly."
    ] * 20
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=330, special_tokens=special, initial_alphabet=letters, show_progress=False),
    )
    known = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )
    known.chat_template = CHAT
    return known


def trained(cut: Any, system: str, steps: int = 400) -> Any:
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=340,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        eos_token_id=2,
    )
    net = transformers.Qwen2ForCausalLM(config)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    lessons = [(prompt(a, b, about), (a, b)[place]) for a, b in PAIRS for about, place in ASKED.items()]
    turns = [[{"role": "system", "content": system}, {"role": "user", "content": text}] for text, _ in lessons]
    asked = [cut.apply_chat_template(one, tokenize=False, add_generation_prompt=True) for one in turns]
    fed = cut(
        [text + name + "<|im_end|>" for text, (_, name) in zip(asked, lessons, strict=True)],
        return_tensors="pt",
        padding=True,
    )
    answers = [len(cut(name + "<|im_end|>")["input_ids"]) for _, name in lessons]
    labels = fed["input_ids"].clone()
    for row, count in enumerate(answers):
        labels[row, :-count] = -100
    for _ in range(steps):
        loss = net(input_ids=fed["input_ids"], attention_mask=fed["attention_mask"], labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def top(record: pc.Attribution, row: int = 0) -> str:
    return "  ".join(f"{name} {value:+.2f}" for name, value in record.joined("words").top(4, row))


def main() -> None:
    warnings.simplefilter("ignore")
    system = "You answer briefly."
    cut = tokenizer()
    lm = pc.CausalLM(trained(cut, system), cut, system=system)
    prompts = [prompt("MSFT", "NVDA", "profits"), prompt("NVDA", "MSFT", "profits"), prompt("MSFT", "NVDA", "debts")]

    print("## ask")
    odds = pc.LogOdds("MSFT", "NVDA")
    for text, answer, score in zip(prompts, (found := lm.ask(prompts, target=odds)).texts, found.scores, strict=True):
        print(f"{text}  ->  {answer}  {score:+.2f}")

    print("## explain")
    a = pc.explain(lm, prompts, pc.PartitionShap(), target=odds, masker=pc.Tokens(span="user"))
    for row in range(3):
        print(f"{a.base_values[row]:+.2f} -> {a.scores[row]:+.2f}   {top(a, row)}")
    print(f"largest gap {np.abs(a.gap).max():.0e}; {a.receipt.rows_forward} prompts; {a.receipt.notes[-1]}")

    print("## tokens")
    for name in NAMES:
        print(name, cut.tokenize(name))
    for tokens in ("first", "all"):
        b = pc.explain(lm, prompts, target=pc.LogOdds("MSFT", "NVDA", tokens=tokens))
        print(tokens, b.receipt.scale, b.scores.round(2))

    print("## absence")
    for masker in (
        pc.Tokens(),
        pc.Tokens(fill="pad"),
        pc.Tokens(fill="zero-embedding"),
        pc.Tokens(fill="mean-embedding"),
        pc.Words(),
        pc.Phrases(),
        pc.Phrases(phrases=("MSFT", "NVDA", "profits", "debts")),
        pc.Words(fill="it", neutral=(("MSFT", "GOOGL"), ("NVDA", "TSLA"))),
    ):
        b = pc.explain(lm, prompts[:1], target=odds, masker=masker)
        print(f"{masker!r:60} base {b.base_values[0]:+6.2f}   {top(b)}")

    print("## methods")
    for method in (
        pc.ExactShapley(),
        pc.KernelShap(),
        pc.PermutationShap(),
        pc.LIME(),
        pc.Occlusion(),
        pc.IntegratedGradients(),
        pc.InputXGradient(),
        pc.LRP(),
        pc.LRP(attention="AttnLRP"),
        pc.DeepLift(),
    ):
        b = pc.explain(lm, prompts[:1], method, target=odds)
        error = "" if b.stderr is None else f"  largest error {b.stderr.max():.2f}"
        print(f"{type(method).__name__:20} gap {b.gap[0]:+8.1e} rows {b.receipt.rows_forward:5}   {top(b)}{error}")

    print("## rollout")
    shares, others = (
        pc.explain(lm, prompts[:1], pc.AttentionRollout(), target=one) for one in (odds, pc.Token("GOOGL"))
    )
    print(f"LogOdds('MSFT', 'NVDA')   {top(shares)}  in all {shares.values.sum():.2f}")
    print(f"Token('GOOGL')   {top(others)}  in all {others.values.sum():.2f}")

    print("## compare")
    fills = [pc.Deletion(fill="delete"), pc.Deletion(fill="pad")]
    methods = [pc.PartitionShap(), pc.Occlusion(), pc.InputXGradient()]
    found = pc.compare(lm, prompts, methods, metrics=fills, target=odds)
    for name, card in zip(found.names, found.scorecards, strict=True):
        lines = zip(("delete", "pad"), card.lines, strict=True)
        told = ", ".join(f"{fill} {line.mean:+.2f} (random {line.chance:+.2f})" for fill, line in lines)
        print(f"{name:16} {told}")


if __name__ == "__main__":
    main()
