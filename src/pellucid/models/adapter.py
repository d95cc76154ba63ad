"""The border between a model and the library: any model becomes outputs `(b, k)` for rows `(b, *features)`.

An `Adapter` knows one kind of model; a `BlackBox` is an adapter with its target bound, the scalar function that methods
explain. Both leave the user's world as found: `session()` restores whatever a run may disturb.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from pellucid.core.affine import affine_for
from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, ModelError, PellucidError, TargetError
from pellucid.core.frames import Codec
from pellucid.core.inputs import plain_array
from pellucid.core.masking import Form, TextForm
from pellucid.core.scalar import cells_of, finite, fold, pieces, widen
from pellucid.core.schema import Schema
from pellucid.core.soft import Moments, SoftMasks
from pellucid.core.target import FunctionPick, Output, Pick, Predicted, Target
from pellucid.core.text_maskers import Words
from pellucid.models.text import Texts

Extra = dict[str, np.ndarray]
LooksAt = tuple[str | None, tuple[int, int] | None]  # a layer's name and the grid of its tokens


class Adapter(ABC):
    """One kind of model. `scales` lists what its outputs can be read on, the default first."""

    kind: str
    packages: tuple[str, ...] = ()
    classes: Sequence[Any] | None = None
    names: Sequence[str] | None = None  # of the columns of the rows in question
    scales: tuple[str, ...] = ("raw",)
    batch_rows: int = 16_384
    batch_cells: int = 2**22
    usual_method: str | None = None  # what explains this kind of model where nobody names a method
    memory: dict[bytes, Any] | None = None  # answers by what was asked, where several targets share them

    @abstractmethod
    def forward(self, x: Any, scale: str, extra: Extra) -> Any:
        """x (b, *features) -> outputs, rows first, as the model gives them"""

    @property
    def text_form(self) -> Form:
        """What maskers may know where the inputs are texts."""
        return Form(text=TextForm(), masker=Words())

    def by_tokens(self, inputs: Inputs) -> tuple[Adapter, Inputs] | None:
        """A question about texts as one about token ids, for methods that need gradients; None where there are none."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """Plain facts of how the model was asked, for the receipt."""
        return ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know of this model's numbers."""
        return ()

    def refuse(self, texts: np.ndarray) -> None:
        """Raise for texts (n,) that this model cannot be asked about."""
        return

    def declare(self, target: Target | None, inputs: Inputs, meter: Meter) -> tuple[Target | None, Inputs]:
        """A target in this model's own terms, before the model is asked; what it needs of each row goes with the inputs."""
        return (None if target is None else target.named(self.classes)), inputs

    def cells(self, x: np.ndarray) -> np.ndarray:
        """Rows as this kind of model reads them, in a dtype that methods may calculate in."""
        return x

    def channels(self, x: np.ndarray) -> int | None:
        """The axis of x that holds channels."""
        return x.ndim - 1 if x.ndim == 4 and x.shape[-1] in (1, 3, 4) else None

    def place(self, values: np.ndarray) -> Any:
        """Numbers of ours where the model is, in single precision."""
        return values if values.dtype == bool else np.asarray(values, np.float32)

    def default_target(self, outputs: np.ndarray) -> Target:
        """outputs (n, k) -> the question a user means who names none."""
        return Output(0) if outputs.shape[1] == 1 else Predicted()

    def scale_of(self, target: Target) -> str:
        """The target's own scale if the model has it, else the model kind's default."""
        if target.scale is not None and target.scale not in self.scales:
            raise TargetError(f"this model has no scale {target.scale!r}; it has {', '.join(self.scales)}.")
        return target.scale or self.scales[0]

    def outputs(self, x: np.ndarray, scale: str, extra: Extra, meter: Meter, size: int | None) -> np.ndarray:
        """x (n, *features) -> (n, ...) float64, in chunks."""
        chunks = []
        for part in pieces(len(x), size or self.batch_size(x)):
            out = self.run(x[part], scale, {name: value[part] for name, value in extra.items()})
            chunks.append(plain_array(out).astype(float))
            meter.add(forward=len(chunks[-1]))
        return finite(np.concatenate(chunks), "outputs")

    def run(self, x: Any, scale: str, extra: Extra) -> Any:
        """One call of the model, its failures explained and its rows checked: (b, k), or (b, ...) for a target function."""
        if self.memory is None or getattr(x, "requires_grad", False):
            return self._run(x, scale, extra)
        asked = _digest(x, scale, extra)
        if asked not in self.memory:
            self.memory[asked] = self._run(x, scale, extra)
        return self.memory[asked]

    def _run(self, x: Any, scale: str, extra: Extra) -> Any:
        with explaining(x, self.names):
            out = self.forward(x, scale, extra)
        shape = tuple(getattr(out, "shape", ()))
        if len(shape) < 1 or shape[0] != len(x):
            raise ModelError(
                f"the model returned {_described(out)} for {len(x)} rows: expected an array with one row each, "
                "(n,) or (n, k); wrap the model in a function that returns it."
            )
        return out.reshape(-1, 1) if len(shape) == 1 else out

    def batch_size(self, x: np.ndarray) -> int:
        """Rows per model call that keep memory bounded."""
        return max(1, min(self.batch_rows, self.batch_cells // max(1, cells_of(x) // max(1, len(x)))))

    def first_pass(
        self, inputs: Inputs, scale: str, meter: Meter, looks_at: LooksAt | None
    ) -> tuple[np.ndarray, list[Any]]:
        """The outputs on x, and what may be kept of that pass for a method that looks at a layer."""
        return self.outputs(inputs.x, scale, inputs.extra, meter, inputs.batch_size), []

    def scalar(self, pick: Pick | FunctionPick, scale: str, inputs: Inputs, meter: Meter, kept: list[Any]) -> BlackBox:
        """This model's number per row under a bound target."""
        return BlackBox(self, pick, scale, inputs, meter)

    def wait(self) -> None:
        """Return when the device has done all that it was told; a processor always has."""
        return

    def fresh_peak(self) -> Callable[[], int] | None:
        """How to ask for the most bytes held on the device since now; None where there is no device."""
        return None

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        """A run's frame: global random states are seeded inside and restored outside, so stochastic models repeat."""
        state, python = np.random.get_state(), random.getstate()
        np.random.seed(0)
        random.seed(0)
        try:
            yield
        finally:
            np.random.set_state(state)
            random.setstate(python)


@dataclass(frozen=True, eq=False)
class Told:
    """What a record says of n texts: t parts in order of reading, and the characters that each player stands for."""

    data: np.ndarray  # (n, t) strings, "" where a text has no more parts
    mask: np.ndarray  # (n, t) the players; False also for parts that the model never sees
    texts: tuple[str, ...]
    labels: np.ndarray  # (n, characters) the player of each character, -1 for none


@dataclass(frozen=True, eq=False)
class Inputs:
    """The data of one question, encoded: x (n, *features), background (b, *features), and how to get back."""

    x: np.ndarray
    background: np.ndarray | None = None
    form: Form = Form()
    codec: Codec | None = None
    extra: Extra = field(default_factory=dict)
    batch_size: int | None = None
    told: Told | None = None  # of token ids: the texts that they came from
    warnings: tuple[str, ...] = ()
    affine: np.ndarray | None = None  # of volumes: from voxels to millimetres

    def take(self, rows: slice | np.ndarray) -> Inputs:
        """Some of the rows."""
        extra = {name: value[rows] for name, value in self.extra.items()}
        affine = affine_for(rows, self.affine)
        return replace(self, x=self.x[rows], extra=extra, form=self.form.take(rows), affine=affine)

    @property
    def readable(self) -> np.ndarray:
        """x as a record keeps it."""
        return self.x if self.codec is None else self.codec.schema.readable(self.x)


@dataclass(eq=False)
class BlackBox:
    """An adapter with its target bound: `Scalar` for every method that only asks."""

    adapter: Adapter
    pick: Pick | FunctionPick
    scale: str
    inputs: Inputs
    meter: Meter

    def take(self, rows: slice | np.ndarray) -> Self:
        """The same scalar for some of its rows."""
        return replace(self, pick=self.pick.take(rows), inputs=self.inputs.take(rows))

    @property
    def schema(self) -> Schema | None:
        return self.inputs.form.schema

    @property
    def channels(self) -> int | None:
        return self.inputs.form.channels

    @property
    def size(self) -> int:
        """Rows per model call."""
        return self.inputs.batch_size or self.adapter.batch_size(self.inputs.x)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        flat, rows, lead = fold(x, self.inputs.x.shape[1:], len(self.inputs.x))
        values = np.empty(len(flat))
        for part in pieces(len(flat), self.size):
            out = self.adapter.run(flat[part], self.scale, self.extra(rows[part]))
            values[part] = plain_array(self.pick(columns(out, self.pick), rows[part]), float)
            self.meter.add(forward=len(rows[part]))
        return finite(values, "numbers").reshape(lead)

    def blend(self, x: np.ndarray, masks: np.ndarray, reference: np.ndarray) -> np.ndarray:
        n, room = len(x), max(1, self.size // max(1, len(x)))
        values = np.empty((n, len(masks)))
        for part in pieces(len(masks), room):
            shown = np.ascontiguousarray(widen(masks[part], x.shape[1:], self.channels))
            mixed = np.where(shown, x, reference) if shown.dtype == bool else shown * x + (1 - shown) * reference
            whole = x.dtype.kind in "iu" and mixed.dtype.kind == "f"
            values[:, part] = self((np.rint(mixed) if whole else mixed).astype(x.dtype, copy=False)).T
        return values

    def sweep(self, x: np.ndarray, masks: SoftMasks, reference: np.ndarray, about: np.ndarray) -> Moments:
        found: Moments | None = None
        for part in pieces(len(masks), max(1, self.size // len(x))):
            few = masks[part].on(self.adapter.place)
            weights = few.grown()
            scores = self.blend(x, weights if few.spread else weights > 0.5, reference)
            more = Moments.of(weights, scores - about[:, None], self.adapter.place)
            found = more if found is None else found + more
        assert found is not None
        return found.on(lambda sums: plain_array(sums, float))

    def extra(self, rows: np.ndarray) -> Extra:
        return {name: value[rows] for name, value in self.inputs.extra.items()}


class CallableAdapter(Adapter):
    """Any function of a batch: arrays in (or frames or lists of texts, if those were given), `(n,)` or `(n, k)` out."""

    kind = "callable"

    def __init__(self, function: Callable[..., Any], codec: Codec | Texts | None = None) -> None:
        self.function, self.codec = function, codec

    def forward(self, x: np.ndarray, scale: str, extra: Extra) -> Any:
        given = x.copy() if self.codec is None else self.codec.decode(x)  # a function may write into what it is given
        return plain_array(self.function(given, **extra))


def columns(out: Any, pick: Pick | FunctionPick) -> Any:
    """Outputs as columns (b, k); a target function may have any shape."""
    if isinstance(pick, Pick) and out.ndim != 2:
        raise TargetError(
            f"the model's output has shape {tuple(out.shape)}, not (n, k): give a target function, outputs -> one number a row."
        )
    return out


def _digest(x: Any, scale: str, extra: Extra) -> bytes:
    """What tells one question to a model from another."""
    told = hashlib.blake2b(scale.encode(), digest_size=16)
    for array in (plain_array(x), *(extra[name] for name in sorted(extra))):
        told.update(f"{array.dtype}{array.shape}".encode())
        told.update(np.ascontiguousarray(array).tobytes())
    return told.digest()


def first_line(error: Exception) -> str:
    """An error as one line: some libraries' go on for a page."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"


def missing(x: np.ndarray, names: Sequence[str] | None) -> str | None:
    """In words, which columns of x (b, *features) hold NaN; None where none does."""
    if x.dtype.kind != "f" or not np.isnan(x).any():
        return None
    where = np.unique(np.argwhere(np.isnan(x))[:, 1])[:5].tolist()
    if x.ndim > 2:
        return f"x holds NaN (feature {where})"
    named = ", ".join(repr(f"x{j}" if names is None else names[j]) for j in where)
    return f"column{'s' * (len(where) > 1)} {named} of x hold{'s' * (len(where) == 1)} NaN"


@contextlib.contextmanager
def explaining(given: Any, names: Sequence[str] | None) -> Iterator[None]:
    """What a user's model raises on a batch, as an error of ours."""
    try:
        yield
    except PellucidError:
        raise
    except Exception as error:
        raise _explained(error, given, names) from error


def _explained(error: Exception, given: Any, names: Sequence[str] | None) -> PellucidError:
    x = np.asarray(given) if isinstance(given, np.ndarray) else plain_array(given)
    said = first_line(error)
    if (where := missing(x, names)) is not None:
        return InputError(
            f"{where} and the model refused it ({said}): impute it, best in the model's own pipeline, or drop those rows."
        )
    if type(error).__name__ == "NotFittedError":
        return ModelError("the model is not fitted: call fit before explaining it.")
    if x.dtype == object:
        return ModelError(f"the model raised {said} on a batch of {len(x)} texts.")
    return ModelError(f"the model raised {said} on a batch of shape {x.shape}, dtype {x.dtype}.")


def _described(out: Any) -> str:
    shape = getattr(out, "shape", None)
    return f"a {type(out).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else "")
