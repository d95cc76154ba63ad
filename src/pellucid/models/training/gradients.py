"""A network as its training sees it: losses, per-example gradients and curvature, in the parameters that are asked about.

Parameters are handed to the network by value (`torch.func`), so the user's module is never written to, and a checkpoint is another
point theta, not another module. Gradients of a batch are computed at once (`vmap`); where a network decides by the data and
cannot be vectorised, one example after the other, which the notes say. Outside, theta is one vector of P numbers in float64.
"""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vjp, vmap

from pellucid.core.budget import Meter
from pellucid.core.errors import InputError, MethodError, ModelError
from pellucid.core.scalar import pieces
from pellucid.models.training.layers import Sides, Watching, gradients
from pellucid.models.training.losses import Loss
from pellucid.models.training.samples import Batch, Samples

Task = Callable[[Any, Batch], Tensor]

_CELLS = 2**24  # numbers of per-example gradients held at once
_ROWS = 512  # examples of one batch at most
_DIRECTIONS = 64  # directions of one curvature product


class Asked(nn.Module):
    """A task with its model as one module, so that parameters can be handed to both by value."""

    def __init__(self, model: nn.Module, task: Task) -> None:
        super().__init__()
        self.model = model
        self.task = task

    def forward(self, batch: Batch) -> Tensor:
        return self.task(self.model, batch)


class _Outputs(nn.Module):
    """What the network says, before any loss."""

    def __init__(self, model: nn.Module, task: Loss) -> None:
        super().__init__()
        self.model, self._task = model, task

    def forward(self, batch: Batch) -> Tensor:
        return self._task.outputs(self.model, batch)


