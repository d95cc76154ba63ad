"""Two synthetic patients, written once, and DICOM files that can be changed by hand."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import pydicom

from pellucid.studies import lung_ct


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
