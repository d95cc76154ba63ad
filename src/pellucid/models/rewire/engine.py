"""The function mode that puts backward rules in the place of torch functions.

A call is of interest when gradients flow through it (a *live* input, and gradients switched on). It is then opened into its
parts, or handed to the rule of its name, or left alone because its own gradient is right. A call that no table knows
raises, or is listed, so nothing runs unnoticed; and whatever reached the autograd graph without a call (scripted code,
custom functions) is found by comparing the finished graph with the nodes that calls have made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from pellucid.core.errors import ModelError
from pellucid.models.rewire.functions import canonical, exchanged, lives, names, opened, out_of_place, tensors_of
from pellucid.models.rewire.ledger import Ledger
from pellucid.models.rewire.memory import Keeper, Marks, Tape

VJP = Callable[..., tuple[Tensor | None, ...]]


class _Bent(torch.autograd.Function):
    """A value with a backward pass of our choice.

    The value travels in a list, so that it is no view of an argument, and is told from its base if it is a view of another
    tensor: autograd lets nobody write into views that such a function returns.
    """

    @staticmethod
    def forward(ctx: Any, vjp: VJP, gate: bool, value: list[Tensor], *live: Tensor) -> Tensor:
        ctx.vjp, ctx.gate = vjp, gate
        made = value.pop()
        return made.data if made._is_view() else made

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> tuple[Tensor | None, ...]:
        vjp, ctx.vjp = ctx.vjp, None
        return (None, None, None, *vjp(*cotangents))


@dataclass(eq=False)
class Call:
    """One call with live tensors; `before` holds the same tensors in the reference pass, where there was one."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    mode: Rewiring
    before: list[Tensor] | None = None
    tensors: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.tensors = list(tensors_of(self.args, self.kwargs))

    @property
    def live(self) -> list[int]:
        """The positions of the live tensors."""
        return [i for i, tensor in enumerate(self.tensors) if lives(tensor)]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        return self.args[position] if position < len(self.args) else self.kwargs.get(name, default)

    def run(self, tensors: list[Tensor]) -> Any:
        """The function on other tensors in the places of its own."""
        new = iter(tensors)
        return self.function(*exchanged(self.args, new), **exchanged(self.kwargs, new))

    def with_one(self, i: int) -> Callable[[Tensor], Any]:
        """The function of its i-th tensor alone."""
        return lambda x: self.run([x if j == i else other for j, other in enumerate(self.tensors)])

    def gradients(self, at: list[Tensor], wanted: list[int], g: Tensor) -> list[Tensor]:
        """The function's own cotangents of some of its tensors, at other values of all of them."""
        with torch.enable_grad():
            leaves = [t.detach().requires_grad_(i in wanted) for i, t in enumerate(at)]
            return list(torch.autograd.grad(self.run(leaves), [leaves[i] for i in wanted], g))

    def plain(self) -> Any:
        """The function itself, with its own gradient."""
        return self.function(*self.args, **self.kwargs)

    def value(self) -> Any:
        """The function's value, without a graph."""
        with torch.no_grad():
            return self.plain()

    def bend(self, value: Tensor, vjp: VJP, gate: bool = False) -> Tensor:
        """`value`, whose cotangent `vjp` turns into those of the live tensors."""
        return bend(value, vjp, *(self.tensors[i] for i in self.live), gate=gate)


def bend(value: Tensor, vjp: VJP, *live: Tensor, gate: bool = False) -> Tensor:
    """`value` as a function of `live` whose backward pass is `vjp`."""
    return _Bent.apply(vjp, gate, [value], *live)


@dataclass(frozen=True)
class Rule:
    """How one function is passed backwards; `taped` says whether a call needs what it read in the reference pass.

    A call that does not is the same in both passes.
    """

    apply: Callable[[Call], Any]
    taped: Callable[[Call], bool] = lambda call: False


