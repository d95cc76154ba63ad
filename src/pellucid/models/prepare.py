"""From what a user has to what a method needs: the model's adapter, the encoded inputs, the bound target."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from pellucid.core.affine import affine_of, checked_affine
from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, ModelError, TargetError
from pellucid.core.frames import Codec, is_frame
from pellucid.core.inputs import checked, plain_array
from pellucid.core.masking import Form
from pellucid.core.target import Custom, Output, as_target
from pellucid.models.adapter import Adapter, BlackBox, CallableAdapter, Inputs, LooksAt
from pellucid.models.language import CausalLM
from pellucid.models.sparse import SparseAdapter, matrix_kind, slots
from pellucid.models.tabular import EstimatorAdapter, is_estimator, used_columns
from pellucid.models.text import TextModel, Texts, as_texts

_WHOLE = (
    "column {!r} holds free text and is one player as a whole, changed for other rows' texts: which of its words count is left "
    "to the text methods, for which give a list of texts and a function that puts each into its row"
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A model and data that fit each other."""

    adapter: Adapter
    inputs: Inputs

    def bind(self, target: Any, meter: Meter, looks_at: LooksAt | None = None) -> tuple[BlackBox, np.ndarray]:
        """The scalar function under a target, and its values on x (n,); call inside `adapter.session()`.

        `looks_at` says which layer the method will want, so that one pass of the model serves both.
        """
        adapter = self.adapter
        asked = None if target is None else as_target(target, default=Output(0))
        wanted, inputs = adapter.declare(asked, self.inputs, meter)
        scale = adapter.scale_of(wanted or Output(0))
        outputs, kept = adapter.first_pass(inputs, scale, meter, looks_at)
        if outputs.ndim != 2 and not isinstance(wanted, Custom):
            raise TargetError(
                f"the model's output has shape {outputs.shape}, not (n, k): give a target function, outputs -> one number a row."
            )
        wanted = wanted or adapter.default_target(outputs)
        pick = wanted.at(scale).bind(outputs)
        f = adapter.scalar(pick, scale, inputs, meter, kept)
        return f, self._scores(f, outputs)

    def for_gradients(self) -> Prepared:
        """The same question where methods can differentiate it: texts become token ids."""
        made = self.adapter.by_tokens(self.inputs) if self.inputs.form.text is not None else None
        return self if made is None else Prepared(*made)

    def _scores(self, f: BlackBox, outputs: np.ndarray) -> np.ndarray:
        if isinstance(f.pick.target, Custom):
            return f(self.inputs.x)
        return np.array(f.pick(outputs, np.arange(len(outputs))), dtype=float)


def prepare(
    model: Any,
    x: Any,
    *,
    background: Any = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    batch_size: int | None = None,
) -> Prepared:
    """Choose the adapter of a model and encode its data."""
    if is_frame(x):
        return _prepare_frame(model, x, background, extra, batch_size)
    if issparse(x):
        return _prepare_sparse(model, x, background, names, extra, batch_size)
    if (texts := as_texts(x)) is not None:
        if background is not None or names is not None:
            raise InputError(
                "texts need no background and have no names: what stands for a hidden word is the masker's business, as in "
                "masker=Words(fill='mask')."
            )
        return _prepare_texts(model, texts, extra, batch_size)
    if isinstance(model, TextModel | CausalLM):
        raise InputError(
            f"a {type(model).__name__} takes texts, and x is a {type(x).__name__}: give a list of strings."
        )
    adapter = adapt(as_network(model, x, extra))
    cells = adapter.cells(checked(plain_array(x)))
    reference = None if background is None else _background(adapter.cells(plain_array(background)), cells)
    features = cells.shape[1:]
    own = tuple(map(str, names)) if names is not None else _names_of(model, features)
    if own is not None and cells.ndim == 2 and len(own) != features[0]:
        raise InputError(f"{len(own)} names for {features[0]} features.")
    expected = getattr(model, "n_features_in_", None)
    if expected is not None and cells.ndim == 2 and features[0] != expected:
        raise InputError(f"x has {features[0]} features, the model was fitted with {expected}.")
    form, adapter.names = Form(adapter.channels(cells), None, own), own
    extras, affine = _extras(extra, len(cells)), _affine_of(x, cells, form)
    return Prepared(adapter, Inputs(cells, reference, form, None, extras, batch_size, affine=affine))


def _prepare_sparse(
    model: Any, x: Any, background: Any, names: Sequence[str] | None, extra: dict[str, Any] | None, size: int | None
) -> Prepared:
    if background is not None:
        raise InputError(
            "the cells of a sparse row are hidden by zero, so background rows have no use: leave background=None, "
            "or give x.toarray()."
        )
    expected = getattr(model, "n_features_in_", None)
    if expected is not None and x.shape[1] != expected:
        raise InputError(f"x has {x.shape[1]} features, the model was fitted with {expected}.")
    cells, places, form = slots(x, names if names is not None else used_columns(model))
    adapter = SparseAdapter(adapt(model), x.shape[1], matrix_kind(x))
    return Prepared(adapter, Inputs(cells, None, form, None, {**_extras(extra, len(cells)), **places}, size))


