"""The engine of `concepts`: one forward pass over all examples, one backward pass over the inputs, then small matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from threadpoolctl import threadpool_limits

from pellucid.core import spelling
from pellucid.core.budget import Meter
from pellucid.core.concept_scores import ConceptScores
from pellucid.core.errors import MethodError
from pellucid.core.inputs import checked, plain_array
from pellucid.methods.activating import looked_into
from pellucid.methods.concept.dissecting import dissect
from pellucid.methods.concept.looks import at_layer, look
from pellucid.methods.concept.network_dissection import NetworkDissection
from pellucid.methods.concept.reporting import record
from pellucid.methods.concept.sets import as_examples
from pellucid.methods.concept.tcav import TCAV
from pellucid.models.text import as_texts


def concepts(
    model: Any,
    concepts: Any,
    method: TCAV | NetworkDissection | str | None = None,
    *,
    layer: str | Sequence[str],
    inputs: Any,
    target: Any = None,
    random: Any = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ConceptScores:
    """See `pellucid.api.concepts`."""
    chosen, meter = as_method(method), Meter(on_rows=progress)
    if isinstance(chosen, NetworkDissection):
        if target is not None or random is not None:
            raise MethodError(
                "NetworkDissection asks about no output and draws no random sets: leave target= and random= out."
            )
        return dissect(model, concepts, chosen, layer=layer, inputs=inputs, batch_size=batch_size, progress=progress)
    x = as_texts(inputs)
    x = checked(plain_array(inputs), "inputs") if x is None else x
    examples = as_examples(concepts, random, x)
    asked = looked_into(model, x, "concepts", batch_size=batch_size)
    shown = looked_into(model, examples.x, "concepts", batch_size=batch_size)
    from pellucid.models.activations import layers_of, network_of

    names = layers_of(network_of(asked.adapter).model, layer)
    with asked.adapter.session():
        looks, aimed = look(chosen, asked, shown, names, target, meter)
    with threadpool_limits(1):  # matrices are small: threads would wait for each other
        found = [at_layer(chosen, one, examples.plan) for one in looks]
    return record(chosen, found, looks, examples.plan, (asked, aimed, meter))


def as_method(method: Any) -> TCAV | NetworkDissection:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    says = "does not score concepts: give TCAV() or NetworkDissection()."
    made: TCAV | NetworkDissection = spelling.as_value(
        TCAV if method is None else method, (TCAV, NetworkDissection), says
    )
    return made
