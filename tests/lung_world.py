"""Two synthetic patients, written once, and DICOM files that can be changed by hand."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pydicom

from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import patches as files


@functools.cache
def phantom(patients=2, seed=0):
    """The folder of a phantom; not to be written to."""
    folder = tempfile.mkdtemp(prefix="phantom")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return lung_ct.write_phantom(Path(folder) / "made", patients, seed)


@functools.cache
def paths(patient):
    """A patient's slices from the lowest to the highest."""
    files = (phantom() / "dicom" / f"PHANTOM-{patient:04d}" / "series").iterdir()
    return sorted(files, key=lambda path: pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient[2])


def copied(folder, patient=1, slices=12):
    """The lowest slices of a patient, to be spoilt."""
    (Path(folder) / "series").mkdir()
    return [Path(shutil.copy(path, Path(folder) / "series")) for path in paths(patient)[:slices]]


def change(path, **values):
    """Write a file again with other values; None takes an element away."""
    data = pydicom.dcmread(path)
    with pydicom.config.disable_value_validation():  # what no writer should write
        for name, value in values.items():
            if value is None:
                del data[name]
            else:
                setattr(data, name, value)
        data.save_as(path)


def balls(folder, size=16, many=(16, 8, 8), seed=0, every=2):
    """Patches of noise, with a bright ball in the middle of every other one, or of every so many."""
    rng = np.random.default_rng(seed)
    ball = np.linalg.norm(np.indices((size,) * 3) - size // 2, axis=0) < 4
    recipe = lung_ct.Recipe(size=size)
    recipe.keep(folder)
    rows = []
    for split, count in zip(lung_ct.SPLITS, many, strict=True):
        for i in range(count):
            label, name = int(i % every == every - 1), f"{split}-{i:04d}"
            values = (rng.normal(-0.8, 0.1, (size,) * 3) + label * ball).astype(np.float32)
            digest = files.save(folder / "patches" / f"{name}.npy", np.clip(values, -1, 1))
            place = {"z": 0.0, "y": 0.0, "x": 0.0, "diameter": 8.0, "malignancy": 3.0, "readers": 2 * label}
            rows.append(
                {"name": name, "patient": name, "scan": name, "split": split, "label": label, "digest": digest} | place
            )
    files.write_index(folder, rows)
    return folder
