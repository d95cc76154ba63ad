"""Patches on disk, and the index that tells what each one is.

    index.parquet          one row a patch, sorted by name (columns in `COLUMNS`)
    patches/NAME.npy       float32 (size, size, size), axes z, y, x of the scan, values in [-1, 1]; what lies outside the scan is -1
    masks/NAME.npy         uint8 (size, size, size): how many readers outlined the voxel; positives only
    scans/SCAN.json        the resampled grid: affine into millimetres, shape; and what became of the scan
    recipe.json            how all of it was made

NAME is PATIENT-SCAN-pos-0000 or PATIENT-SCAN-neg-0000, both pseudonyms. Splits are train, validation, test.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.core.errors import InputError
from pellucid.core.registry import need
from pellucid.core.store import appearing
from pellucid.studies.lung_ct.recipe import SPLITS

if TYPE_CHECKING:
    import pandas as pd

INDEX = "index.parquet"
_NAME = re.compile(r"[\w-]+")
COLUMNS = {
    "name": "string",
    "patient": "string",  # pseudonyms
    "scan": "string",
    "split": "string",
    "label": "int8",  # 1 nodule, 0 background
    "z": "double",  # the centre of what the patch is about, in voxels of the resampled scan
    "y": "double",
    "x": "double",
    "diameter": "double",  # mm; NaN for background, as the next
    "readers": "int8",  # who outlined the nodule; 0 for background
    "malignancy": "double",  # their mean rating, 1 to 5
    "digest": "string",  # SHA-256 of the patch's file
}


def save(path: Path, values: np.ndarray) -> str:
    """Write an array whole or not at all; the SHA-256 of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as partial:
        with partial.open("wb") as file:
            np.save(file, values)
        return hashlib.sha256(partial.read_bytes()).hexdigest()


def write_index(folder: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write the index: the same rows give the same bytes."""
    arrow, parquet = need("pyarrow", "The index"), need("pyarrow.parquet", "The index")
    kinds = arrow.schema([(name, getattr(arrow, _SPELT.get(kind, kind))()) for name, kind in COLUMNS.items()])
    ordered = sorted(rows, key=lambda row: row["name"])
    with appearing(folder / INDEX) as partial:
        parquet.write_table(arrow.Table.from_pylist(ordered, schema=kinds), partial)
    return folder / INDEX


_SPELT = {"double": "float64"}


def read_index(folder: str | Path, split: str | None = None) -> pd.DataFrame:
    """The index of a folder of patches, or of one split of it."""
    need("pyarrow", "The index")
    import pandas as pd

    path = Path(folder) / INDEX
    if not path.is_file():
        raise InputError(f"{Path(folder).name!r} has no {INDEX}: give a folder in which `prepare` ran to its end.")
    try:
        index = pd.read_parquet(path, engine="pyarrow", columns=list(COLUMNS))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{INDEX} is damaged, or none of ours ({type(error).__name__}): run `prepare` again."
        ) from None
    if split is None:
        return index
    if split not in SPLITS:
        raise InputError(f"split={split!r}: expected {', '.join(SPLITS)}.")
    return index[index["split"] == split].reset_index(drop=True)


def load(folder: str | Path, names: Sequence[str], kind: str = "patches") -> np.ndarray:
    """(n, 1, size, size, size): patches in their order, or their readers' masks (`kind="masks"`)"""
    return np.stack([_one(Path(folder) / kind, name) for name in names])[:, None]


def _one(folder: Path, name: str) -> np.ndarray:
    """(size, size, size); a name that an index from elsewhere leads out of the folder with is none"""
    try:
        if not _NAME.fullmatch(name):
            raise ValueError("no name of a patch")
        values: np.ndarray = np.load(folder / f"{name}.npy", allow_pickle=False)
        if values.ndim != 3:
            raise ValueError("no cube")
    except (OSError, ValueError, MemoryError) as error:
        shown = name if _NAME.fullmatch(name) else "a name that is none"
        raise InputError(
            f"{folder.name}: {shown} cannot be read ({type(error).__name__}): run `prepare` again."
        ) from None
    return values


def agreed(folder: str | Path, rows: Any) -> np.ndarray:
    """(n, size, size, size): where at least half of those who outlined the nodule drew it; nowhere in background.

    `rows` are rows of the index.
    """
    size = load(folder, rows["name"][:1]).shape[-1]
    inside = np.zeros((len(rows), size, size, size), bool)
    for i, (name, readers) in enumerate(zip(rows["name"], rows["readers"], strict=True)):
        if readers:
            inside[i] = drawn_by_half(folder, name, readers)
    return inside


def drawn_by_half(folder: str | Path, name: str, readers: int) -> np.ndarray:
    """(size, size, size): where at least half of so many readers drew the nodule of a patch"""
    inside: np.ndarray = 2 * load(folder, [name], "masks")[0, 0].astype(int) >= readers
    return inside
