"""One synthetic chest as a DICOM series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.studies.lung_ct.phantom import Chest


def write_series(folder: Path, made: Chest, number: int, seed: int) -> tuple[str, list[str]]:
    """The UIDs of the series and of its slices, from the lowest to the highest; patients differ in how numbers are stored."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng([seed, number, 2])
    uids = {name: _uid(name, seed, number) for name in ("study", "series", "frame")}
    sops = [_uid(f"slice {z}", seed, number) for z in range(len(made.hu))]
    intercept = -1024 if number % 2 else 0  # unsigned with an intercept, or signed without
    for z, file in enumerate(rng.permutation(len(sops))):
        data = _dataset(number, uids, sops[z])
        data.InstanceNumber = len(sops) - z  # as some scanners count: from the head down
        _place(data, made.affine, z)
        _picture(data, made.hu[z], intercept)
        data.save_as(folder / f"IM{file:04d}.dcm", enforce_file_format=True)
    return uids["series"], sops


def _uid(name: str, seed: int, number: int) -> str:
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=["pellucid phantom", name, str(seed), str(number)]))


def _dataset(number: int, uids: dict[str, str], sop: Any) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    data, data.file_meta = (made := Dataset()), FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = sop
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.StudyInstanceUID, made.SeriesInstanceUID, made.FrameOfReferenceUID = (
        uids[k] for k in ("study", "series", "frame")
    )
    made.Modality, made.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.PatientName, made.PatientID = f"Nobody^Phantom{number:04d}", f"PHANTOM-{number:04d}"
    made.PatientBirthDate, made.PatientSex, made.StudyDate, made.SeriesNumber = "", "O", "20000101", 1
    made.StudyTime, made.AccessionNumber, made.ReferringPhysicianName, made.StudyID = "", "", "", ""
    made.PatientPosition, made.Manufacturer, made.GantryDetectorTilt, made.KVP = "HFS", "phantom", 0, 120
    return made


def _place(data: Any, affine: np.ndarray, z: int) -> None:
    normal, down, across = affine[:3, :3].T
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    data.ImagePositionPatient = [_decimal(v) for v in affine[:3, 3] + z * normal]
    data.ImageOrientationPatient = [_decimal(v) for v in (*across / spacing[2], *down / spacing[1])]
    data.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[2])]
    data.SliceThickness = data.SpacingBetweenSlices = _decimal(spacing[0])
    data.SliceLocation = data.ImagePositionPatient[2]


def _decimal(value: float) -> str:
    """DICOM's decimal strings have at most 16 characters."""
    return f"{value:.6f}"


def _picture(data: Any, hu: np.ndarray, intercept: int) -> None:
    stored = np.rint(np.clip(hu, -1024, 3071)) - intercept
    data.Rows, data.Columns = hu.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0 if intercept else 1
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, intercept, "HU"
    data.WindowCenter, data.WindowWidth = -500, 1500
    data.PixelData = stored.astype("<u2" if intercept else "<i2").tobytes()
