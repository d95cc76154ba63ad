"""The engine of every local explanation: coerce, bind, attribute, account.

One code path for all methods: what differs between them is only what they need of a model, which their base class says.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.core import spelling
from pellucid.core.budget import Budget, Meter, as_budget
from pellucid.core.errors import InputError, MethodError
from pellucid.core.maskers import Nonzero, default_masker
from pellucid.core.masking import Game, Masker
from pellucid.core.method import (
    AttentionMethod,
    GameMethod,
    GradientMethod,
    LayerMethod,
    MaskingMethod,
    Method,
    Neighbourhood,
    Parts,
    SamplingMethod,
    SurrogateMethod,
    TreeMethod,
    differentiate,
)
from pellucid.core.records import Attribution
from pellucid.core.registry import resolve
from pellucid.core.scalar import floats
from pellucid.core.target import Custom
from pellucid.methods.recording import Block, record
from pellucid.models.adapter import BlackBox
from pellucid.models.prepare import Prepared, prepare
from pellucid.models.quick import steady
from pellucid.models.tabular import EstimatorAdapter

_BLOCK_CELLS = 2**24  # numbers of filled input per coalition and block of rows


def explain(
    model: Any,
    x: Any,
    method: Method | str | None = None,
    *,
    target: Any = None,
    background: Any = None,
    masker: Masker | str | None = None,
    names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
    budget: Budget | float | str | None = None,
    batch_size: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Attribution:
    """See `pellucid.api.explain`."""
    ready = prepare(model, x, background=background, names=names, extra=extra, batch_size=batch_size)
    return explained(ready, method, target=target, masker=masker, budget=budget, progress=progress)


def explained(
    ready: Prepared,
    method: Method | str | None,
    *,
    target: Any,
    masker: Masker | str | None,
    budget: Budget | float | str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Attribution:
    """The explanation of one target of a model whose data are prepared."""
    chosen, removal = as_method(method, ready), as_masker(masker)
    if isinstance(chosen, GradientMethod | LayerMethod | AttentionMethod):
        ready = ready.for_gradients()
    meter = Meter(as_budget(budget), progress)
    with _frame(ready, chosen, target):
        looks_at = (chosen.layer, chosen.grid) if isinstance(chosen, LayerMethod) and budget is None else None
        f, scores = ready.bind(target, meter, looks_at)
        if method is None and removal is None:
            chosen = _by_trees(f, scores) or chosen
        blocks = _Run(chosen, f, hiding(chosen, removal, f), meter, scores).blocks()
        return record(ready, chosen, f, scores, blocks, meter)


def _frame(ready: Prepared, method: Method, target: Any) -> contextlib.AbstractContextManager[None]:
    """The frame of a run; none is needed where nobody draws a number, and making it takes longer than reading one row's trees."""
    asked = isinstance(method, TreeMethod) and not (callable(target) or isinstance(target, Custom))
    if asked and isinstance(ready.adapter, EstimatorAdapter) and steady(ready.adapter.model):
        return contextlib.nullcontext()
    return ready.adapter.session()


def as_method(method: Method | str | None, ready: Prepared | None = None) -> Method:
    """A method value of what a user may give: None (a fixed default per kind of model), a spelling, a value."""
    if method is None and ready is not None:
        return _default(ready)
    kinds = (GradientMethod, LayerMethod, AttentionMethod, GameMethod, SamplingMethod, MaskingMethod, TreeMethod)
    says = "does not explain single outputs: `pellucid methods` lists the methods that `explain` takes."
    made: Method = spelling.as_value(method, kinds, says)
    return made


def as_masker(masker: Masker | str | None) -> Masker | None:
    """A masker value, a spelling of one, or None."""
    made = spelling.parse(masker) if isinstance(masker, str) else masker
    if made is not None and not isinstance(made, Masker):
        raise MethodError(
            f"{made!r} is no masker: give Columns(), Baseline(), Grid(), Superpixels() or LabelMap(labels)."
        )
    return made


def hiding(method: Method, masker: Masker | None, f: BlackBox) -> Masker | None:
    """What a method by removal hides: what the caller says, else its own fields, else what the inputs ask for."""
    if f.inputs.form.own is not None:
        return _hiding_sparse(method, masker)
    if isinstance(method, GameMethod):
        return masker or method.masker(f.inputs.x) or default_masker(f.inputs.x, f.inputs.form)
    if isinstance(method, SurrogateMethod):
        on_table = f.inputs.x.ndim == 2 and f.inputs.form.masker is None
        return masker or (None if on_table else default_masker(f.inputs.x, f.inputs.form))
    if masker is not None:
        raise MethodError(f"{type(method).__name__} hides nothing, so it takes no masker: leave masker=None.")
    return None


