"""Language models from a folder or a hub's name, with errors that say what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pellucid.core.errors import ModelError
from pellucid.core.registry import need
from pellucid.models.adapter import first_line
from pellucid.models.language import CausalLM
from pellucid.models.text import TextModel

_HEADS = ("SequenceClassification", "QuestionAnswering")  # of networks that read texts


def load_causal(name: str, dtype: str = "auto") -> tuple[Any, Any]:
    """The network with its language-model head, in evaluation mode, and its tokenizer; no code of the model's own is run."""
    transformers = need("transformers", f"the language model {name}")
    if not name:
        raise ModelError("no language model is named: give a folder that save_pretrained wrote, or a name on the hub.")
    local = Path(name).is_dir()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=local)
        model = transformers.AutoModelForCausalLM.from_pretrained(name, dtype=dtype, local_files_only=local)
    except Exception as error:
        raise ModelError(_explained(name, local, error)) from error
    return model.eval(), tokenizer


def from_folder(folder: str, system: str | None = None) -> TextModel | CausalLM:
    """What a folder of the transformers library holds: a causal language model, a classifier of texts, or a finder of answers."""
    held = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    kinds = [str(kind) for kind in held.get("architectures") or []]
    if any(kind.endswith(("ForCausalLM", "LMHeadModel")) for kind in kinds):
        return CausalLM.load(folder, system=system)
    heads = [head for head in _HEADS if any(kind.endswith(f"For{head}") for kind in kinds)]
    if system is not None or not heads:
        wanted = (
            "a causal language model"
            if system is not None
            else "a causal language model, a classifier of texts or a network for question answering"
        )
        raise ModelError(
            f"the folder {Path(folder).name} holds {', '.join(kinds) or 'no named network'}: expected {wanted}; anything else is "
            "built by package.module:factory."
        )
    transformers = need("transformers", f"the network in {Path(folder).name}")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        kind = getattr(transformers, f"AutoModelFor{heads[0]}")
        model = kind.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise ModelError(f"the folder {Path(folder).name} could not be opened ({first_line(error)}).") from error
    return TextModel(model.eval(), tokenizer)


def _explained(name: str, local: bool, error: Exception) -> str:
    said, text = first_line(error), str(error).lower()
    if "gated" in text or "401" in text or "403" in text or "authenticat" in text:
        return (
            f"{name} is gated, or private, and no valid token was found ({said}): accept its licence on the model's page, then log "
            "in with `hf auth login` or set HF_TOKEN; or give a folder that holds the model."
        )
    if local:
        where = f"the folder {Path(name).name}"
        return f"{where} holds no causal language model with its tokenizer ({said}): write it with save_pretrained."
    return (
        f"the language model {name!r} could not be loaded ({said}): give a folder that save_pretrained wrote, or check the name "
        "and the connection."
    )
