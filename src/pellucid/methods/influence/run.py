"""The engine of `influence`: data and losses are checked, the model is opened as its training sees it, a method scores."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Meter, Receipt, receipt
from pellucid.core.errors import MethodError, ModelError, PellucidError
from pellucid.core.influence import Influence
from pellucid.core.registry import need
from pellucid.methods.influence.base import Found, InfluenceMethod, Progress
from pellucid.methods.influence.ekfac import EKFAC
from pellucid.methods.influence.influence_functions import InfluenceFunctions
from pellucid.models.text import TextModel
from pellucid.models.training.losses import CrossEntropy, Loss, SquaredError

if TYPE_CHECKING:
    from pellucid.models.torch import TorchAdapter

Task = Callable[[Any, Any], Any]


def influence(
    model: Any,
    train: Any,
    query: Any,
    method: InfluenceMethod | str | None = None,
    *,
    task: Task | None = None,
    measurement: Task | None = None,
    checkpoints: Any = None,
    factors: Any = None,
    progress: Progress | None = None,
) -> Influence:
    """See `pellucid.api.influence`."""
    chosen, meter = as_method(method), Meter()
    _check_given(chosen, checkpoints, factors)
    reader = None
    if isinstance(model, TextModel):
        from pellucid.models.training.texts import Reader

        reader, model = Reader(model), model.model
        train, query = reader.examples(train, "train"), reader.examples(query, "query")
    adapter = _adapter(model)
    from pellucid.models.training.checkpoints import read_checkpoints
    from pellucid.models.training.gradients import Training
    from pellucid.models.training.samples import Samples

    rows, asked = (
        Samples(given, who, adapter.dtype, adapter.device) for given, who in ((train, "train"), (query, "query"))
    )
    told = _usual(rows.take(np.arange(1))) if task is None else task
    if reader is not None:
        told, measurement = reader.loss(told), reader.loss(measurement)
    with adapter.session(), _explained():
        training = Training(model, rows, asked, told, measurement or told, chosen.parameters, meter)
        training.factors = factors
        if checkpoints is not None:
            training.checkpoints = read_checkpoints(checkpoints, model)
        losses = training.losses("query")
        found = chosen.score(training, progress or (lambda _: None))
    kept = receipt(
        chosen,
        meter,
        packages=adapter.packages,
        target=_name(measurement or told),
        stderr=None if found.stderr is None else float(found.stderr.max()),
        warnings=found.warnings,
        notes=(*training.notes, *found.notes),
    )
    return _record(chosen, found, losses, kept)


def _record(method: InfluenceMethod, found: Found, losses: np.ndarray, kept: Receipt) -> Influence:
    return Influence(
        scores=found.scores,
        losses=losses,
        stderr=found.stderr,
        residual=found.residual,
        self_influence=found.self_influence,
        unit=method.unit,
        method=method,
        receipt=kept,
    )


def _check_given(method: InfluenceMethod, checkpoints: Any, factors: Any) -> None:
    """Refuse what the method would not read."""
    name = type(method).__name__
    if method.checkpointed and checkpoints is None:
        raise MethodError(
            f"{name} reads the states of training: give checkpoints=, a folder that Checkpoints(folder) filled."
        )
    if checkpoints is not None and not method.checkpointed:
        raise MethodError(f"{name} reads no checkpoints: leave checkpoints= out, or give TracIn().")
    if factors is not None and not isinstance(method, EKFAC):
        raise MethodError(f"{name} has no factors to keep: leave factors= out, or give EKFAC().")


def _adapter(model: Any) -> TorchAdapter:
    torch = need("torch", "influence")
    if not isinstance(model, torch.nn.Module):
        raise MethodError(
            f"influence follows gradients in a network's parameters and got a {type(model).__name__}: give a torch module (a "
            "linear or logistic model is one torch.nn.Linear), or TextModel(network, tokenizer)."
        )
    from pellucid.models.torch import TorchAdapter

    return TorchAdapter(model)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """What the user's network or loss raises, as an error of ours."""
    try:
        yield
    except PellucidError:
        raise
    except Exception as error:
        raise ModelError(
            f"the network or its loss raised {type(error).__name__}: {error}. Does task(model, batch) run on a batch of train?"
        ) from error


def as_method(method: Any) -> InfluenceMethod:
    """A method value of what a user may give: None, a spelling, a class, a value."""
    given = InfluenceFunctions if method is None else method
    says = "does not trace training data: give InfluenceFunctions(), EKFAC(), TracIn() or GradientSimilarity()."
    made: InfluenceMethod = spelling.as_value(given, (InfluenceMethod,), says)
    return made


def _usual(example: tuple[Any, ...]) -> Task:
    """The loss that examples like this one are usually trained on."""
    return SquaredError() if example[-1].is_floating_point() else CrossEntropy()


def _name(task: Task) -> str:
    return getattr(task, "__name__", repr(task) if isinstance(task, Loss) else type(task).__name__)