def _hiding_sparse(method: Method, masker: Masker | None) -> Masker:
    if not isinstance(method, GameMethod | SurrogateMethod):
        raise MethodError(
            f"{type(method).__name__} takes no sparse matrix: use KernelShap(), LIME(), or give x.toarray()."
        )
    if masker is not None and not masker.reads_sparse:
        raise MethodError(
            f"{masker!r} takes no sparse matrix: leave masker=None, or group as in Groups({{...}}, Nonzero())."
        )
    return masker or Nonzero()


def _default(ready: Prepared) -> Method:
    """IntegratedGradients where there are gradients, KernelShap for tables, PartitionShap for language models, else Occlusion.

    Trees are met later, when the target is known (`_by_trees`).
    """
    if ready.adapter.usual_method is not None:
        name = ready.adapter.usual_method
    elif ready.adapter.kind == "torch":
        name = "IntegratedGradients"
    else:
        name = "KernelShap" if ready.inputs.x.ndim == 2 else "Occlusion"
    made: Method = resolve(name)()
    return made


def _by_trees(f: BlackBox, scores: np.ndarray) -> Method | None:
    """TreeShap where a model's trees can be read and the score is a sum of their leaves: the same values, without sampling."""
    from pellucid.methods.shapley.suited import has_sums

    made: Method | None = resolve("TreeShap")() if has_sums(f, scores) else None
    return made


