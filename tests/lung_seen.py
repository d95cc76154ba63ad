"""Patches to be looked at, cut from a series whichever way it was taken, and a network whose map is known."""

import dataclasses
import functools
import json
from pathlib import Path

import numpy as np

from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import geometry, patches
from pellucid.studies.lung_ct.phantom_slices import write_series

KEY = lung_ct.Pseudonyms(bytes(range(32)))
SIZE = 16

# How a series may be taken: for each axis of the array, the axis of the phantom (z, y, x) and whether it runs the other way round.
# In all of them the slices are stacked along the cross product of a row's and a column's direction, as in DICOM.
WAYS = {
    "supine, from the feet up": ((0, False), (1, False), (2, False)),
    "prone": ((0, False), (1, True), (2, True)),
    "from the head down": ((0, True), (1, True), (2, False)),
    "coronal slices": ((1, False), (0, True), (2, False)),
    "sagittal slices": ((2, True), (0, False), (1, True)),
}


def taken(made, way):
    """The same chest as another series."""
    axes, backward = zip(*WAYS[way], strict=True)
    steps = np.eye(4)
    steps[:3, :3] = np.eye(3)[:, axes]
    hu = made.hu.transpose(axes)
    for axis in np.flatnonzero(backward):
        back = np.eye(4)
        back[axis, axis], back[axis, 3] = -1, hu.shape[axis] - 1
        steps, hu = steps @ back, np.flip(hu, axis)
    return dataclasses.replace(made, hu=hu, affine=made.affine @ steps)


@functools.cache
def small_chest():
    """A chest of a quarter of a phantom's voxels along each side, so that tests are quick."""
    made = lung_ct.chest(1)
    few = made.affine @ np.diag([2.0, 4.0, 4.0, 1.0])
    return dataclasses.replace(made, hu=np.ascontiguousarray(made.hu[::2, ::4, ::4]), affine=few)


def kept(folder, made, centre, step=2.0):
    """One patch around a place in mm, as `prepare` would have kept it; the folders of patches and DICOM, the row and the recipe."""
    folder, recipe = Path(folder), lung_ct.Recipe(size=SIZE, step=step)
    uid, _ = write_series(folder / "dicom" / "one", made, 1, 0)
    (series,) = lung_ct.find(folder / "dicom", tally := lung_ct.Tally())
    scan = lung_ct.read(series, tally)
    hu, affine = geometry.resample(scan.hu, scan.affine, step)
    where = geometry.to_voxels(affine, np.array(centre))
    row = {"patient": KEY.patient(series.patient), "scan": KEY.scan(uid), "label": 1, "split": "test", "readers": 3}
    row |= {"name": f"{row['patient']}-{row['scan']}-pos-0000", "malignancy": 3.0, "diameter": 9.0}
    row |= dict(zip("zyx", map(float, where), strict=True))
    recipe.keep(folder / "patches")
    patch = recipe.windowed(geometry.crop(hu, where, SIZE, recipe.window[0]))
    row["digest"] = patches.save(folder / "patches" / "patches" / f"{row['name']}.npy", patch)
    patches.save(folder / "patches" / "masks" / f"{row['name']}.npy", 3 * ball())
    (folder / "patches" / "scans").mkdir()
    told = {"affine": affine.tolist(), "shape": list(hu.shape)}
    (folder / "patches" / "scans" / f"{row['scan']}.json").write_text(json.dumps(told))
    patches.write_index(folder / "patches", [row])
    return row, hu


def ball(size=SIZE, radius=3):
    """What each of three readers drew, in the middle of a patch."""
    return (np.linalg.norm(np.indices((size,) * 3) - size // 2, axis=0) <= radius).astype(np.uint8)


def planted(size=SIZE, at=None):
    """A network that looks at one voxel most, the middle one unless told: the gradient is known everywhere."""
    import torch

    at = [size // 2] * 3 if at is None else at
    places = np.stack(np.indices((size,) * 3), -1) - at
    weights = torch.as_tensor(np.exp(-(places**2).sum(-1) / 8), dtype=torch.float32)

    class Planted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = torch.nn.Parameter(weights)

        def forward(self, x):
            score = (x[:, 0] * self.weights).sum((1, 2, 3))
            return torch.stack([-score, score], 1) / 20

    return Planted().eval()


def chunks(path):
    """The names of a PNG's chunks."""
    data, at, found = Path(path).read_bytes(), 8, []
    while at < len(data):
        found.append(data[at + 4 : at + 8].decode())
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return found
