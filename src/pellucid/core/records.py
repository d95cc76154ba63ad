"""What is handed back: one frozen record per question, always of the same type, with arrays of NumPy.

A field whose metadata says `rows=True` has one entry per explained row, and slicing a record slices those.
The words follow SHAP's: positive values raise the score, `scores = base_values + sum(values) + gap`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from pellucid.core.affine import affine_for, affine_of, checked_affine
from pellucid.core.budget import Receipt
from pellucid.core.errors import InputError
from pellucid.core.schema import Schema
from pellucid.core.target import Target, as_target

if TYPE_CHECKING:
    import pandas as pd

Layout = Literal["table", "channels-first", "channels-last", "map", "tokens"]
Collapse = Literal["max", "sum", "l2"]


def per_row(default: Any = dataclasses.MISSING) -> Any:
    """A record field with one entry per row."""
    return field(default=default, metadata={"rows": True})


@dataclass(frozen=True, eq=False, kw_only=True)
class Record:
    """The common part: a receipt, save, and slicing by row."""

    receipt: Receipt

    def save(self, path: str | Path) -> Path:
        """Write one `.npz` (arrays plus JSON, no pickle); `pellucid.load` reads it back."""
        from pellucid.core.store import save

        return save(self, path)

    def __getitem__(self, rows: Any) -> Self:
        """The same record for some of its rows; an int keeps the row axis."""
        names = [f.name for f in dataclasses.fields(self) if f.metadata.get("rows")]
        if not names:
            raise InputError(f"a {type(self).__name__} has no rows to select.")
        index = np.atleast_1d(np.arange(len(getattr(self, names[0])))[rows])
        return replace(self, **{name: _take(getattr(self, name), index) for name in names}, **self._selected(index))

    def _selected(self, index: np.ndarray) -> dict[str, Any]:
        """Fields that need more than indexing: a target may name a class a row."""
        target = getattr(self, "target", None)
        return {} if target is None else {"target": target.take(index)}


def _take(value: Any, index: np.ndarray) -> Any:
    if value is None:
        return None
    return tuple(value[i] for i in index) if isinstance(value, tuple) else value[index]


@dataclass(frozen=True, eq=False)
class Players:
    """Undivided values of the things that were switched on and off: columns, windows, words, groups.

    Where each row has players of its own, `own` names them, row by row; rows with fewer than p are filled up with NaN.
    """

    values: np.ndarray  # (n, p)
    names: tuple[str, ...]  # (p,) of players that all rows share, else their numbers
    stderr: np.ndarray | None = None  # (n, p)
    labels: np.ndarray | None = None  # (n, *space) the player of each place, -1 for none
    own: tuple[tuple[str, ...], ...] | None = None

    def __getitem__(self, rows: Any) -> Players:
        own = None if self.own is None else _take(self.own, np.arange(len(self.own))[rows])
        return replace(
            self, values=self.values[rows], stderr=_take(self.stderr, rows), labels=_take(self.labels, rows), own=own
        )

    def row(self, row: int) -> tuple[tuple[str, ...], np.ndarray, np.ndarray | None]:
        """One row's players: names, values (k,) and standard errors (k,)."""
        names = self.names if self.own is None else self.own[row]
        stderr = None if self.stderr is None else self.stderr[row, : len(names)]
        return names, self.values[row, : len(names)], stderr