@dataclass(frozen=True, eq=False)
class _Run:
    """One method on one scalar, in blocks of rows: bounded memory, and a budget that leaves whole rows behind."""

    method: Method
    f: BlackBox
    masker: Masker | None
    meter: Meter
    scores: np.ndarray

    def blocks(self) -> list[Block]:
        found: list[Block] = []
        for rows in self._pace(len(self.f.inputs.x)):
            found.append(self._block(rows))
            if not found[-1].done:
                break
        return found

    def _pace(self, total: int) -> Iterator[slice]:
        """Blocks of rows: all that memory allows, or growing from one row while a budget watches."""
        limit = self._room(total)
        watched = not self.method.card.sampled and self.meter.budget != Budget()
        start, size = 0, 1 if watched else limit
        while start < total and size and not (start and self.meter.spent):
            seconds, rows = self.meter.seconds, self.meter.rows_left()
            stop = min(start + size, total)
            yield slice(start, stop)
            start, size = stop, min(2 * size, limit, self._affordable(stop - start, seconds, rows))

    def _affordable(self, rows: int, seconds: float, rows_left: float) -> int:
        """How many rows the rest of the budget pays for at the price of the last block; by the clock at least one."""
        by_clock = by_rows = 2**30
        if self.meter.budget.seconds is not None:
            per_row = (self.meter.seconds - seconds) / rows
            by_clock = max(1, int((self.meter.budget.seconds - self.meter.seconds) / max(per_row, 1e-9)))
        if self.meter.budget.rows is not None:
            by_rows = int(self.meter.rows_left() / max((rows_left - self.meter.rows_left()) / rows, 1e-9))
        return min(by_clock, by_rows)

    def _room(self, total: int) -> int:
        """Rows whose masked inputs, or whose neighbours' scores, fit in memory together."""
        if isinstance(self.method, MaskingMethod):
            return max(1, min(total, _BLOCK_CELLS // (8 * int(np.prod(self.f.inputs.x.shape[1:])))))
        if self.masker is None:
            several = 4 * getattr(self.method, "samples", 1) if isinstance(self.method, SamplingMethod) else 0
            return max(1, min(total, _BLOCK_CELLS // several)) if several else total
        if self.masker.apart:
            return 1
        x = self.f.inputs.x
        draws = 1 if self.f.inputs.background is None else len(self.f.inputs.background)
        return max(1, min(total, _BLOCK_CELLS // (draws * int(np.prod(x.shape[1:])))))

    def _block(self, rows: slice) -> Block:
        f, method = self.f if len(self.f.inputs.x) == rows.stop - rows.start else self.f.take(rows), self.method
        x, background = f.inputs.x, f.inputs.background
        if self.masker is not None:
            bound = self.masker.of(rows).bind(x, background, f.inputs.form)
            if not bound.names:
                return Block(rows, _nothing_to_hide(method, f(x)), bound, self.masker)
            game = Game(f, bound, len(x))
            if _too_dear(method, game):
                return Block(rows, _left_out(game), bound, self.masker, done=False)
            return Block(rows, _play(method, game), bound, self.masker)
        if isinstance(method, TreeMethod) and f.inputs.form.text is not None:
            raise MethodError(f"{type(method).__name__} reads a table's trees, and x holds texts: use KernelShap().")
        if isinstance(method, TreeMethod):
            from pellucid.models.tree.question import ask  # compiled kernels: loaded when the first tree is met

            return Block(rows, method.attribute(ask(f, self.scores[rows])), None, None)
        return Block(rows, self._direct(f, x, background), None, None)

    def _direct(self, f: Any, x: np.ndarray, background: np.ndarray | None) -> Parts:
        method = self.method
        if isinstance(method, SamplingMethod):
            if background is None:
                raise InputError(
                    f"{type(method).__name__} needs background rows: pass background=, for example 100 rows of the training data."
                )
            return method.attribute(f, x, Neighbourhood(background, f.schema), method.stream())
        if isinstance(method, MaskingMethod):
            if f.inputs.form.text is not None:
                raise MethodError(
                    f"{type(method).__name__} masks places of arrays, and x holds texts: use LIME() or KernelShap()."
                )
            return method.attribute(f, x, background=background, rng=method.stream())
        if isinstance(method, AttentionMethod):
            return _by_attention(method, f)
        if not hasattr(f, "grad"):
            raise MethodError(
                f"{type(method).__name__} needs gradients, and this model (kind: {f.adapter.kind}) has none: "
                "use a method that only asks, such as KernelShap() or Occlusion()."
            )
        assert isinstance(method, GradientMethod | LayerMethod)
        if x.dtype.kind in "iu" and f.adapter.reads_ids:
            return _at_embeddings(method, f)
        return differentiate(
            method, f, floats(x) if isinstance(method, GradientMethod) else x, background, method.stream()
        )


def _nothing_to_hide(method: Method, scores: np.ndarray) -> Parts:
    """No player, no value: scores (n,)"""
    nothing = np.empty((len(scores), 0))
    return Parts(nothing, None if isinstance(method, SurrogateMethod) else scores, stderr=nothing)


def _too_dear(method: Method, game: Game) -> bool:
    """Whether a method knows beforehand that the budget cannot pay for a game."""
    price = method.price(game.players) if isinstance(method, GameMethod) else None
    return price is not None and game.affordable(price) < price


def _left_out(game: Game) -> Parts:
    return Parts(np.full((game.rows, game.players), np.nan))


def _play(method: Method, game: Game) -> Parts:
    if isinstance(method, SurrogateMethod):
        return method.play(game, method.stream())
    assert isinstance(method, GameMethod)
    return method.attribute(game, method.stream())


def _by_attention(method: AttentionMethod, f: Any) -> Parts:
    """Ids (n, t) of a network: its attention while it reads them."""
    x = f.inputs.x
    if not hasattr(f, "grad") or not f.adapter.reads_ids or x.dtype.kind not in "iu" or x.ndim != 2:
        raise MethodError(
            f"{type(method).__name__} reads a transformer's attention to tokens, and this model (kind: {f.adapter.kind}) shows "
            "none: give TextModel(model, tokenizer) or CausalLM(model, tokenizer) with texts, or a method that only asks."
        )
    from pellucid.models.attention import attended

    return method.attribute(x, attended(f))


def _at_embeddings(method: GradientMethod | LayerMethod, f: Any) -> Parts:
    """Ids (n, t): explained at their embeddings (n, t, d) and summed to tokens (n, t)."""
    from pellucid.models.embedding import embedded

    inner = embedded(f)
    parts = differentiate(method, inner, inner.inputs.x, inner.inputs.background, method.stream())
    # dimensions of one embedding share their noise: the sum of their errors bounds the error of their sum
    stderr = None if parts.stderr is None else parts.stderr.sum(axis=-1)
    return replace(parts, values=parts.values.sum(axis=-1), stderr=stderr)
