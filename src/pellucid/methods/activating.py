"""The engine of `activations`: what any layers of a network say of rows, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.budget import Meter
from pellucid.core.errors import MethodError
from pellucid.core.registry import need
from pellucid.models.prepare import prepare
from pellucid.models.text import TextModel

if TYPE_CHECKING:
    from pellucid.models.prepare import Prepared


def activations(
    model: Any,
    x: Any,
    layers: str | Sequence[str],
    *,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
) -> dict[str, np.ndarray]:
    """See `pellucid.api.activations`."""
    prepared = looked_into(model, x, "activations", extra=extra, batch_size=batch_size)
    from pellucid.models.activations import gathered, layers_of, network_of

    names = layers_of(network_of(prepared.adapter).model, layers)
    with prepared.adapter.session():
        return gathered(prepared, names, Meter())


def looked_into(model: Any, x: Any, verb: str, **more: Any) -> Prepared:
    """A network and its rows; `verb` says who wants to see inside, where the model is no network."""
    torch = need("torch", verb)
    pipeline = type(model).__module__.startswith("transformers.pipelines")
    if not (isinstance(model, torch.nn.Module | TextModel) or pipeline):
        raise MethodError(
            f"{verb} looks at the layers of a network, and a {type(model).__name__} shows none: give a torch module, or "
            "TextModel(model, tokenizer) for texts."
        )
    return prepare(model, x, **more)
