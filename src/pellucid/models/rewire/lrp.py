"""Layer-wise relevance propagation through whole networks.

Bach et al., "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation" (2015). The
score is handed back layer by layer; each function divides the relevance of its output among its inputs:

    linear layers       by the chosen rule (`recipes`)
    activations         output over input: relevance passes unchanged
    products            an equal share for each factor; norms and divisors are constants
    maximum             all to the winner
    added constants     absorb their part, which the ledger counts

Attention, two ways: "CP-LRP" (Ali et al. 2022) holds softmax weights and sigmoid gates constant, so relevance flows through
the values only and is conserved; "AttnLRP" (Achtibat et al. 2024) lets half of each product go to the weights and takes the
softmax's own gradient, whose part is not conserved: the gap shows it.

Cotangents are relevance divided by value, as everywhere here, down to the first function that does more than rearrange,
shift or scale the input: from there to the input they are relevance itself, so that first-layer rules can give relevance
where the input is zero, and normalising the input inside the network changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from pellucid.core.errors import ModelError
from pellucid.models.rewire.conditional import CONDITIONAL, check_statistics
from pellucid.models.rewire.engine import Call, Rewiring, Rule, Table, bend
from pellucid.models.rewire.functions import LINEAR, MULTILINEAR, canonical, exchanged, names, tensors_of
from pellucid.models.rewire.ledger import Ledger
from pellucid.models.rewire.linear import CONVOLUTIONS, LAYERS, Layer, folded, layer_of
from pellucid.models.rewire.lrp_functions import OWN_GRADIENT, RULES, affine, is_gate, ledger
from pellucid.models.rewire.parts import PARTS
from pellucid.models.rewire.recipes import FIRST_ONLY, Epsilon, LayerRule
from pellucid.models.rewire.relevance import shares, spread

FIRST_LAYER = "(first layer)"  # noted among the functions met, when a layer reads the input itself

_LEARNED = object()  # marks constants that the network has learned
_VIEWS = names(
    """
    reshape reshape_as view view_as flatten ravel unflatten squeeze unsqueeze transpose t T mT H mH adjoint
    permute movedim moveaxis swapaxes swapdims expand expand_as broadcast_to contiguous clone alias to type
    type_as float double half bfloat16 cpu cuda narrow select split split_with_sizes unsafe_split
    unsafe_split_with_sizes chunk unsafe_chunk tensor_split unbind getitem index_select roll flip fliplr
    flipud rot90 repeat repeat_interleave tile unfold im2col pixel_shuffle pixel_unshuffle channel_shuffle
    atleast_1d atleast_2d atleast_3d constant_pad_nd pad dropout requires_grad
    """
)
_SHIFTS = names("add sub rsub mul div neg negative")


@dataclass(frozen=True, eq=False)
class _Raw:
    """Marks the input, and what is only a rearrangement, shift or scaling of it; `present` is 0 where padding was added."""

    present: Tensor


@dataclass(frozen=True, eq=False)
class _Read:
    """A layer as it was read: with its own graph, z = layer(u), where u is x in gradient units."""

    layer: Layer
    raw: _Raw | None
    u: Tensor
    z: Tensor


@dataclass(frozen=True, eq=False)
class Relevance(Table):
    """The table of LRP: which rule a linear layer gets by its kind and place, and how attention is treated."""

    dense: LayerRule = field(default_factory=Epsilon)
    conv: LayerRule = field(default_factory=Epsilon)
    first: LayerRule | None = None
    gates_are_constant: bool = True

    def begin(self, mode: Rewiring, x: Tensor) -> None:
        mode.marks.put(x, _Raw(torch.ones_like(x)))
        mode.ledger = Ledger(len(x))

    def aside(self, mode: Rewiring, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        if any(_learned(mode, t) for t in tensors_of(args, kwargs)):
            for tensor in tensors_of((out,), {}):
                mode.marks.put(tensor, _LEARNED)

    def close(self, mode: Rewiring, picked: Tensor) -> Tensor:
        """A score that is only a rearrangement of the input."""
        return _in_gradient_units(picked) if isinstance(mode.marks.get(picked), _Raw) else picked

    def rule(self, call: Call) -> Rule | None:
        if any(_raw(call, call.tensors[i]) for i in call.live):
            if canonical(call.function)[1] and call.tensors[0]._is_view():
                raise ModelError(
                    f"the network writes into a part of its input ({call.name}): let it work on a copy, x.clone()."
                )
            return Rule(self._border)
        return self._inner(call)

    def _inner(self, call: Call) -> Rule | None:
        if call.name in LAYERS and layer_of(call) is not None:
            return Rule(self._layer)
        if call.name == "batch_norm":
            return Rule(self._batch_norm)
        if call.name in MULTILINEAR:
            return Rule(self._product) if len(call.live) > 1 else self.rules.get(call.name)
        return self.rules.get(call.name)

    def _border(self, call: Call) -> Any:
        """A function of the input itself: look through it, let a layer read it, or leave relevance units here."""
        if call.name in _VIEWS and len(call.live) == 1:
            return _viewed(call)
        if call.name in _SHIFTS and _shifts(call):
            out = call.bend(call.value(), lambda r: (r,))
            call.mode.marks.put(out, _raw(call, call.tensors[call.live[0]]))
            return out
        if call.name in LAYERS and layer_of(call) is not None:
            return self._layer(call)
        inner = _left(call)
        rule = self._inner(inner)
        return call.mode.own(inner) if rule is None else rule.apply(inner)

    def _layer(self, call: Call) -> Tensor:
        layer = layer_of(call)
        assert layer is not None
        raw = _raw(call, layer.x)
        inner = call if raw is None else _left(call)
        within = layer_of(inner)
        assert within is not None
        return self._through(call, _Read(layer, raw, within.x, inner.plain()))

    def _batch_norm(self, call: Call) -> Tensor:
        """Folded into the layer before it, or a scale and a shift."""
        check_statistics(call)
        read = call.mode.marks.get(call.args[0])
        layer = folded(call, read.layer) if isinstance(read, _Read) else None
        if layer is None:
            return affine(call)
        return self._through(call, replace(read, layer=layer, z=call.run([read.z, *call.tensors[1:]])))

    def _rule_of(self, layer: Layer, raw: _Raw | None, mode: Rewiring) -> LayerRule:
        if raw is not None:
            mode.met.add(FIRST_LAYER)
            if self.first is not None:
                return self.first
        return self.conv if layer.name in CONVOLUTIONS else self.dense

    def _through(self, call: Call, read: _Read) -> Tensor:
        """z = layer(x), passed backwards by the rule of the layer's kind and place."""
        layer, raw = read.layer, read.raw
        rule = self._rule_of(layer, raw, call.mode)
        book, x, z = ledger(call), call.mode.keeper.keep(layer.x), call.mode.keeper.keep(read.z)
        above, below = (book.axis(t.shape, spatial=layer.name in CONVOLUTIONS) for t in (read.z, layer.x))

        def shared(g: Tensor) -> tuple[Tensor | None, ...]:
            leaf = x.get().detach().requires_grad_()
            made = shares(rule, layer, leaf, z.get(), g)
            if made.kept is not None:
                book.add(made.kept, above)
            return made.whole, made.of_input(leaf)

        def spread_out(g: Tensor) -> tuple[Tensor]:
            relevance = g * z.get()
            made = spread(rule, layer, x.get(), raw.present, relevance)  # type: ignore[union-attr]
            book.add(relevance, above)
            book.add(made, below, -1)
            return (made,)

        value = read.z.detach()
        out = bend(value, spread_out, layer.x) if isinstance(rule, FIRST_ONLY) else bend(value, shared, read.z, read.u)
        call.mode.marks.put(out, read)
        return out

    def _product(self, call: Call) -> Tensor:
        """Equal shares for the factors; under CP-LRP gates get none, if something else is there to take it."""
        factors = call.live
        if self.gates_are_constant:
            free = [i for i in factors if not is_gate(call.tensors[i])]
            factors = free or factors
        kept = [call.mode.keeper.keep(t) for t in call.tensors]

        def vjp(g: Tensor) -> tuple[Tensor | None, ...]:
            made = call.gradients([k.get() for k in kept], factors, g / len(factors))
            return tuple(dict(zip(factors, made, strict=True)).get(i) for i in call.live)

        return call.bend(call.value(), vjp)


