"""Torch modules: the number, its gradients, its inner layers, and the promise to leave the module as found.

Everything that touches the user's module is a context manager that restores in `finally`. Parameters are frozen for the
run, so a backward pass costs only what leads to the input (or to the layer that is looked at).
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pellucid.core.budget import Meter
from pellucid.core.errors import ModelError
from pellucid.core.inputs import plain_array
from pellucid.core.scalar import Captured, Rewired, finite, floats, fold, pieces, widen
from pellucid.models.adapter import Adapter, BlackBox, Extra, Inputs, LooksAt, columns
from pellucid.models.layers import Layer, candidates, gradient, searching, upsample, watching
from pellucid.models.rewire.run import rewired


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, frozen parameters, gradients on, torch's random state seeded; everything restored at the end."""
    modes = [(module, module.training) for module in model.modules()]
    needed = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    recurrent = any(isinstance(module, nn.RNNBase) for module, _ in modes)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.inference_mode(False),
            torch.enable_grad(),
            # fused recurrent kernels refuse a backward pass in evaluation mode
            torch.backends.cudnn.flags(enabled=torch.backends.cudnn.enabled and not recurrent),
        ):
            torch.manual_seed(0)
            for module, _ in modes:
                module.training = False
            for parameter, _ in needed:
                parameter.requires_grad_(False)
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, need in needed:
            parameter.requires_grad_(need)


class TorchAdapter(Adapter):
    """An `nn.Module`, fed in its own dtype on its own device."""

    kind = "torch"
    packages: tuple[str, ...] = ("torch",)
    scales: tuple[str, ...] = ("raw", "probability")
    batch_rows = 1024

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        held = [*model.parameters(), *model.buffers()]
        floating = [p for p in held if p.is_floating_point()]
        self.dtype = floating[0].dtype if floating else None
        self.reads_ids = any(isinstance(m, nn.Embedding | nn.EmbeddingBag) for m in model.modules())
        self.device = next((p.device for p in held), torch.device("cpu"))
        if self.device.type == "cpu":
            self.batch_cells = 2**20  # about 7 pictures of 224 x 224: larger batches leave the cache and get slower

    def cells(self, x: np.ndarray) -> np.ndarray:
        """Whole numbers as the floats that the network is fed, unless it looks ids up."""
        whole = x.dtype.kind in "iub" and self.dtype is not None and not self.reads_ids
        return x.astype(np.result_type(x.dtype, np.float32)) if whole else x

    def channels(self, x: np.ndarray) -> int | None:
        return 1 if x.ndim > 2 else None

    def tensor(self, values: np.ndarray) -> Tensor:
        """Floats in the model's dtype; integers (token ids, masks) as they are."""
        made = torch.tensor(values, device=self.device)
        return made.to(self.dtype) if self.dtype is not None and made.is_floating_point() else made

    def input(self, x: np.ndarray) -> Tensor:
        """The main input: whole numbers become floats too, unless the model looks ids up."""
        made = self.tensor(x)
        return made if self.dtype is None or self.reads_ids else made.to(self.dtype)

    def place(self, values: np.ndarray) -> Tensor:
        """Numbers of ours on the model's device: double if the model is, else single."""
        if values.dtype == bool:
            return torch.as_tensor(values, device=self.device)
        dtype = torch.float64 if self.dtype == torch.float64 else torch.float32
        return torch.as_tensor(values, dtype=dtype, device=self.device)

    def forward(self, x: np.ndarray | Tensor, scale: str, extra: Extra) -> Tensor:
        """x (b, *features) -> (b, k); an array leaves no graph, a tensor that asks for one does."""
        if not isinstance(x, Tensor):
            with torch.no_grad():
                return self.forward(self.input(x), scale, extra)
        out = self.call(x, extra)
        out = getattr(out, "logits", out)
        if not isinstance(out, Tensor):
            raise ModelError(
                f"the network returned a {type(out).__name__}, not a tensor: wrap it in a module whose forward returns the scores."
            )
        out = out[:, None] if out.ndim == 1 else out
        if scale == "probability":
            return torch.sigmoid(out) if out.shape[1] == 1 else torch.softmax(out, dim=1)
        return out

    def call(self, x: Tensor, extra: Extra) -> Any:
        """x (b, *features) -> what the network itself returns, whatever it is."""
        return self.model(x, **{name: self.tensor(value) for name, value in extra.items()})

    def read(self, x: np.ndarray, extra: Extra) -> tuple[np.ndarray, np.ndarray]:
        """The network reads token ids (b, t) -> which places hold tokens, and which of x's stands at each, -1 for none: (b, T)"""
        self.call(self.input(x), extra)
        mask = extra.get("attention_mask")
        real = np.ones(x.shape, bool) if mask is None else mask > 0
        return real, np.where(real, np.arange(x.shape[1]), -1)

    def fed(self, inputs: Inputs) -> Iterator[Fed]:
        """The rows in batches, as the network takes them."""
        for part in pieces(len(inputs.x), inputs.batch_size or self.batch_size(inputs.x)):
            few = inputs.take(part)
            given = few.extra.get("attention_mask")
            mask = given > 0 if given is not None and given.ndim == 2 else None
            longest = 0 if mask is None else mask.shape[1]
            yield Fed(np.arange(part.start, part.stop), few.x, few.extra, mask, longest)

    def at_embeddings(self, f: TorchScalar) -> TorchAdapter:
        """Of a network on ids: the adapter of the same network on their embeddings, which holds the `lookup`."""
        from pellucid.models.embedding import by_lookup

        return by_lookup(f)

    def scalar(self, pick: Any, scale: str, inputs: Inputs, meter: Meter, kept: Any) -> TorchScalar:
        return TorchScalar(self, pick, scale, inputs, meter, kept)

    def first_pass(
        self, inputs: Inputs, scale: str, meter: Meter, looks_at: LooksAt | None
    ) -> tuple[np.ndarray, list[Glance]]:
        """One pass serves both the outputs and the map, where it is plain which layer that is about."""
        if looks_at is None:
            return super().first_pass(inputs, scale, meter, None)
        parts = pieces(len(inputs.x), inputs.batch_size or self.batch_size(inputs.x))
        few, rows = inputs.take(parts[0]), np.arange(len(inputs.x))
        found, first = self.search(few.x, rows[parts[0]], scale, few.extra, looks_at, meter)
        glances = [first]
        for part in parts[1:]:
            few = inputs.take(part)
            glances.append(self.glance(few.x, rows[part], scale, few.extra, found[0], meter))
        outputs = np.concatenate([plain_array(one.outputs).astype(float) for one in glances])
        return finite(outputs, "outputs"), glances if len(found) == 1 else []

    def search(
        self, x: np.ndarray, rows: np.ndarray, scale: str, extra: Extra, looks_at: LooksAt, meter: Meter
    ) -> tuple[list[Layer], Glance]:
        """x (b, *features) -> the layers that a map may look at, best first, and a look at the first if it is the only one."""
        with searching(self.model, x.ndim, looks_at[0]) as trace:
            outputs = self.run(self.input(x), scale, extra)
        meter.add(forward=len(x))
        found = candidates(trace.met, x, *looks_at)
        if trace.leaf is not None and trace.last == found[0].name:
            return found, Glance(found[0], trace.leaf, outputs, rows)
        if len(found) == 1:
            return found, self.glance(x, rows, scale, extra, found[0], meter)
        return found, Glance(found[0], outputs, outputs, rows)

    def glance(self, x: np.ndarray, rows: np.ndarray, scale: str, extra: Extra, layer: Layer, meter: Meter) -> Glance:
        """x (b, *features) -> what a layer gave, and the outputs (b, k) with the graph between the two"""
        with watching(self.model, layer) as seen:
            outputs = self.run(self.input(x), scale, extra)
        meter.add(forward=len(x))
        return Glance(layer, seen[-1], outputs, rows)

    def wait(self) -> None:
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize()

    def fresh_peak(self) -> Callable[[], int] | None:
        if self.device.type != "cuda":
            return None
        torch.cuda.reset_peak_memory_stats(self.device)
        floor = torch.cuda.memory_allocated(self.device)
        return lambda: int(torch.cuda.max_memory_allocated(self.device) - floor)

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        with super().session(), evaluating(self.model):
            yield


