"""NIfTI files: a voxel lies at the same place in the patient, whichever way the series was taken; the header tells nothing."""

import gzip

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lung_seen
from pellucid.core.errors import InputError, StoreError
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import geometry
from pellucid.studies.lung_ct.phantom_slices import write_series

nibabel = pytest.importorskip("nibabel")
PLAIN = np.array([[0, 0, 0.75, 7], [0, 0.5, 0, -3], [2.5, 0, 0, 11], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("way", lung_seen.WAYS)
def test_a_marked_pixel_lies_where_its_own_slice_says(way, tmp_path):
    """By DICOM's rule (PS3.3 C.7.6.2.1.1) from the marked file alone, against nibabel's reading of the NIfTI file."""
    write_series(tmp_path / "dicom", lung_seen.taken(lung_seen.small_chest(), way), 1, 0)
    file = sorted((tmp_path / "dicom").iterdir())[5]
    data, row, column = pydicom.dcmread(file), 7, 11
    pixels = data.pixel_array.copy()
    pixels[row, column] = 4000
    data.PixelData = pixels.tobytes()
    data.save_as(file)
    across, down = np.array(data.ImageOrientationPatient, dtype=float).reshape(2, 3)
    between_rows, between_columns = map(float, data.PixelSpacing)
    marked = np.array(data.ImagePositionPatient, float) + across * between_columns * column + down * between_rows * row
    (series,) = lung_ct.find(tmp_path / "dicom", tally := lung_ct.Tally())
    scan = lung_ct.read(series, tally)
    lung_ct.write_nifti(tmp_path / "scan.nii.gz", scan.hu, scan.affine)
    image = nibabel.load(tmp_path / "scan.nii.gz")
    brightest = np.unravel_index(np.asarray(image.dataobj).argmax(), image.shape)
    x, y, z = nibabel.affines.apply_affine(image.affine, brightest)
    np.testing.assert_allclose((-x, -y, z), marked, atol=1e-3)


def test_the_axes_are_named_as_they_run():
    assert nibabel.aff2axcodes(lung_ct.to_ras(PLAIN)) == ("L", "P", "S")
    upside_down = PLAIN @ np.diag([-1, 1, 1, 1.0])
    assert nibabel.aff2axcodes(lung_ct.to_ras(upside_down)) == ("L", "P", "I")
    np.testing.assert_array_equal(lung_ct.to_ras(lung_ct.to_ras(PLAIN)), PLAIN)


@settings(max_examples=15)
@given(st.integers(0, 2**31), st.sampled_from(["f4", "i2", "u1"]))
def test_values_and_places_come_back(tmp_path_factory, seed, kind):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 200, (3, 4, 5)).astype(kind)
    affine = np.eye(4)
    affine[:3] = rng.normal(0, 3, (3, 4))
    path = tmp_path_factory.mktemp("nifti") / "a.nii.gz"
    found, where = lung_ct.read_nifti(lung_ct.write_nifti(path, values, affine))
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)
    np.testing.assert_allclose(where, affine, atol=1e-5)
    voxel = rng.integers(0, 3, 3)
    np.testing.assert_allclose(geometry.to_world(where, voxel), geometry.to_world(affine, voxel), atol=1e-4)


def test_viewers_of_either_form_see_the_same_place_and_the_unit(tmp_path):
    path = lung_ct.write_nifti(tmp_path / "a.nii.gz", np.zeros((3, 4, 5), np.float32), PLAIN)
    image = nibabel.load(path)
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-5)
    assert image.header["qform_code"] == image.header["sform_code"] == 1
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(image.header.get_zooms(), (0.75, 0.5, 2.5))
    assert image.shape == (5, 4, 3)


def test_the_file_says_nothing_of_when_and_whose(tmp_path):
    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    one, other = (lung_ct.write_nifti(tmp_path / f"{name}.nii.gz", values, PLAIN) for name in ("anna", "berta"))
    assert one.read_bytes() == other.read_bytes()
    assert one.read_bytes()[3:8] == bytes(5)  # gzip: no name, no time
    header = nibabel.load(one).header
    assert all(header[name] == b"" for name in ("data_type", "db_name", "descrip", "aux_file", "intent_name"))
    assert not header.extensions and len(gzip.decompress(one.read_bytes())) == 352 + values.nbytes


def test_a_part_lies_in_the_whole_and_what_hangs_over_is_cut_off():
    values = 1 + np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    made = lung_ct.in_whole(values, (1, 0, 2), (3, 4, 5))
    np.testing.assert_array_equal(made[1:3, 0:2, 2:4], values)
    assert made.sum() == values.sum() and made.dtype == np.float32
    over = lung_ct.in_whole(values, (-1, 3, 4), (3, 4, 5))
    assert np.argwhere(over).tolist() == [[0, 3, 4]] and over[0, 3, 4] == values[1, 0, 0]
    assert not lung_ct.in_whole(values, (7, 0, 0), (3, 4, 5)).any()


def test_what_is_no_volume_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected three axes of float32"):
        lung_ct.write_nifti(tmp_path / "a.nii.gz", np.zeros((2, 2, 2)), PLAIN)
    with pytest.raises(InputError, match=r"a name that ends in \.nii\.gz"):
        lung_ct.write_nifti(tmp_path / "a.nii", np.zeros((2, 2, 2), np.float32), PLAIN)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(b"no picture" * 100))
    (tmp_path / "c.nii.gz").write_bytes(b"no gzip")
    for name in "bc":
        with pytest.raises(StoreError, match=rf"{name}\.nii\.gz is no NIfTI file"):
            lung_ct.read_nifti(tmp_path / f"{name}.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 2), np.float32), np.eye(4)), tmp_path / "d.nii.gz")
    with pytest.raises(StoreError, match="4 axes"):
        lung_ct.read_nifti(tmp_path / "d.nii.gz")
