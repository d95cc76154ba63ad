"""What stands before and after the user's message in a prompt, as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.core.errors import ModelError
from pellucid.models.adapter import first_line

_MARK = "QPELLUCIDQMESSAGEQ"  # stands for the message while a template is looked at


@dataclass(frozen=True)
class Frame:
    """A prompt is `before` + message + `after`; `trims` where the template strips the message, `special` where the tokenizer
    adds its own first token, because the frame writes none."""

    before: str
    after: str
    trims: bool
    special: bool

    def around(self, message: str) -> str:
        return self.before + (message.strip() if self.trims else message) + self.after


def frame_of(tokenizer: Any, system: str | None, template: str | None) -> Frame:
    """The frame of a model: of a template of the user's own, else of the chat template, else plain."""
    if template is not None:
        before, _, after = template.replace("{system}", system or "").partition("{user}")
        return Frame(before, after, trims=False, special=True)
    if not getattr(tokenizer, "chat_template", None):
        return Frame(f"{system}\n\n" if system else "", "", trims=False, special=True)
    plain, spaced = (_chat(tokenizer, system, content) for content in (_MARK, f"  {_MARK}  "))
    if plain.count(_MARK) != 1:
        raise ModelError(
            f"the chat template shows the user's message {plain.count(_MARK)} times: say what stands around it, as in "
            "CausalLM(..., template='{system}\\n{user}\\n')."
        )
    before, _, after = plain.partition(_MARK)
    return Frame(before, after, trims=f"  {_MARK}" not in spaced, special=False)


def _chat(tokenizer: Any, system: str | None, message: str) -> str:
    turns = [] if system is None else [{"role": "system", "content": system}]
    turns.append({"role": "user", "content": message})
    try:
        made: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except Exception as error:
        remedy = "put the system's text into the messages, or give a template= with {system} in it" if system else ""
        raise ModelError(
            f"the tokenizer's chat template refused this conversation ({first_line(error)}): "
            f"{remedy or 'give a template= with {user} in it'}."
        ) from error
    return made
