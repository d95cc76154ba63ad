"""DICOM series: stacked rightly, and refused by name where they cannot be."""

import json
import shutil

import numpy as np
import pydicom
import pytest
from scipy.ndimage import map_coordinates

from lung_world import change, copied, phantom
from pellucid.core.errors import InputError
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct.geometry import resample, spacing_of, to_voxels, to_world


def only(folder):
    tally = lung_ct.Tally()
    (series,) = lung_ct.find(folder, tally)
    return series, tally


def refusal(folder):
    series, tally = only(folder)
    with pytest.raises(lung_ct.Refused) as error:
        lung_ct.read(series, tally)
    return error.value


@pytest.mark.parametrize("patient", [1, 2])  # one stored unsigned with an intercept, one signed without
def test_a_series_is_the_chest_that_was_written(patient):
    series, tally = only(phantom() / "dicom" / f"PHANTOM-{patient:04d}")
    scan, made = lung_ct.read(series, tally), lung_ct.chest(patient)
    np.testing.assert_allclose(scan.hu, np.clip(made.hu, -1024, 3071), atol=0.501)
    np.testing.assert_allclose(scan.affine, made.affine, atol=2e-6 * len(scan.hu))
    assert len(scan.sops) == len(scan.hu) and not tally.refused and not tally.notes


def test_file_names_and_instance_numbers_do_not_tell_the_order():
    names = [path.name for path in sorted((phantom() / "dicom/PHANTOM-0001/series").iterdir())]
    heights = [
        pydicom.dcmread(phantom() / "dicom/PHANTOM-0001/series" / name).ImagePositionPatient[2] for name in names
    ]
    assert heights != sorted(heights) and heights != sorted(heights, reverse=True)


def test_several_series_of_one_folder_are_told_apart():
    tally = lung_ct.Tally()
    found = lung_ct.find(phantom(), tally)
    assert len(found) == 2 and len({one.patient for one in found}) == 2
    assert not tally.refused  # readers' files and JSON beside them are no DICOM, and no fault


def test_places_go_to_millimetres_and_back():
    scan = lung_ct.read(*only(phantom() / "dicom/PHANTOM-0002"))
    voxels = np.random.default_rng(0).uniform(0, 60, (50, 3))
    np.testing.assert_allclose(to_voxels(scan.affine, to_world(scan.affine, voxels)), voxels, atol=1e-9)
    one = pydicom.dcmread(
        next(p for p in (phantom() / "dicom/PHANTOM-0002/series").iterdir() if p.name == "IM0003.dcm")
    )
    z = scan.sops.index(one.SOPInstanceUID)
    position, spacing = np.array(one.ImagePositionPatient, float), np.array(one.PixelSpacing, float)
    by_hand = position + np.array([7 * spacing[1], 5 * spacing[0], 0])  # column 7, row 5
    np.testing.assert_allclose(to_world(scan.affine, np.array([z, 5, 7])), by_hand, atol=1e-4)
    np.testing.assert_allclose(scan.heights[z], position[2], atol=1e-4)


def test_turned_slices_keep_their_orientation(tmp_path):
    """Coronal slices: rows run to the left, columns to the feet, and the stack to the back."""
    for z, path in enumerate(copied(tmp_path)):
        change(path, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], ImagePositionPatient=[0, 3.0 * z, 0])
    scan = lung_ct.read(*only(tmp_path))
    spacing = spacing_of(scan.affine)
    np.testing.assert_allclose(scan.affine[:3, :3] / spacing, [[0, 0, 1], [1, 0, 0], [0, -1, 0]], atol=1e-12)
    assert spacing[0] == pytest.approx(3.0)
    np.testing.assert_allclose(scan.hu, np.maximum(lung_ct.chest(1).hu[:12], -1024), atol=0.501)


def test_unequal_pixel_spacing_goes_rows_first(tmp_path):
    for path in copied(tmp_path):
        change(path, PixelSpacing=[1.0, 2.0])
    np.testing.assert_allclose(spacing_of(lung_ct.read(*only(tmp_path)).affine)[1:], [1.0, 2.0])


def test_copies_count_once(tmp_path):
    paths = copied(tmp_path)
    whole = lung_ct.read(*only(tmp_path)).hu
    shutil.copy(paths[3], paths[3].with_name("again.dcm"))
    shutil.copy(paths[8], paths[8].with_name("other_uid.dcm"))
    change(paths[8].with_name("other_uid.dcm"), SOPInstanceUID="1.2.3")
    series, tally = only(tmp_path)
    np.testing.assert_array_equal(lung_ct.read(series, tally).hu, whole)
    assert tally.notes == {"copies of a slice left out": 2}


def spoilt(paths, how):
    middle = paths[len(paths) // 2]
    match how:
        case "missing slices":
            middle.unlink()
        case "conflicting slices":
            change(middle, ImagePositionPatient=pydicom.dcmread(paths[3]).ImagePositionPatient)
        case "mixed series":
            change(middle, PixelSpacing=[1.0, 1.0])
        case "tilted gantry":
            for z, path in enumerate(paths):
                x, y, height = pydicom.dcmread(path).ImagePositionPatient
                change(path, ImagePositionPatient=[x, y + 0.3 * z, height])
        case "truncated":
            change(middle, PixelData=pydicom.dcmread(middle).PixelData[:-100])
        case "too few slices":
            for path in paths[2:]:
                path.unlink()
        case "incomplete header":
            for path in paths:
                change(path, ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0])