@dataclass(frozen=True, eq=False)
class Fed:
    """A batch as a network takes it: its rows (b,), the main and further inputs, and which tokens are no padding (b, t)."""

    rows: np.ndarray
    x: np.ndarray
    extra: Extra
    mask: np.ndarray | None = None
    longest: int = 0  # tokens of the longest row of all batches


@dataclass(frozen=True, eq=False)
class Glance:
    """A forward pass that looked at a layer: its output there (a leaf), the model's outputs (b, k), the rows (b,)."""

    layer: Layer
    seen: Tensor
    outputs: Tensor
    rows: np.ndarray

    @property
    def activations(self) -> np.ndarray:
        """(b, c, *spatial)"""
        return self.layer.spatial(plain_array(self.seen, float))


@dataclass(eq=False)
class TorchScalar(BlackBox):
    """`Differentiable`: gradients with respect to the input and to inner layers."""

    adapter: TorchAdapter
    kept: list[Glance] = field(default_factory=list)

    def grad(self, x: np.ndarray) -> np.ndarray:
        flat, rows, _ = fold(floats(x), self.inputs.x.shape[1:], len(self.inputs.x))
        slopes = np.empty(flat.shape)
        for part in pieces(len(flat), self.size):
            leaf = self.adapter.tensor(flat[part]).requires_grad_()
            picked = self._picked(leaf, rows[part])
            slopes[part] = plain_array(gradient(picked, leaf, "its input"))
            self.meter.add(forward=len(leaf), backward=len(leaf))
        return finite(slopes, "gradients").reshape(x.shape)

    def blend(self, x: np.ndarray, masks: np.ndarray | Tensor, reference: np.ndarray) -> np.ndarray:
        n, values = len(x), np.empty((len(x), len(masks)))
        on_device, empty = self.adapter.input(x), self.adapter.input(reference)
        with torch.no_grad():
            for part in pieces(len(masks), max(1, self.size // n)):
                shown = widen(masks[part], x.shape[1:], self.channels)
                shown = shown if isinstance(shown, Tensor) else self.adapter.place(shown)
                shown = shown if shown.dtype == torch.bool else shown.to(empty.dtype)
                # chosen, not weighed, where masks are 0/1: exact, and what is hidden may be NaN
                mixed = (
                    torch.where(shown, on_device, empty)
                    if shown.dtype == torch.bool
                    else torch.lerp(empty, on_device, shown)
                )
                mixed = mixed.flatten(0, 1)
                rows = np.tile(np.arange(n), len(shown))
                for piece in pieces(len(rows), self.size):
                    flat = np.arange(len(rows))[piece]
                    picked = plain_array(self._picked(mixed[piece], rows[piece]), float)
                    values[rows[piece], part.start + flat // n] = picked
                    self.meter.add(forward=len(flat))
        return finite(values, "numbers")

    def capture(self, x: np.ndarray, layer: str | None, grid: tuple[int, int] | None = None) -> Captured:
        glances = self._first(x) or self._look(x, (layer, grid))
        space = x.shape[2:]
        return Captured(
            glances[0].layer.name,
            finite(np.concatenate([glance.activations for glance in glances]), "activations"),
            lambda: finite(np.concatenate([self._slopes(glance) for glance in glances]), "gradients"),
            lambda maps: upsample(maps, space),
        )

    def _first(self, x: np.ndarray) -> list[Glance]:
        """What the pass that bound the target kept, if it was on these rows; it can be used once."""
        kept = self.kept if x is self.inputs.x else []
        self.kept = []
        return kept

    def _look(self, x: np.ndarray, looks_at: LooksAt) -> list[Glance]:
        """Looks at all rows of x; the first of them finds the layer."""
        parts = [np.arange(len(x))[part] for part in pieces(len(x), self.size)]
        first = parts[0]
        found, glance = self.adapter.search(x[first], first, self.scale, self.extra(first), looks_at, self.meter)
        if len(found) == 1:
            return [glance, *(self._glance(x, rows, found[0]) for rows in parts[1:])]
        layer = self._choose(x, found)
        return [self._glance(x, rows, layer) for rows in parts]

    def _choose(self, x: np.ndarray, found: list[Layer]) -> Layer:
        """The first layer that the score depends on."""
        for layer in found[:-1]:
            if self._slopes(self._glance(x, np.arange(1), layer)).any():
                return layer
        return found[-1]

    def _glance(self, x: np.ndarray, rows: np.ndarray, layer: Layer) -> Glance:
        return self.adapter.glance(x[rows], rows, self.scale, self.extra(rows), layer, self.meter)

    def _slopes(self, glance: Glance) -> np.ndarray:
        """-> the gradient at the layer, (b, c, *spatial)"""
        picked = self.pick(columns(glance.outputs, self.pick), glance.rows)
        slope = gradient(picked, glance.seen, f"layer {glance.layer.name!r}")
        self.meter.add(backward=len(glance.rows))
        return glance.layer.spatial(plain_array(slope, float))

    def rewired(self, x: np.ndarray, reference: np.ndarray | None, table: Any) -> Rewired:
        return rewired(self, x, reference, table)

    def _picked(self, x: Tensor, rows: np.ndarray) -> Tensor:
        """x (b, *features) on the device, rows (b,) -> (b,), with its graph."""
        out = self.adapter.run(x, self.scale, self.extra(rows))
        picked: Tensor = self.pick(columns(out, self.pick), rows)
        return picked


def randomized(model: nn.Module, depth: int, seed: int = 0, alone: bool = False) -> nn.Module:
    """A copy whose last `depth` layers with parameters have values drawn anew, from the output inwards (Adebayo et al. 2018).

    With `alone` only the layer at that depth is drawn anew, and all others stay as they are.

    Each tensor is redrawn from a normal distribution with its own mean and standard deviation, which works for any layer
    and keeps activations on their scale; a constant tensor gets a standard deviation of 1 / sqrt(fan-in).
    """
    made = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(seed)
    for _, layer in parametrized(made)[::-1][depth - 1 if alone else 0 : depth]:
        for parameter in layer.parameters(recurse=False):
            old = parameter.detach().float().cpu()
            spread = (
                old.std()
                if old.numel() > 1 and old.std() > 0
                else torch.tensor(old[0].numel() ** -0.5 if old.ndim > 1 else 1.0)
            )
            new = torch.randn(old.shape, generator=generator) * spread + old.mean()
            parameter.data.copy_(new.to(parameter.dtype))
    return made


def parametrized(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The layers with parameters of their own, in order of registration."""
    return [(name, m) for name, m in model.named_modules() if next(m.parameters(recurse=False), None) is not None]