class Training:
    """`task` at the training examples, `measurement` at the queries, at one point theta of the chosen parameters."""

    def __init__(
        self,
        model: nn.Module,
        train: Samples,
        query: Samples,
        task: Task,
        measurement: Task,
        parameters: tuple[str, ...] | None,
        meter: Meter,
    ) -> None:
        self.model, self.meter, self.notes = model, meter, list[str]()
        self.train, self.query = train, query
        self.n, self.q = train.n, query.n
        self.names = chosen_names(model, parameters)
        self._asked = {"train": Asked(model, task), "query": Asked(model, measurement)}
        self._shapes = [dict(model.named_parameters())[name].shape for name in self.names]
        self._state: Mapping[str, Tensor] = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        self.task = task
        self.checkpoints: list[tuple[Mapping[str, Tensor], float]] = []
        self.factors: Any = None  # where a method may keep what it knows of the curvature
        self._vectorised = True
        for of in ("train", "query"):
            self._check(of)

    @property
    def size(self) -> int:
        """P"""
        return sum(shape.numel() for shape in self._shapes)

    @property
    def rows_at_once(self) -> int:
        """Examples whose gradients are held together."""
        return max(1, min(_ROWS, _CELLS // self.size))

    @contextlib.contextmanager
    def at(self, state: Mapping[str, Tensor]) -> Iterator[None]:
        """Inside, theta and everything else of the network are those of another state."""
        before, self._state = self._state, state
        try:
            yield
        finally:
            self._state = before

    def losses(self, of: str) -> np.ndarray:
        """(n,) or (q,) what task or measurement says of each example"""
        theta, found = self._theta(), []
        for rows in self._blocks(of, _ROWS):
            with torch.no_grad():
                found.append(self._loss(of)(theta, self._take(of, rows)).double().cpu().numpy())
            self.meter.add(forward=len(rows))
        return _finite(np.concatenate(found), "losses")

    def blocks(self, of: str) -> Iterator[np.ndarray]:
        """Numbers of examples (b,), block by block, whose gradients fit in memory."""
        return self._blocks(of, self.rows_at_once)

    def gradients(self, of: str, rows: np.ndarray) -> np.ndarray:
        """(b, P) the gradient of each example's loss"""
        theta, batch = self._theta(), self._take(of, rows)
        made = self._by_vmap(of, theta, batch) if self._vectorised else None
        made = self._one_by_one(of, theta, batch) if made is None else made
        self.meter.add(forward=len(rows), backward=len(rows))
        return _finite(made.double().cpu().numpy(), "gradients")

    def sides(self, of: str, rows: np.ndarray, layer: str) -> tuple[np.ndarray, np.ndarray]:
        """What makes a linear layer's gradients: its inputs (b, d), with a 1 for the bias, and the slopes at its outputs (b, c)"""
        module, seen = self._linear(layer), list[Tensor]()

        def cut(_: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
            leaf = out.detach().requires_grad_()
            seen.extend((given[0].detach(), leaf))
            return leaf

        handle = module.register_forward_hook(cut)
        try:
            loss = functional_call(self._asked[of], self._named(), (self._take(of, rows),))
        finally:
            handle.remove()
        if len(seen) != 2 or seen[0].shape != (len(rows), module.in_features):
            met = f"{len(seen) // 2} times" if len(seen) != 2 else f"on inputs {tuple(seen[0].shape)}"
            raise ModelError(
                f"layer {layer!r} runs {met} for {len(rows)} examples: expected once, on ({len(rows)}, {module.in_features}). "
                f"Name another layer, or its parameters, as in TracIn(parameters=('{layer}.*',))."
            )
        slope = torch.autograd.grad(loss.sum(), seen[1])[0]
        self.meter.add(forward=len(rows), backward=len(rows))
        a = seen[0].double().cpu().numpy()
        a = a if module.bias is None else np.hstack([a, np.ones((len(a), 1))])
        return _finite(a, "inputs"), _finite(slope.double().cpu().numpy(), "gradients")

    def _linear(self, layer: str) -> nn.Linear:
        known = {name: module for name, module in self.model.named_modules() if isinstance(module, nn.Linear)}
        if layer not in known:
            raise MethodError(f"the model has no linear layer {layer!r}; it has {', '.join(known) or 'none'}.")
        return known[layer]

    def _named(self) -> dict[str, Tensor]:
        return {f"model.{name}": value.detach() for name, value in self._state.items()}

    def layered(self, of: str, rows: np.ndarray) -> Sides:
        """Gradients of each example's loss, as a (b, t, d) and g (b, t, c) of every layer"""
        own, watch = self._leaves(len(rows))
        with watch:
            loss = functional_call(self._asked[of], own, (self._take(of, rows),))
        self.meter.add(forward=len(rows), backward=len(rows))
        return gradients(watch.uses, loss.sum())

    def roots(self, rows: np.ndarray, draws: int | None, rng: np.random.Generator) -> Iterator[Sides]:
        """The same of each root of the Gauss-Newton matrix of some training examples: the sum over what is handed out of
        the squares of gradients is that matrix, in expectation where the roots are mixed at random into `draws` (None: all)."""
        task, batch = self.task, self._take("train", rows)
        if not isinstance(task, Loss):
            yield self.layered("train", rows)
            return
        own, watch = self._leaves(len(rows))
        with watch:
            outputs = functional_call(_Outputs(self.model, task), own, (batch,))
        R = task.roots(outputs.detach())  # (k, b, c)
        if draws is not None:
            signs = torch.from_numpy(rng.choice([-1.0, 1.0], (draws, *R.shape[:2]))).to(R)
            R = torch.einsum("dkb,kbc->dbc", signs, R) / draws**0.5
        self.meter.add(forward=len(rows), backward=len(rows) * len(R))
        for i, root in enumerate(R):
            yield gradients(watch.uses, (outputs * root).sum(), keep=i + 1 < len(R))

    def _leaves(self, examples: int) -> tuple[dict[str, Tensor], Watching]:
        """The state with the chosen parameters as leaves of a graph, and a watch on them."""
        own = self._named()
        for name in self.names:
            own[f"model.{name}"] = own[f"model.{name}"].clone().requires_grad_()
        return own, Watching({id(own[f"model.{name}"]): name for name in self.names}, examples)

    def curvature(self, V: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """V (P, k) -> H V (P, k), H the Hessian of the mean loss of some training examples (None: all)"""
        theta, chosen = self._theta(), np.arange(self.n) if rows is None else rows
        loss, directions = self._loss("train"), torch.from_numpy(V.T.copy()).to(theta)
        total = torch.zeros(V.shape[::-1], dtype=torch.float64)
        for part in pieces(len(chosen), _ROWS):
            batch = self._take("train", chosen[part])
            back: Any = vjp(grad(_summed(loss, batch)), theta)[1]  # the Hessian is symmetric
            for some in pieces(len(directions), _DIRECTIONS):
                total[some] += vmap(back)(directions[some])[0].double().cpu()
            self.meter.add(forward=len(batch[0]), backward=len(batch[0]) * V.shape[1])
        return _finite(total.numpy().T / len(chosen), "curvatures")

    def hessian(self) -> np.ndarray:
        """(P, P) of the mean training loss"""
        made = self.curvature(np.eye(self.size))
        return np.asarray((made + made.T) / 2)

    def theta(self) -> np.ndarray:
        """(P,)"""
        return self._theta().double().cpu().numpy()

    def _theta(self) -> Tensor:
        return torch.cat([self._state[name].detach().reshape(-1) for name in self.names])

    def _loss(self, of: str) -> Callable[[Tensor, Batch], Tensor]:
        """(theta (P,), batch) -> (b,)"""
        others = {f"model.{name}": value.detach() for name, value in self._state.items() if name not in self.names}
        sizes = [shape.numel() for shape in self._shapes]

        def loss(theta: Tensor, batch: Batch) -> Tensor:
            parts = zip(self.names, theta.split(sizes), self._shapes, strict=True)
            own = {f"model.{name}": part.view(shape) for name, part, shape in parts}
            made: Tensor = functional_call(self._asked[of], {**others, **own}, (batch,))
            return made

        return loss

    def _by_vmap(self, of: str, theta: Tensor, batch: Batch) -> Tensor | None:
        """(b, P), or None where the network cannot be vectorised"""
        loss = self._loss(of)

        def one(theta: Tensor, *parts: Tensor) -> Tensor:
            return loss(theta, tuple(part[None] for part in parts))[0]

        try:
            made: Tensor = vmap(grad(one), in_dims=(None, *[0] * len(batch)))(theta, *batch)
        except RuntimeError as error:
            if "vmap" not in str(error) and "functorch" not in str(error):
                raise
            self._vectorised = False
            self.notes.append("this network cannot be vectorised over examples: gradients were taken one by one")
            return None
        return made

    def _one_by_one(self, of: str, theta: Tensor, batch: Batch) -> Tensor:
        loss, found = self._loss(of), []
        for i in range(len(batch[0])):
            leaf = theta.detach().clone().requires_grad_()
            value = loss(leaf, tuple(part[i : i + 1] for part in batch))[0]
            found.append(torch.autograd.grad(value, leaf)[0])
        return torch.stack(found)

    def _take(self, of: str, rows: np.ndarray) -> Batch:
        return (self.train if of == "train" else self.query).take(rows)

    def _blocks(self, of: str, size: int) -> Iterator[np.ndarray]:
        n = self.n if of == "train" else self.q
        return (np.arange(n)[part] for part in pieces(n, size))

    def _check(self, of: str) -> None:
        """One loss a row, that depends on the parameters."""
        who, rows = ("task" if of == "train" else "measurement"), np.arange(min(2, self.n if of == "train" else self.q))
        theta = self._theta().requires_grad_()
        made = self._loss(of)(theta, self._take(of, rows))
        if not isinstance(made, Tensor) or tuple(made.shape) != (len(rows),):
            shape = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise InputError(
                f"{who}(model, batch) returned {shape} for {len(rows)} examples: expected one number each, ({len(rows)},); losses "
                "of torch give them with reduction='none'."
            )
        if not made.requires_grad:
            raise ModelError(
                f"{who} does not depend on {', '.join(self.names[:3])}: is there a detach, no_grad or argmax on the way?"
            )
        self.meter.add(forward=len(rows))


def chosen_names(model: nn.Module, patterns: tuple[str, ...] | None) -> tuple[str, ...]:
    """The parameters that match one of the patterns ("head.*"), in the model's own order; None takes all."""
    known = [name for name, parameter in model.named_parameters() if parameter.is_floating_point()]
    found = [name for name in known if patterns is None or any(fnmatch.fnmatchcase(name, p) for p in patterns)]
    if not found:
        some = ", ".join(known[:8]) or "none"
        raise MethodError(f"parameters={patterns!r} match none of the model's parameters; it has {some}.")
    return tuple(found)


def _summed(loss: Callable[[Tensor, Batch], Tensor], batch: Batch) -> Callable[[Tensor], Tensor]:
    return lambda theta: loss(theta, batch).sum()


def _finite(values: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ModelError(
            f"the {what} of some examples are NaN or infinite: check the data, the loss and the parameters."
        )
    return values