@dataclass(frozen=True, eq=False)
class Table:
    """Rules by canonical name; functions in `passed` keep their own gradient (None: all the others do).

    `parts` rewrites primitives (fused attention, recurrent layers) in terms of smaller ones.
    """

    rules: Mapping[str, Rule]
    passed: frozenset[str] | None = None
    parts: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    unruled: str = "error"

    def rule(self, call: Call) -> Rule | None:
        """The rule of this call, if it has one."""
        return self.rules.get(call.name)

    def begin(self, mode: Rewiring, x: Tensor) -> None:
        """Called with the input before the network runs."""

    def aside(self, mode: Rewiring, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Called after a function that no gradient flows through."""

    def close(self, mode: Rewiring, picked: Tensor) -> Tensor:
        """Called with the score after the network has run; -> the score"""
        return picked


class Rewiring(TorchFunctionMode):
    """One pass through a network: the reference pass, which only records, or the pass whose gradient is asked for."""

    def __init__(self, table: Table, tape: Tape | None = None, *, recording: bool = False) -> None:
        super().__init__()
        self.table, self.tape, self.recording = table, tape, recording
        self.keeper, self.marks = Keeper(), Marks()
        self.ledger: Ledger | None = None  # of relevance that layers keep to themselves
        self.unruled: dict[str, None] = {}
        self.met: set[str] = set()
        self._nodes: set[Any] = set()
        self._open: list[Any] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name, writes = canonical(function)
        for target in tensors_of(args[:1], {} if args else kwargs) if writes else ():
            self.keeper.before_write(target)
        if not torch.is_grad_enabled() or not any(map(lives, tensors_of(args, kwargs))):
            out = function(*args, **kwargs)
            self.table.aside(self, args, kwargs, out)
            return out
        if kwargs.get("out") is not None:
            raise ModelError(
                f"the network calls {name} with out=, which no backward pass can follow: assign its result."
            )
        parts = self._parts(function, name, writes)
        if parts is None:
            return self._primitive(Call(name, function, args, kwargs, self), writes)
        self._open.append(function)
        try:
            with self:
                return parts(*args, **kwargs)
        finally:
            self._open.pop()

    def _parts(self, function: Any, name: str, writes: bool) -> Callable[..., Any] | None:
        """What to run in the place of a function that consists of others; None for a primitive.

        Some primitives report themselves under the name of their Python wrapper: a function met inside itself is one.
        """
        if function in self._open:
            return None
        return opened(function) or (None if writes else self.table.parts.get(name))

    def _primitive(self, call: Call, writes: bool) -> Any:
        self.met.add(call.name)
        rule, above = self.table.rule(call), {t.grad_fn for t in call.tensors}
        if rule is None:
            out = self.own(call)
        elif writes:
            out = self._written(call, rule)
        else:
            out = self._ruled(call, rule)
        if not self.recording:
            self._note(out, above)
        return out

    def own(self, call: Call) -> Any:
        """A call without a rule: right as it is, or unknown."""
        out = call.plain()
        passed = self.table.passed
        if passed is not None and call.name not in passed and any(map(lives, tensors_of((out,), {}))):
            self.without_rule(call.name)
        return out

    def _ruled(self, call: Call, rule: Rule) -> Any:
        if not rule.taped(call):
            return rule.apply(call)
        if self.recording:
            self._tape().record(call.name, call.tensors, self.keeper)
            return call.plain()
        call.before = self._tape().take(call.name, call.tensors)
        return rule.apply(call)

    def _written(self, call: Call, rule: Rule) -> Any:
        """A call in place runs out of place, and its result is copied back."""
        target, call.function = call.tensors[0], out_of_place(call.function)
        out = self._ruled(call, rule)
        self.keeper.before_write(target)
        if not lives(out) and not target._is_view():
            target.detach_()  # what a rule holds constant stays constant
        target.copy_(out)
        self.marks.move(out, target)
        return target

    def _tape(self) -> Tape:
        assert self.tape is not None, "a rule that needs a reference was run without one"
        return self.tape

    def without_rule(self, name: str) -> None:
        """Note a function that no rule knows: an error, unless the caller takes its own gradient."""
        if self.table.unruled == "error":
            raise ModelError(
                f"there is no backward rule for {name}, which this network runs: write that step with functions that have one, "
                "pass unruled='gradient' to use its own gradient (the receipt then lists it), or use IntegratedGradients()."
            )
        self.unruled[name] = None

    def _note(self, out: Any, stop: set[Any]) -> None:
        """Remember the graph nodes of a call's outputs, down to those of its inputs."""
        stack = [t.grad_fn for t in tensors_of((out,), {}) if t.grad_fn is not None]
        while stack:
            node = stack.pop()
            if node not in stop and node not in self._nodes:
                self._nodes.add(node)
                stack.extend(above for above, _ in node.next_functions if above is not None)

    def audit(self, picked: Tensor) -> None:
        """After the forward pass: what is in the graph of `picked` without a call that made it."""
        if self.tape is not None:
            self.tape.check_empty()
        for node in _graph(picked):
            name = node.name().partition("Backward")[0]
            if node not in self._nodes and name not in _HARMLESS:
                self.without_rule(f"{name} (run by scripted or compiled code, vmap, or a custom autograd function)")
        self._nodes.clear()


# Nodes that are ours, or autograd's: leaves, the copy of the input, views made anew after their base was written to.
_HARMLESS = names(
    """
    _Bent torch::autograd::AccumulateGrad torch::autograd::CopySlices Clone AsStrided View Slice Select
    Transpose Permute Unsqueeze Squeeze Expand T Alias Split Unbind Diagonal Narrow UnsafeView ViewAs Unfold
    """
)


def _graph(picked: Tensor) -> Iterator[Any]:
    """Every node above a tensor, once."""
    seen, stack = set(), [picked.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        stack.extend(above for above, _ in node.next_functions)