def _raw(call: Call, x: Tensor) -> _Raw | None:
    fact = call.mode.marks.get(x)
    return fact if isinstance(fact, _Raw) else None


def _learned(mode: Rewiring, constant: Tensor) -> bool:
    """Whether a tensor is a parameter, or was made from one (an embedding of positions)."""
    return isinstance(constant, nn.Parameter) or mode.marks.get(constant) is _LEARNED


def _left(call: Call) -> Call:
    """The same call on inputs whose cotangents come in gradient units, where those of the input itself are relevance."""
    new = iter([t if _raw(call, t) is None else _in_gradient_units(t) for t in call.tensors])
    return Call(call.name, call.function, exchanged(call.args, new), exchanged(call.kwargs, new), call.mode)


def _in_gradient_units(x: Tensor) -> Tensor:
    value = x.detach()
    return bend(value, lambda g: (g * value,), x)


def _viewed(call: Call) -> Any:
    """A rearrangement of the input, which is still the input."""
    (i,) = call.live
    raw = _raw(call, call.tensors[i])
    assert raw is not None
    if call.name in CONDITIONAL:
        CONDITIONAL[call.name].apply(call)
    out, present = call.plain(), call.with_one(i)(raw.present)
    for tensor, there in zip(tensors_of((out,), {}), tensors_of((present,), {}), strict=True):
        call.mode.marks.put(tensor, _Raw(there))
    return out


def _shifts(call: Call) -> bool:
    """Whether this adds a given constant to the input or scales it by one; what the network has learned is no mere scaling."""
    if len(call.live) != 1 or any(_learned(call.mode, t) for t in call.tensors):
        return False
    divides = call.name == "div" and call.args[0] is not call.tensors[call.live[0]]
    return not divides and call.value().shape == call.tensors[call.live[0]].shape


def table(dense: LayerRule, conv: LayerRule, first: LayerRule | None, *, cp: bool, unruled: str = "error") -> Relevance:
    """LRP with these rules for linear layers, and CP-LRP's or AttnLRP's way through attention and gates."""
    return Relevance(
        RULES,
        LINEAR | OWN_GRADIENT | MULTILINEAR,
        PARTS,
        unruled=unruled,
        dense=dense,
        conv=conv,
        first=first,
        gates_are_constant=cp,
    )