@dataclass(frozen=True, eq=False, kw_only=True)
class Attribution(Record):
    """Why this output? One value per cell of the input, for n rows.

    `values` (n, *features), CAMs (n, *spatial); `scores`, `base_values`, `gap` (n,) with
    `gap = scores - base_values - sum(values)`, NaN where a method has no reference; `raw` is a CAM at its layer's size;
    `done` is False for rows that a budget left out (their values are NaN); `fit` the local R2 of a surrogate.
    Of texts, `values` (n, t) has one value per part, 0 where a text has fewer parts than others, `data` (n, t) says what the
    parts are, `mask` (n, t) is False where there is none or where the model never sees it, `texts` are the texts themselves.
    Of volumes, `affine` (4, 4), or (n, 4, 4) where rows differ, takes voxels, axis by axis, to the patient's millimetres (left,
    back, head), as in `plot.slices`; it is kept where the input carries one, and None where nothing is known.
    """

    values: np.ndarray = per_row()
    scores: np.ndarray = per_row()
    base_values: np.ndarray = per_row()
    gap: np.ndarray = per_row()
    stderr: np.ndarray | None = per_row(None)
    data: np.ndarray = per_row()
    done: np.ndarray = per_row()
    mask: np.ndarray | None = per_row(None)
    texts: tuple[str, ...] | None = per_row(None)
    players: Players | None = per_row(None)
    raw: np.ndarray | None = per_row(None)
    fit: np.ndarray | None = per_row(None)
    feature_names: tuple[str, ...] | None = None
    schema: Schema | None = None
    layout: Layout = "table"
    target: Target | None = None
    method: Any = None
    affine: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.affine is None:
            return
        if not self.is_volume:
            raise InputError(
                f"an affine is for volumes; this record's layout is {self.layout!r} with rows of shape {self.data.shape[1:]}: "
                "leave it out, or give data (n, channels, depth, height, width)."
            )
        object.__setattr__(self, "affine", checked_affine(self.affine, len(self)))

    def __len__(self) -> int:
        return len(self.values)

    def _selected(self, index: np.ndarray) -> dict[str, Any]:
        return {**super()._selected(index), "affine": affine_for(index, self.affine)}

    @property
    def is_volume(self) -> bool:
        """Whether the input has three axes in space."""
        return self.layout not in ("table", "tokens") and len(self.spatial) == 3

    @property
    def spatial(self) -> tuple[int, ...]:
        """The input's shape without its channels: (p,) for a table, (h, w) for a picture."""
        features = self.data.shape[1:]
        return {"channels-first": features[1:], "channels-last": features[:-1]}.get(self.layout, features)

    def collapse(self, how: Collapse = "sum") -> np.ndarray:
        """One number per place, channels folded: (n, *spatial). "max" is the largest magnitude."""
        fold = {
            "sum": lambda v, axis: v.sum(axis),
            "max": lambda v, axis: np.abs(v).max(axis),
            "l2": lambda v, axis: np.sqrt((v**2).sum(axis)),
        }
        if how not in fold:
            raise InputError(f"collapse({how!r}): choose 'max', 'sum' or 'l2'.")
        axis = {"channels-first": 1, "channels-last": -1}.get(self.layout)
        if axis is None or self.values.ndim < self.data.ndim:
            return self.values if how == "sum" else np.abs(self.values)
        return np.asarray(fold[how](self.values, axis))

    def top(self, k: int = 5, row: int = 0) -> list[tuple[str, float]]:
        """The k largest values by magnitude of one row, as (name, value)."""
        values, names = self._named(row)
        order = np.argsort(-np.abs(values), kind="stable")[:k]
        return [(names[i], float(values[i])) for i in order]

    def best_parts(
        self, k: int = 5, row: int = 0, *, positive_only: bool = True, hide_rest: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """A row's picture and the mask of its k best superpixels: (*features), and (*spatial) of 1, 0 and -1.

        `positive_only` takes those that raise the score most; otherwise the strongest, -1 where they lower it. With
        `hide_rest` everything else in the picture is 0.
        """
        from pellucid.core.parts import best_parts

        return best_parts(self, row, k, positive_only, hide_rest)

    def joined(self, by: str = "words") -> Attribution:
        """Of texts: subwords as one part for each word (or sentence), their values added up, so that sums stay."""
        from pellucid.core.joining import joined

        return joined(self, by)

    def _named(self, row: int) -> tuple[np.ndarray, list[str]]:
        if self.players is not None:
            known, values, _ = self.players.row(row)
            return values, list(known)
        values = self.values[row].ravel()
        if self.feature_names is not None:
            return values, list(self.feature_names)
        return values, [", ".join(map(str, np.unravel_index(i, self.values.shape[1:]))) for i in range(values.size)]

    def to_frame(self) -> pd.DataFrame:
        """One line per row and feature: row, feature, data, value, stderr. For tables and texts (whose features are places)."""
        import pandas as pd

        if self.values.ndim != 2:
            raise InputError(f"to_frame() is for tables and texts; these values have shape {self.values.shape}.")
        n, p = self.values.shape
        names = self.feature_names or tuple(str(j) for j in range(p))
        columns = {
            "row": np.repeat(np.arange(n), p),
            "feature": list(names) * n,
            "data": self.data.reshape(-1),
            "value": self.values.reshape(-1),
        }
        if self.stderr is not None:
            columns["stderr"] = self.stderr.reshape(-1)
        frame = pd.DataFrame(columns)
        if self.texts is not None:
            return frame[self.data.reshape(-1) != ""].reset_index(drop=True)
        if self.players is None or self.players.own is None or self.players.labels is None:
            return frame
        player = self.players.labels.reshape(-1)  # each row has players of its own: the cells of a sparse matrix
        known = [self.players.own[row][k] if k >= 0 else None for row, k in zip(frame["row"], player, strict=True)]
        return frame.assign(feature=known)[player >= 0].reset_index(drop=True)

    def to_shap(self) -> Any:
        """A `shap.Explanation` of the finished rows, for the shap package's own plots; needs shap."""
        from pellucid.core.shap_form import explanation

        return explanation(self)

    @classmethod
    def from_arrays(
        cls,
        values: Any,
        *,
        data: Any,
        target: Any,
        base_values: Any = None,
        scores: Any = None,
        names: Any = None,
        affine: Any = None,
    ) -> Attribution:
        """A record of what another library computed: values and data (n, *features), base_values and scores (n,).

        SHAP's multi-output values `(n, p, k)` and captum's tensors are arrays too: give one output's part, detached. Of volumes
        `affine` says where they lie (None: as the data says, if it is a MONAI `MetaTensor`).
        """
        from pellucid.core.inputs import plain_array, plain_data

        array, (cells, schema, own_names) = plain_array(values, float), plain_data(data)
        if len(array) == 0 or len(array) != len(cells):
            raise InputError(
                f"values of shape {array.shape} do not describe data of shape {cells.shape}: same rows, batch first."
            )
        if not np.isfinite(array).all():
            raise InputError("values hold NaN or infinity: an attribution is a finite number in every cell.")
        n, layout = len(array), _layout(array, cells)
        carried = affine_of(data) if cells.ndim == 5 else None
        base = _column_of("base_values", base_values, n)
        score = _column_of("scores", scores, n)
        return cls(
            values=array,
            scores=score,
            base_values=base,
            gap=score - base - array.reshape(n, -1).sum(1),
            data=cells,
            done=np.ones(n, bool),
            feature_names=tuple(map(str, names)) if names is not None else own_names,
            schema=schema,
            layout=layout,
            target=None if target is None else as_target(target, default=None),  # type: ignore[arg-type]
            affine=carried if affine is None else affine,
            receipt=Receipt(method="from_arrays"),
        )


def _layout(values: np.ndarray, data: np.ndarray) -> Layout:
    """How another library's arrays are laid out: channels first unless only the last axis can be the channels."""
    features = data.shape[1:]
    if len(features) == 1:
        if values.shape != data.shape:
            raise InputError(f"values of shape {values.shape} do not fit data of shape {data.shape}.")
        return "table"
    first: Layout = (
        "channels-last" if len(features) == 3 and features[-1] in (1, 3, 4) and features[0] > 4 else "channels-first"
    )
    if len(features) == 2 and values.shape == data.shape:
        return "map"
    space = features[:-1] if first == "channels-last" else features[1:]
    if values.shape[1:] not in (features, space):
        raise InputError(
            f"values of shape {values.shape} fit neither data of shape {data.shape} nor its places {space}."
        )
    return first


def _column_of(name: str, given: Any, n: int) -> np.ndarray:
    if given is None:
        return np.full(n, np.nan)
    column = np.asarray(given, dtype=float).reshape(-1)
    if len(column) not in (1, n):
        raise InputError(f"{name} has {len(column)} entries for {n} rows: give one number, or one a row.")
    return np.broadcast_to(column, (n,)).copy()


@dataclass(frozen=True, eq=False, kw_only=True)
class Interactions(Record):
    """Which features act together? `values (n, p, p)` in SHAP's convention: a pair's interaction stands in two halves off the
    diagonal, and rows add up to the attribution, so that `scores = base_values + sum(values) + gap`.
    """

    values: np.ndarray = per_row()
    scores: np.ndarray = per_row()
    base_values: np.ndarray = per_row()
    gap: np.ndarray = per_row()
    stderr: np.ndarray | None = per_row(None)  # (n, p, p)
    data: np.ndarray = per_row()
    feature_names: tuple[str, ...] | None = None
    target: Target | None = None
    method: Any = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def main(self) -> np.ndarray:
        """(n, p) what each feature does by itself."""
        return np.diagonal(self.values, axis1=1, axis2=2)

    def top(self, k: int = 5, row: int = 0) -> list[tuple[str, str, float]]:
        """The k strongest pairs of one row, as (name, name, both halves)."""
        p = self.values.shape[1]
        names = self.feature_names or tuple(f"x{j}" for j in range(p))
        first, second = np.triu_indices(p, 1)
        both = 2 * self.values[row][first, second]
        order = np.argsort(-np.abs(both), kind="stable")[:k]
        return [(names[first[i]], names[second[i]], float(both[i])) for i in order]

    def to_frame(self) -> pd.DataFrame:
        """One line per row and pair: row, first, second, value, stderr; of a pair both halves, of a feature with itself what it
        does alone. A row's values add up to score - base value.
        """
        import pandas as pd

        n, p = self.values.shape[:2]
        names = np.array(self.feature_names or [f"x{j}" for j in range(p)], dtype=object)
        first, second = np.triu_indices(p)
        halves = np.where(first == second, 1, 2)
        facts = {"value": self.values} | ({} if self.stderr is None else {"stderr": self.stderr})
        numbers = {name: (halves * array[:, first, second]).ravel() for name, array in facts.items()}
        pairs = {"first": np.tile(names[first], n), "second": np.tile(names[second], n)}
        return pd.DataFrame({"row": np.repeat(np.arange(n), len(first)), **pairs, **numbers})


@dataclass(frozen=True, eq=False, kw_only=True)
class Importance(Record):
    """What matters overall? Larger = more important, whether the metric is a score or a loss."""

    mean: np.ndarray  # (p,)
    stderr: np.ndarray  # (p,)
    samples: np.ndarray  # (p, repeats), or (p, rows) where values are summed up, or of the jackknife's pseudo-values
    names: tuple[str, ...]
    metric: str
    baseline: float  # the metric on the untouched data, or the mean base value, or the mean score

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        order = np.argsort(-self.mean, kind="stable")[:k]
        return [(self.names[i], float(self.mean[i])) for i in order]

    def interval(self, level: float = 0.95) -> np.ndarray:
        """(p, 2) low and high, by Student's t over the samples; NaN after a single one."""
        from scipy.special import stdtrit

        freedom = max(self.samples.shape[1] - 1, 1)
        reach = stdtrit(freedom, (1 + level) / 2) * self.stderr
        return np.stack([self.mean - reach, self.mean + reach], axis=1)

    def ranks(self, level: float = 0.95) -> np.ndarray:
        """(p,) 1 + how many features are more important beyond doubt: their interval lies above this one's. Ties are ties, and
        a feature of which nothing is known comes after all others."""
        low, high = np.where(np.isnan(self.mean), -np.inf, self.interval(level).T)
        return 1 + (low[None, :] > high[:, None]).sum(axis=1)

    def to_frame(self) -> pd.DataFrame:
        """One line per feature: feature, mean, stderr, the 95 % interval, rank; the most important first."""
        import pandas as pd

        (low, high), facts = self.interval().T, {"feature": self.names, "mean": self.mean, "stderr": self.stderr}
        frame = pd.DataFrame({**facts, "low": low, "high": high, "rank": self.ranks()})
        return frame.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