REASONS = [
    "missing slices",
    "conflicting slices",
    "mixed series",
    "tilted gantry",
    "truncated",
    "too few slices",
    "incomplete header",
]


@pytest.mark.parametrize("reason", REASONS)
def test_what_cannot_be_a_volume_is_refused_by_name(tmp_path, reason):
    spoilt(copied(tmp_path), reason)
    error = refusal(tmp_path)
    assert error.reason == reason and "PHANTOM" not in str(error) and "Nobody" not in str(error)


def test_a_tilt_in_the_header_is_enough(tmp_path):
    for path in copied(tmp_path):
        change(path, GantryDetectorTilt="12.5")
    assert "12.5 degrees" in str(refusal(tmp_path))


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("not CT", {"Modality": "MR"}),
        ("not CT", {"Modality": None}),
        ("no axial image", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}),
        ("no axial image", {"SamplesPerPixel": 3}),
        ("incomplete header", {"PatientID": ""}),
        ("incomplete header", {"PixelSpacing": None}),
        ("absurd geometry", {"PixelSpacing": [0, 1]}),
        ("incomplete header", {"ImagePositionPatient": [1, 2]}),
        ("incomplete header", {"Rows": None}),
    ],
)
def test_a_slice_that_is_none_is_refused_and_the_rest_goes_on(tmp_path, reason, values):
    change(copied(tmp_path)[0], **values)  # the lowest slice: the others still stack
    series, tally = only(tmp_path)
    assert tally.counts == {reason: 1}
    assert len(lung_ct.read(series, tally).hu) == 11
    assert "PHANTOM" not in " ".join(tally.lines())


def test_damaged_files_are_refused_and_the_rest_goes_on(tmp_path):
    paths = copied(tmp_path)
    paths[0].write_bytes(paths[0].read_bytes()[:200])
    paths[-1].write_bytes(b"no DICOM at all")
    (tmp_path / "LICENSE").write_text("words")
    (tmp_path / "empty.dcm").write_bytes(b"")
    series, tally = only(tmp_path)
    assert sum(tally.counts.values()) == 3 and set(tally.counts) <= {"not DICOM", "incomplete header"}
    assert len(lung_ct.read(series, tally).hu) == len(paths) - 2


def test_one_uid_for_two_patients_is_refused(tmp_path):
    change(copied(tmp_path)[4], PatientID="SOMEBODY-ELSE")
    tally = lung_ct.Tally()
    assert not lung_ct.find(tmp_path, tally) and tally.counts == {"mixed series": 1}
    with pytest.raises(InputError, match="no folder"):
        lung_ct.find(tmp_path / "nowhere", tally)


def test_pixels_beyond_the_scanner_are_air(tmp_path):
    paths = copied(tmp_path, 2)
    data = pydicom.dcmread(paths[0])
    stored = data.pixel_array.copy()
    stored[0] = -2000  # what stands outside of the circle
    change(paths[0], PixelData=stored.astype("<i2").tobytes())
    assert lung_ct.read(*only(tmp_path)).hu[0, 0].max() == -1024


@pytest.mark.parametrize("spacing", [(2.5, 0.7, 0.7), (1.25, 0.8, 0.9), (0.6, 0.5, 0.5), (3.0, 1.4, 1.4)])
def test_a_sphere_keeps_its_volume(spacing):
    affine = np.diag([*spacing[::-1], 1.0])[[0, 1, 2, 3]][:, [2, 1, 0, 3]]
    affine[:3, 3] = -30, 12, 7
    shape = tuple(int(44 / step) for step in spacing)
    centre, radius = to_world(affine, np.array(shape) / 2), 12.0
    points = to_world(affine, np.stack(np.indices(shape), -1))
    share = np.clip(radius - np.linalg.norm(points - centre, axis=-1) + 0.5, 0, 1)
    moved, there = resample(share.astype(np.float32), affine)
    np.testing.assert_allclose(spacing_of(there), 1.0)
    truth = 4 / 3 * np.pi * radius**3
    assert moved.sum() == pytest.approx(truth, rel=0.02)
    if spacing[0] < 3:  # chords between slices further apart cut off more of the surface
        assert (moved > 0.5).sum() == pytest.approx(truth, rel=0.02)
    weights = moved / moved.sum()
    middle = to_world(there, np.array([(weights * axis).sum() for axis in np.indices(moved.shape)]))
    np.testing.assert_allclose(middle, centre, atol=0.05)