def as_network(model: Any, x: Any, extra: dict[str, Any] | None = None) -> Any:
    """A plain function of tensors as a network, where x is a tensor; any other model as it is."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(x, torch.Tensor) or not x.ndim or not callable(model) or is_estimator(model):
        return model
    if isinstance(model, type | torch.nn.Module):
        return model
    from pellucid.models.function import of_tensors

    return of_tensors(model, x, extra or {})


def adapt(model: Any, codec: Codec | Texts | None = None, order: Sequence[str] | None = None) -> Adapter:
    """The adapter of this kind of model."""
    torch = sys.modules.get("torch")  # a torch model cannot exist before torch is imported
    if torch is not None and isinstance(model, torch.nn.Module):
        from pellucid.models.torch import TorchAdapter

        return TorchAdapter(model)
    if isinstance(model, TextModel):
        from pellucid.models.spans import reader

        return reader(model)
    if isinstance(model, CausalLM):
        from pellucid.models.causal import CausalAdapter

        return CausalAdapter(model)
    if isinstance(model, type):
        raise ModelError(f"{model.__name__} is a class, not a model: give an instance, fitted or trained.")
    if is_estimator(model):
        return EstimatorAdapter(model, codec, order)
    if callable(model):
        return CallableAdapter(model, codec)
    raise ModelError(
        f"a {type(model).__name__} is no model: give a torch module, an estimator with predict, or a function of a batch."
    )


def _prepare_frame(
    model: Any, x: Any, background: Any, extra: dict[str, Any] | None, batch_size: int | None
) -> Prepared:
    fitted = used_columns(model)
    if background is not None and not is_frame(background):
        raise InputError("x is a frame and background is not: give background rows as a frame with the same columns.")
    missing = [name for name in fitted or [] if name not in list(x.columns)]
    if missing:
        raise InputError(f"the frame has no column {missing[0]!r}, which the model was fitted with.")
    codec = Codec.learn(x, *([] if background is None else [background]), columns=fitted)
    cells = checked(codec.encode(x))
    reference = None if background is None else _background(codec.encode(background), cells)
    form = Form(None, codec.schema, codec.schema.names)
    adapter = adapt(model, codec, fitted)
    adapter.names = codec.schema.names
    if adapter.kind == "torch":
        return prepare(
            model,
            _numbers(codec, cells),
            background=reference,
            names=codec.schema.names,
            extra=extra,
            batch_size=batch_size,
        )
    said = tuple(map(_WHOLE.format, codec.schema.texts))
    extras = _extras(extra, len(cells))
    return Prepared(adapter, Inputs(cells, reference, form, codec, extras, batch_size, warnings=said))


def _numbers(codec: Codec, cells: np.ndarray) -> np.ndarray:
    """The cells (n, p) of a frame of numbers alone."""
    for column in codec.schema.columns:
        if column.kind == "level":
            raise InputError(
                f"a torch network takes numbers, and column {column.name!r} ({column.dtype}) holds none: encode it, or give a "
                "function of the frame that encodes it and asks the network."
            )
    return cells


def _prepare_texts(model: Any, texts: np.ndarray, extra: dict[str, Any] | None, batch_size: int | None) -> Prepared:
    kind = type(model).__module__
    if kind.startswith("transformers.pipelines"):
        writes = getattr(model, "task", "") == "text-generation"
        model = (CausalLM if writes else TextModel)(model.model, model.tokenizer)
    adapter = adapt(model, Texts())
    if adapter.kind == "torch":
        raise InputError("a torch network takes numbers, and x holds texts: give TextModel(model, tokenizer).")
    if extra and adapter.kind == "text":
        raise InputError(f"extra inputs ({', '.join(extra)}) are for functions: wrap network and tokenizer in one.")
    adapter.refuse(texts)
    extras = _extras(extra, len(texts))
    return Prepared(
        adapter, Inputs(texts, None, adapter.text_form, None, extras, batch_size, warnings=adapter.warnings)
    )


def _background(rows: np.ndarray, x: np.ndarray) -> np.ndarray:
    checked(rows, "background")
    if rows.shape[1:] != x.shape[1:]:
        raise InputError(f"background rows have shape {rows.shape[1:]}, x has {x.shape[1:]}: they must be alike.")
    return rows


def _extras(extra: dict[str, Any] | None, n: int) -> dict[str, np.ndarray]:
    made = {name: plain_array(value) for name, value in (extra or {}).items()}
    for name, value in made.items():
        if len(value) != n:
            raise InputError(f"extra input {name!r} has {len(value)} rows, x has {n}.")
    return made


def _affine_of(x: Any, cells: np.ndarray, form: Form) -> np.ndarray | None:
    """The affine that volumes carry; that of a picture says nothing of three axes"""
    affine = affine_of(x) if cells.ndim - (form.channels is not None) == 4 else None
    return None if affine is None else checked_affine(affine, len(cells))


def _names_of(model: Any, features: tuple[int, ...]) -> tuple[str, ...] | None:
    """Column names that the model remembers, for arrays of that width."""
    names = used_columns(model)
    return tuple(names) if names is not None and features == (len(names),) else None
