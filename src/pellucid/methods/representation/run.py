"""The engine of `similarity`: what is given becomes two sets of layers over the same inputs, and a method compares all pairs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, receipt
from pellucid.core.errors import InputError
from pellucid.core.similarity import Similarity
from pellucid.methods.activating import looked_into
from pellucid.methods.representation.base import Compared, Layers, SimilarityMethod, Source
from pellucid.methods.representation.cka import CKA
from pellucid.methods.representation.held import as_held
from pellucid.models.text import TextModel


@dataclass(frozen=True, eq=False)
class View:
    """What networks are shown, and where one looks."""

    inputs: Any = None
    layers: Any = None
    others: Any = None
    pool: bool = False
    extra: dict[str, Any] | None = None
    batch_size: int | None = None


def similarity(A: Any, B: Any, method: Any, view: View, progress: Callable[[int], None] | None = None) -> Similarity:
    """See `pellucid.api.similarity`."""
    chosen, meter = as_method(method), Meter(on_rows=progress)
    with contextlib.ExitStack() as sessions:
        layers = _layers(A, B, view, meter, sessions)
        found = chosen.compare(layers)
    meter.add()
    sources = layers.sources[: 1 if layers.same else 2]
    return Similarity(
        value=float(np.nanmean(_some(found, layers))),
        matrix=found.matrix,
        chance=found.chance,
        stderr=found.stderr,
        rows=layers.names[0],
        columns=layers.names[1],
        n=layers.n,
        method=chosen,
        receipt=receipt(
            chosen,
            meter,
            packages=tuple({name: None for source in sources for name in source.packages}),
            stderr=_largest(found.stderr),
            warnings=_warnings(found, layers),
            notes=tuple(dict.fromkeys((*(note for source in sources for note in source.notes), *found.notes))),
        ),
    )


def as_method(method: Any) -> SimilarityMethod:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = CKA if method is None else method
    says = "does not compare representations: give CKA() or SVCCA()."
    made: SimilarityMethod = spelling.as_value(given, (SimilarityMethod,), says)
    return made


def _layers(A: Any, B: Any, view: View, meter: Meter, sessions: contextlib.ExitStack) -> Layers:
    """Two sets of layers over the same inputs; one, compared with itself, where no second is given."""
    if isinstance(B, str | SimilarityMethod | type):
        raise InputError(
            f"B={B!r} is a method, not a representation: write similarity(A, B, method), or method=... alone."
        )
    for_networks = (view.inputs, view.layers, view.others, view.extra, view.batch_size)
    if not (_is_network(A) or _is_network(B)) and any(one is not None for one in for_networks):
        raise InputError(
            "inputs=, layers=, others=, extra= and batch_size= are for networks, and A and B are arrays: leave them out."
        )

    def source(given: Any, which: str, names: Any) -> Source:
        if not _is_network(given):
            return as_held(given, which, view.pool)
        if view.inputs is None:
            raise InputError(f"{which} is a network: give the inputs that it is to be shown, inputs=.")
        from pellucid.methods.representation.streamed import Streamed

        prepared = looked_into(given, view.inputs, "similarity", extra=view.extra, batch_size=view.batch_size)
        sessions.enter_context(prepared.adapter.session())
        return Streamed(prepared, names, view.pool, meter)

    first = source(A, "A", view.layers)
    alike = B is None or (B is A and view.others is None)
    second = first if alike else source(B, "B", view.layers if view.others is None else view.others)
    if first.n != second.n:
        raise InputError(
            f"A has {first.n:,} inputs and B has {second.n:,}: both need a row for each of the same inputs, in the same order."
        )
    return Layers(first, second)


def _is_network(given: Any) -> bool:
    """Arrays, tensors, frames and dictionaries are no functions."""
    return callable(given) or isinstance(given, TextModel)


def _some(found: Compared, layers: Layers) -> np.ndarray:
    """The matrix, unless nothing in it is known."""
    if np.isnan(found.matrix).all():
        raise InputError(
            f"nothing can be compared: {_still(found, layers)} over the {layers.n} inputs (or, for a radial kernel, most pairs of "
            "them are equal there). Give inputs that differ more, or other layers."
        )
    return found.matrix


def _still(found: Compared, layers: Layers) -> str:
    """The layers of which nothing is known, in words; "" where there are none."""
    named = [
        name for names, still in zip(layers.names, found.still, strict=True) for name in np.array(names)[still].tolist()
    ]
    names = list(dict.fromkeys(named))
    return f"{', '.join(map(repr, names))} {'does' if len(names) == 1 else 'do'} not vary" if names else ""


def _warnings(found: Compared, layers: Layers) -> tuple[str, ...]:
    still = _still(found, layers)
    return (*((f"{still} over the inputs: NaN throughout",) if still else ()), *found.warnings)


def _largest(stderr: np.ndarray | None) -> float | None:
    return None if stderr is None or np.isnan(stderr).all() else float(np.nanmax(stderr))