def test_resampling_is_exact_on_what_is_linear():
    rng = np.random.default_rng(0)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] * [2.5, 0.7, 0.8]
    slope = rng.normal(size=3)
    values = to_world(affine, np.stack(np.indices((20, 40, 40)), -1)) @ slope
    moved, there = resample(values, affine)
    np.testing.assert_allclose(moved, to_world(there, np.stack(np.indices(moved.shape), -1)) @ slope, atol=1e-9)
    assert moved.shape == (48, 28, 32)  # all that lies between the first centre and the last: 47.5, 27.3 and 31.2 mm


def test_resampling_is_interpolation_in_a_cube():
    """Against scipy's, at the places that the new grid's affine names; a volume of one slice has one"""
    rng = np.random.default_rng(1)
    for shape, spacing, step in (
        ((9, 14, 11), (2.5, 0.7, 0.8), 1.0),
        ((1, 6, 7), (3.0, 1.0, 2.0), 1.0),
        ((6, 5, 4), (1, 1, 1), 2.5),
    ):
        affine, values = np.diag([*spacing, 1.0]), rng.normal(size=shape)
        kept = values.copy()
        moved, there = resample(values, affine, step)
        places = to_voxels(affine, to_world(there, np.stack(np.indices(moved.shape), -1)))
        np.testing.assert_allclose(
            moved, map_coordinates(values, np.moveaxis(places, -1, 0), order=1, mode="nearest"), atol=1e-12
        )
        assert np.array_equal(values, kept) and resample(values.astype(np.float32), affine, step)[0].dtype == np.float32


def test_pseudonyms_are_stable_and_keyed(tmp_path):
    ours = lung_ct.Pseudonyms.kept_in(tmp_path / "keys" / "key")
    again, other = lung_ct.Pseudonyms.kept_in(tmp_path / "keys" / "key"), lung_ct.Pseudonyms(bytes(32))
    assert ours.patient("LIDC-IDRI-0001") == again.patient("LIDC-IDRI-0001") != other.patient("LIDC-IDRI-0001")
    assert ours.patient("x")[1:] != ours.scan("x")[1:] and "0001" not in repr(ours)
    assert (tmp_path / "keys" / "key").stat().st_mode & 0o077 == 0
    (tmp_path / "bad").write_text("short")
    with pytest.raises(InputError, match="holds no key"):
        lung_ct.Pseudonyms.kept_in(tmp_path / "bad")


def test_a_phantom_is_the_same_twice_and_another_with_another_seed(tmp_path):
    assert np.array_equal(lung_ct.chest(3, 1).hu, lung_ct.chest(3, 1).hu)
    assert not np.array_equal(lung_ct.chest(3, 1).hu[:50, :100, :100], lung_ct.chest(3, 2).hu[:50, :100, :100])
    with pytest.raises(InputError, match="not empty"):
        lung_ct.write_phantom(phantom())


def test_a_phantom_has_lungs_of_air_bone_and_the_nodules_that_it_says():
    made = lung_ct.chest(1)
    assert np.percentile(made.hu, 1) < -950 and np.percentile(made.hu, 99.9) > 300
    for one in json.loads((phantom() / "phantom.json").read_text())[0]["nodules"]:
        z, y, x = np.rint(to_voxels(made.affine, np.array(one["centre"]))).astype(int)
        assert made.hu[z, y, x] > (-700 if one["density"] == "ground-glass" else -200)


@pytest.mark.realdata
def test_real_series_with_tumours(data_dir, tmp_path):
    import csv
    import tarfile

    with tarfile.open(data_dir / "lung_pet_ct_dx" / "A0001_B_5mm.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    series, tally = only(tmp_path)
    scan = lung_ct.read(series, tally)
    assert scan.hu.shape == (64, 512, 512)
    np.testing.assert_allclose(spacing_of(scan.affine), [5.0, 0.841796875, 0.841796875], atol=1e-6)
    moved, there = resample(scan.hu, scan.affine)
    extent, resampled = (np.array(scan.hu.shape) - 1) * spacing_of(scan.affine), np.array(moved.shape) - 1
    assert np.all((extent - resampled >= -1e-6) & (extent - resampled < 1))
    with (data_dir / "lung_pet_ct_dx" / "boxes.csv").open() as file:
        boxes = [row for row in csv.DictReader(file) if row["series"] == "A0001_B_5mm"]
    inside, ring = [], []
    for box in boxes:
        z = scan.sops.index(box["sop_uid"])
        assert scan.heights[z] == pytest.approx(float(box["z"]))
        corners = [[z, float(box["ymin"]), float(box["xmin"])], [z, float(box["ymax"]), float(box["xmax"])]]
        low, high = np.rint(to_voxels(there, to_world(scan.affine, np.array(corners)))).astype(int)
        depth = np.rint((high - low) * 0.25).astype(int)
        core = moved[low[0], low[1] + depth[1] : high[1] - depth[1], low[2] + depth[2] : high[2] - depth[2]]
        inside.append(np.median(core))
        around = moved[low[0], low[1] - 12 : low[1] - 4, low[2] : high[2]]
        ring.append(np.median(around))
    assert len(boxes) == 9 and np.all(np.abs(np.array(inside) - 20) < 80)  # soft tissue in every box
    assert np.median(ring) < -500  # and lung in front of it
