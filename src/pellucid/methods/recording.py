"""From what a run found out, block by block, to one record with its receipt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pellucid.core.budget import Meter, receipt
from pellucid.core.masking import Bound, Covering, Masker
from pellucid.core.method import Method, Parts
from pellucid.core.records import Attribution, Layout, Players
from pellucid.methods.telling import players_of, told_of, told_warnings
from pellucid.models.adapter import BlackBox, Inputs, Told
from pellucid.models.prepare import Prepared


@dataclass(frozen=True, eq=False)
class Block:
    """What a run found out about some of the rows."""

    rows: slice
    parts: Parts
    bound: Bound | None
    masker: Masker | None
    done: bool = True  # False where the budget could not pay for them


def record(
    ready: Prepared, method: Method, f: BlackBox, scores: np.ndarray, blocks: list[Block], meter: Meter
) -> Attribution:
    """The record of a run: rows gathered, the gap, the receipt and its warnings."""
    inputs, n = ready.inputs, len(scores)
    done = np.zeros(n, bool)
    for block in blocks:
        done[block.rows] = block.done
    values = _gather(blocks, n, lambda b: b.parts.values if b.bound is None else b.bound.lift(b.parts.values), 0.0)
    assert values is not None
    stderr = _gather(
        blocks,
        n,
        lambda b: b.parts.stderr if b.bound is None or b.parts.stderr is None else b.bound.lift(b.parts.stderr),
        0.0,
    )
    base = _gather(blocks, n, lambda b: b.parts.base_values)
    base = np.full(n, np.nan) if base is None else base
    gap = scores - base - values.reshape(n, -1).sum(1)
    told, said = _told(inputs, blocks, done)
    players = _players(blocks, n) if inputs.told is None else players_of(inputs.told, values, stderr)
    facts = {
        "target": repr(f.pick.target),
        "scale": f.scale,
        "masker": None if blocks[0].masker is None else repr(blocks[0].masker),
        "layer": blocks[0].parts.layer,
        "unruled": tuple(dict.fromkeys(name for block in blocks for name in block.parts.unruled)),
        "gap": _largest(gap),
        "stderr": None if stderr is None else _largest(stderr),
        "converged": _all_converged(blocks),
        "warnings": (*_warnings(method, blocks, done, scores, base, gap, meter), *said),
        "notes": (*dict.fromkeys(note for block in blocks for note in block.parts.notes), *ready.adapter.notes),
    }
    return Attribution(
        values=values,
        scores=scores,
        base_values=base,
        gap=gap,
        stderr=stderr,
        data=inputs.readable if told is None else told.data,
        done=done,
        mask=None if told is None else told.mask,
        texts=None if told is None else told.texts,
        players=players,
        raw=_gather(blocks, n, lambda b: b.parts.raw),
        fit=_gather(blocks, n, lambda b: b.parts.fit),
        feature_names=inputs.form.names,
        schema=inputs.form.schema,
        layout=layout_of(inputs, ids=getattr(ready.adapter, "reads_ids", False)),
        target=f.pick.target,
        method=method,
        affine=inputs.affine,
        receipt=receipt(method, meter, packages=ready.adapter.packages, **facts),
    )


def _told(inputs: Inputs, blocks: list[Block], done: np.ndarray) -> tuple[Told | None, tuple[str, ...]]:
    """Of texts, what a record says beside its numbers, and what a reader must know of them."""
    if inputs.form.text is None:
        return inputs.told, inputs.warnings
    bounds = {block.rows.start: block.bound for block in blocks}
    told = told_of(inputs.x.tolist(), bounds)
    return told, (*told_warnings(told, bounds, done), *inputs.warnings)


def _gather(
    blocks: list[Block], n: int, part: Callable[[Block], np.ndarray | None], beyond: float = np.nan
) -> np.ndarray | None:
    """One array over all rows, NaN where a row was left out, `beyond` where a row has fewer parts than others."""
    pieces = [(block.rows, piece) for block in blocks if (piece := part(block)) is not None]
    if not pieces:
        return None
    if len(pieces) == 1 and len(pieces[0][1]) == n:
        return np.array(pieces[0][1], float)
    whole = np.full((n, *np.max([piece.shape[1:] for _, piece in pieces], axis=0).astype(int)), np.nan)
    for rows, piece in pieces:
        whole[rows] = beyond
        whole[(rows, *map(slice, piece.shape[1:]))] = piece  # rows with players of their own have fewer or more of them
    return whole


def _players(blocks: list[Block], n: int) -> Players | None:
    """Undivided values, where players are not simply the columns of a table."""
    bound, masker = blocks[0].bound, blocks[0].masker
    if bound is None or masker is None:
        return None
    columns = bound.labels is not None and bound.labels.ndim == 1 and len(bound.labels) == len(bound.names)
    if columns and not masker.apart:
        return None
    values = _gather(blocks, n, lambda b: b.parts.values)
    assert values is not None
    stderr = _gather(blocks, n, lambda b: b.parts.stderr)
    labels = _labels(blocks, n)
    if not masker.apart:
        return Players(values, bound.names, stderr, labels)
    own: list[tuple[str, ...]] = [()] * n
    for block in blocks:
        assert block.bound is not None
        own[block.rows.start] = block.bound.names
    return Players(values, tuple(map(str, range(values.shape[1]))), stderr, labels, tuple(own))


def _labels(blocks: list[Block], n: int) -> np.ndarray | None:
    """(n, *space) the player of each place, -1 for none and for rows that were left out."""
    known = [(b.rows, b.bound.labels) for b in blocks if b.bound is not None and b.bound.labels is not None]
    if len(known) < len(blocks):
        return None
    whole = np.full((n, *np.max([labels.shape for _, labels in known], axis=0)), -1)
    for rows, labels in known:
        whole[(rows, *map(slice, labels.shape))] = labels
    return whole


def layout_of(inputs: Inputs, ids: bool) -> Layout:
    """How the axes of the inputs are to be read."""
    if inputs.x.ndim == 1:
        return "tokens"
    if inputs.x.ndim == 2:
        return "tokens" if ids else "table"
    return {None: "map", 1: "channels-first"}.get(inputs.form.channels, "channels-last")  # type: ignore[return-value]


def _largest(values: np.ndarray) -> float | None:
    known = np.abs(values[np.isfinite(values)])
    return float(known.max()) if known.size else None


def _all_converged(blocks: list[Block]) -> bool | None:
    known = [block.parts.converged for block in blocks if block.parts.converged is not None]
    return bool(np.concatenate(known).all()) if known else None


def _unchanged(bound: Bound | None) -> int:
    """Rows that look the same with everything hidden: a constant picture filled with its mean."""
    if bound is None or not isinstance(bound, Covering):  # asking a protocol takes long
        return 0
    same = (bound.drawn == bound.x).all(axis=tuple(range(2, bound.drawn.ndim)))  # (draws, n)
    return int(same.all(axis=0).sum())


def _warnings(
    method: Method,
    blocks: list[Block],
    done: np.ndarray,
    scores: np.ndarray,
    base: np.ndarray,
    gap: np.ndarray,
    meter: Meter,
) -> tuple[str, ...]:
    """Plain sentences about how far to trust this record, each with its number."""
    found = list(dict.fromkeys(warning for block in blocks for warning in block.parts.warnings))
    same = sum(_unchanged(block.bound) for block in blocks)
    if same:
        found.append(
            f"what hidden parts show equals the data in {same} of {len(done)} rows, so hiding changes nothing there"
        )
    limit = meter.limit() or f"{meter.budget.rows or 0:,} model rows"  # reached, or too little for what comes next
    if not done.all():
        found.append(f"the budget of {limit} left out {int((~done).sum())} of {len(done)} rows")
    elif method.card.sampled and (meter.limit() or meter.short):
        found.append(f"sampling stopped at the budget of {limit}")
    scale = np.maximum(np.abs(scores - base), 1e-3 * np.maximum(np.abs(scores), 1))
    off = np.abs(gap) > 0.01 * scale
    if method.card.complete and off.any():
        rows = f"{int(off.sum())} of {len(gap)} rows"
        found.append(f"values miss score - base value by more than 1 % in {rows} (largest gap {_largest(gap):.3g})")
    return tuple(found)
