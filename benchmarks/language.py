"""Three Shapley methods on a language model beside shap: one network, one tokenizer, as many evaluations, interleaved.

    OMP_NUM_THREADS=2 python benchmarks/language.py [--prompts 2] [--repeats 2] [--width 512] [--layers 6] [--system 1]

A Qwen2 with random weights and a tokenizer trained on the spot; the log-odds of two tickers, a system message and a chat template
around every message, absent tokens deleted. shap gets the function that its users write: texts put into the template, padded at the
left, one batch, the two logits of the last place; once in its own batches (10 texts) and once in batches of 128. Times are
processor seconds for each evaluation, the least of the repeats.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import shap
import torch
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

import pellucid as pc

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SYSTEMS = {
    0: "You are a financial advisor.",
    1: "You are a Conservative financial advisor. You weigh risks before returns, keep to what is known, and answer briefly.",
}
PROMPTS = [
    "From a Fundamental perspective, which stock would you rather buy today, MSFT or NVDA? Reply with the ticker only.",
    "Considering ESG reasons alone, would you invest in GOOGL or in TSLA for the next year? Reply with one ticker.",
    "Which of the two has the better Technical outlook, NVDA or GOOGL? Answer with the ticker and nothing else.",
    "Judging by market Sentiment, is TSLA or MSFT the better choice for a small account? Reply with the ticker only.",
]


def network(width: int, layers: int) -> tuple[Any, Any]:
    """A Qwen2 with random weights, and a tokenizer that has learnt the prompts."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = [AddedToken(name, special=True) for name in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=800, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([*PROMPTS, *SYSTEMS.values(), "system user assistant MSFT NVDA GOOGL TSLA"] * 8, trainer)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", padding_side="left"
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=4096,
        hidden_size=width,
        intermediate_size=int(2.75 * width),
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.08,
    )
    return transformers.Qwen2ForCausalLM(config).eval(), tokenizer


class Usual:
    """The function that shap explains: texts -> log-odds (b,); counts what it is asked."""

    def __init__(self, net: Any, tokenizer: Any, system: str) -> None:
        self.net, self.tokenizer, self.asked, self.tokens = net, tokenizer, 0, 0
        frame = [{"role": "system", "content": system}, {"role": "user", "content": "QQQ"}]
        self.before, _, self.after = tokenizer.apply_chat_template(
            frame, tokenize=False, add_generation_prompt=True
        ).partition("QQQ")
        self.first, self.other = (tokenizer(t, add_special_tokens=False)["input_ids"][0] for t in ("MSFT", "NVDA"))

    def __call__(self, texts: Any) -> np.ndarray:
        prompts = [self.before + text + self.after for text in texts]
        fed = self.tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        fed["position_ids"] = (fed["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)
        fed.pop("token_type_ids", None)
        with torch.no_grad():
            logits = self.net(**fed, logits_to_keep=1, use_cache=False).logits[:, -1]
        self.asked += len(prompts)
        self.tokens += int(fed["attention_mask"].numel())
        return (logits[:, self.first] - logits[:, self.other]).double().numpy()


def clocked(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    made = function()
    return time.process_time() - start, made


def beside(method: Any, net: Any, tokenizer: Any, system: str, prompts: list[str], repeats: int) -> None:
    """One method of ours and shap's Partition, interleaved."""
    lm = pc.CausalLM(net, tokenizer, system=system)
    target = pc.LogOdds("MSFT", "NVDA")
    # as many coalitions as the method asks of each prompt; the first pass is one more
    rows = pc.explain(lm, prompts, method, target=target, masker=pc.Tokens(span="user")).receipt.rows_forward
    each = (rows - len(prompts)) // len(prompts)
    least: dict[str, float] = {}
    for _ in range(repeats):
        seconds, record = clocked(lambda: pc.explain(lm, prompts, method, target=target, masker=pc.Tokens(span="user")))
        least["pellucid"] = min(least.get("pellucid", np.inf), seconds / record.receipt.rows_forward)
        plain = pc.CausalLM(net, tokenizer, system=system, cache=False)
        seconds, other = clocked(lambda: pc.explain(plain, prompts, method, target=target))  # noqa: B023
        least["pellucid, cache=False"] = min(
            least.get("pellucid, cache=False", np.inf), seconds / other.receipt.rows_forward
        )
        for size in (10, 128):
            asked = Usual(net, tokenizer, system)
            masker = shap.maskers.Text(tokenizer)  # "..." for what is hidden, runs of it once
            explainer = shap.Explainer(asked, masker, algorithm="partition")
            seconds, _ = clocked(lambda: explainer(prompts, max_evals=each, batch_size=size, silent=True))  # noqa: B023
            name = f"shap, batches of {size}"
            least[name] = min(least.get(name, np.inf), seconds / asked.asked)
    print(
        f"\n{method!r}: {record.receipt.rows_forward} rows for {len(prompts)} prompts, shap {asked.asked} of the same length"
    )
    print(f"  {record.receipt.notes[-1]}; largest gap {np.abs(record.gap).max():.1e}")
    print(
        f"  with and without kept prefixes: values differ by at most {np.abs(record.values - other.values).max():.1e}"
    )
    for name, seconds in least.items():
        print(f"  {name:24s} {1e3 * seconds:8.2f} ms a row   {seconds / least['pellucid']:5.2f} times ours")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument(
        "--system", type=int, default=1, choices=list(SYSTEMS), help="0: a short system message, 1: a longer one"
    )
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("shap").setLevel(logging.ERROR)
    net, tokenizer = network(given.width, given.layers)
    system, prompts = SYSTEMS[given.system], PROMPTS[: given.prompts]
    asked = Usual(net, tokenizer, system)
    tokens = [len(tokenizer(asked.before + text + asked.after)["input_ids"]) for text in prompts]
    own = [len(tokenizer(text)["input_ids"]) for text in prompts]
    size = sum(p.numel() for p in net.parameters())
    print(
        f"{size:,} parameters; prompts of {tokens} tokens, {own} of them the user's; {torch.get_num_threads()} threads"
    )
    for method in (pc.PartitionShap(orders=4), pc.KernelShap(samples=200), pc.PermutationShap(orders=4)):
        beside(method, net, tokenizer, system, prompts, given.repeats)


if __name__ == "__main__":
    main()
