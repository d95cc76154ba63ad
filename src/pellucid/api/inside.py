"""The inside of a network: what its units and layers hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pellucid.core.budget import Budget
from pellucid.core.concept_scores import ConceptScores
from pellucid.core.probe_result import ProbeResult
from pellucid.core.similarity import Similarity
from pellucid.core.visualization import Visualization

if TYPE_CHECKING:
    import numpy as np

    from pellucid.methods.concept.network_dissection import NetworkDissection
    from pellucid.methods.concept.tcav import TCAV
    from pellucid.methods.representation.base import SimilarityMethod
    from pellucid.methods.representation.linear_probe import LinearProbe
    from pellucid.methods.vision.activation_maximization import ActivationMaximization


def visualize(
    model: Any,
    unit: Any,
    method: ActivationMaximization | str | None = None,
    *,
    like: Any = None,
    budget: Budget | float | str | None = None,
) -> Visualization:
    """What does this unit look for?

    Parameters
    ----------
    model : a torch module that takes pictures, volumes or signals, (b, channels, *space).
    unit : an output's number, or a `Unit`: a channel of a layer, one place of it, or a direction in its channels.
    method : a method value or its spelling; None takes ActivationMaximization().
    like : (n, channels, *space) ordinary inputs: made pictures get their shape, range and colours, and the largest activation
        on them is reported beside.
    budget : hard limits, which end the ascent early.
    """
    from pellucid.methods.vision import run

    return run.visualize(model, unit, method, like=like, budget=budget)


def activations(
    model: Any,
    x: Any,
    layers: str | Sequence[str],
    *,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
) -> dict[str, np.ndarray]:
    """What do inner layers of a network say of these rows? All layers in one pass: `{name: (n, ...)}`.

    Parameters
    ----------
    model : a torch module; for texts, `TextModel(model, tokenizer)`, whose network may also be an encoder without a head.
    x : (n, *features) rows, or a list of texts.
    layers : a name as in `model.named_modules()`, several, or patterns where `*` stands for one part of a name
        ("encoder.layer.*"); the answer has them in that order.
    extra : further inputs `{name: (n, ...)}` that are passed along, as an `attention_mask` of token ids.
    batch_size : rows per model call; None bounds memory.

    A layer that gives several things is seen by the first of them, one that runs several times by its last call. Of texts a
    layer is (n, t, d): tokens from the first on, special ones included, NaN where a text has no more.
    """
    from pellucid.methods import activating

    return activating.activations(model, x, layers, extra=extra, batch_size=batch_size)


def concepts(
    model: Any,
    concepts: Mapping[str, Any],
    method: TCAV | NetworkDissection | str | None = None,
    *,
    layer: str | Sequence[str],
    inputs: Any,
    target: Any = None,
    random: Any = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ConceptScores:
    """Does a concept that people have a word for raise this output, or does a unit detect it?

    Parameters
    ----------
    model : a torch module; for texts, `TextModel(model, tokenizer)`.
    concepts : `{name: examples}`, each (m, *features) or a list of texts: what is meant by the word, 20 examples or more. For
        NetworkDissection, pixel masks of the inputs: `{name: (n, h, w)}` of 0 and 1, or a label map (n, h, w) of whole numbers,
        alone or with names, as in `(labels, ["sky", "road"])` or `(labels, {3: "road"})`; pixels without a named label are none of
        the concepts, negative ones were not looked at. Masks may have another number of pixels than inputs, not another shape.
    method : a method value or its spelling; None takes TCAV(). NetworkDissection() takes neither target nor random.
    layer : where to look: a layer's name, several, or a pattern as in `activations`.
    inputs : (n, *features) or texts: the inputs whose score is looked at, usually of the target's class.
    target : as in `explain`.
    random : examples of anything but the concepts: one pool that random sets are drawn from, or a list of such sets; None tells
        each concept from all others.
    batch_size : rows per model call; None bounds memory.
    progress : called with the number of model rows after each call.
    """
    from pellucid.methods.concept import run

    return run.concepts(
        model,
        concepts,
        method,
        layer=layer,
        inputs=inputs,
        target=target,
        random=random,
        batch_size=batch_size,
        progress=progress,
    )


def probe(
    model: Any,
    X: Any,
    y: Any,
    method: LinearProbe | str | None = None,
    *,
    layer: str | Sequence[str],
    control: Any = None,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> ProbeResult:
    """Can a label be read off these layers, and is that the layers' merit or the probe's?

    Parameters
    ----------
    model : a torch module; for texts, `TextModel(model, tokenizer)`.
    X : (n, *features) rows, texts, or texts as lists of words.
    y : (n,) a label a row; for texts, a list of labels for each, one a word (None for none); for arrays, (n, t) labels of places, a
        negative number for none.
    method : a method value or its spelling; None takes LinearProbe().
    layer : where to look: a layer's name, several, or a pattern as in `activations`; all in one pass.
    control : the type of each example, in the form of y: all examples of a type get the same random label in a control task. None
        takes the words themselves, the ids of places, and for rows, which have no type, labels of their own.
    extra, batch_size : as in `activations`.
    progress : called with the number of model rows after each call.
    """
    from pellucid.methods.representation import probing

    return probing.probe(
        model, X, y, method, layer=layer, control=control, extra=extra, batch_size=batch_size, progress=progress
    )


def similarity(
    A: Any,
    B: Any = None,
    method: SimilarityMethod | str | None = None,
    *,
    inputs: Any = None,
    layers: str | Sequence[str] | None = None,
    others: str | Sequence[str] | None = None,
    pool: bool = False,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Similarity:
    """How alike are two representations of the same inputs: two layers, or all layers of two networks?

    Parameters
    ----------
    A, B : an array (n, ...), what a layer makes of n inputs, or {layer: array}, as `activations` returns; or a network, which is
        shown `inputs`, once and a batch at a time. None for B compares the layers of A with each other.
    method : a method value or its spelling; None takes CKA(), linear and biased.
    inputs : (n, *features) rows or a list of texts, for networks; the rows of arrays stand for the same inputs in the same order.
    layers : the layers of networks, by name or pattern as in `activations`; None takes all innermost ones that compute something.
    others : those of B, where it has others than A.
    pool : average over space, (n, c, *space), or over tokens, (n, t, d), instead of counting every place as a feature of its
        own. Texts of different lengths are always averaged over their tokens.
    extra : further inputs of networks, `{name: (n, ...)}`.
    batch_size : rows per model call; None bounds memory.
    progress : called with the number of model rows that are done.
    """
    from pellucid.methods.representation import run

    view = run.View(inputs, layers, others, pool, extra, batch_size)
    return run.similarity(A, B, method, view, progress)
