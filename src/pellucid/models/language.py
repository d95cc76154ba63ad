"""A causal language model and its tokenizer as one model of texts: x holds the user's messages, everything else is a frame.

The frame is the tokenizer's own chat template around the system's and the user's message, with the mark that lets the
assistant begin. Where there is no chat template, `template` says what stands around `{user}` (and `{system}`); without either
the model goes on from the system's text, an empty line and the message. Answers are read right after the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core.errors import InputError, ModelError
from pellucid.core.registry import need
from pellucid.models.text import as_texts, check_tokenizer


@dataclass(frozen=True, eq=False)
class CausalLM:
    """A network with a language-model head, and its tokenizer; both of the transformers kind.

    `system` is the system's message, the same for all texts. `template` takes the place of the chat template, as in
    `"Question: {user}\\nAnswer:"`. `cache=False` computes every prompt from its first token.
    """

    model: Any
    tokenizer: Any
    system: str | None = None
    template: str | None = None
    cache: bool = True

    def __post_init__(self) -> None:
        check_tokenizer(self.model, self.tokenizer, "CausalLM")
        if self.template is not None and self.template.count("{user}") != 1:
            raise ModelError(
                f"CausalLM(template={self.template!r}): it has to hold {{user}} once, where the user's message goes."
            )
        if self.system is not None and self.template is not None and "{system}" not in self.template:
            raise ModelError("CausalLM: the template has no place for the system's message: write {system} into it.")
        config: Any = getattr(self.model, "config", None)
        if getattr(config, "is_encoder_decoder", False):
            raise ModelError(
                f"a {type(self.model).__name__} reads a text with an encoder before its decoder answers: CausalLM takes "
                "decoders alone, such as AutoModelForCausalLM loads; explain this one as a function of texts."
            )
        if not (hasattr(self.model, "can_generate") and self.model.can_generate()) or _looks_both_ways(config):
            raise ModelError(
                f"a {type(self.model).__name__} does not write texts from left to right: load the network with "
                "AutoModelForCausalLM; an encoder or a classifier is explained as TextModel(model, tokenizer)."
            )

    @classmethod
    def load(
        cls, name: str, *, system: str | None = None, template: str | None = None, dtype: str = "auto"
    ) -> CausalLM:
        """From a folder that `save_pretrained` wrote, or by a name on the model hub."""
        from pellucid.models.loading import load_causal

        model, tokenizer = load_causal(name, dtype)
        return cls(model, tokenizer, system, template)

    def ask(self, prompts: Sequence[str], *, target: Any = None, longest: int = 16) -> Replies:
        """What the model answers to each message, greedily, and the target's number: one pass over each prompt serves both."""
        need("torch", "CausalLM.ask")
        from pellucid.models.replying import replies

        texts = as_texts(prompts)
        if texts is None:
            raise InputError(f"prompts are texts, and got a {type(prompts).__name__}: give a list of strings.")
        return replies(self, texts, target, longest)


@dataclass(frozen=True, eq=False)
class Replies:
    """What a language model answered to n messages: `texts`, the token numbers, and `scores (n,)` where a target was named.

    `rows` counts prompts read, `tokens` the tokens that the network computed for them, `asked` the tokens that they hold;
    `warnings` say what the numbers lack.
    """

    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]
    scores: np.ndarray | None
    rows: int
    tokens: int
    asked: int
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)


def _looks_both_ways(config: Any) -> bool:
    """A network of BERT's kind that was not told to look back only."""
    return "bert" in str(getattr(config, "model_type", "")) and not getattr(config, "is_decoder", True)
