"""Odd and malicious slices: each is read rightly or refused by name, and the rest goes on."""

import importlib
import pickle
import zlib

import numpy as np
import pydicom
import pytest
from pydicom import uid as uids

from lung_world import change, copied, paths
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import headers
from pellucid.studies.lung_ct.geometry import spacing_of, to_voxels, to_world
from pellucid.studies.lung_ct.prepare import attempt

WHOLE = 12  # slices that are copied


def found(folder):
    tally = lung_ct.Tally()
    (series,) = lung_ct.find(folder, tally)
    return series, tally


def hu_of(folder):
    return lung_ct.read(*found(folder)).hu


def stored(path):
    return pydicom.dcmread(path).pixel_array


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("incomplete header", {"PixelSpacing": ["1.0", "nan"]}),
        ("incomplete header", {"PixelSpacing": ["inf", "1.0"]}),
        ("incomplete header", {"PixelSpacing": "1.0"}),
        ("incomplete header", {"ImagePositionPatient": ["0", "nan", "0"]}),
        ("incomplete header", {"ImageOrientationPatient": ["1", "0", "0", "0", "inf", "0"]}),
        ("incomplete header", {"GantryDetectorTilt": "nan"}),
        ("incomplete header", {"RescaleSlope": None}),
        ("incomplete header", {"RescaleIntercept": None}),
        ("incomplete header", {"SOPInstanceUID": None}),
        ("absurd geometry", {"PixelSpacing": ["1e-9", "1.0"]}),
        ("absurd geometry", {"PixelSpacing": ["1.0", "21"]}),
        ("absurd geometry", {"PixelSpacing": ["-1.0", "1.0"]}),
        ("absurd geometry", {"ImagePositionPatient": ["0", "0", "-10001"]}),
        ("absurd geometry", {"Rows": 0}),
        ("absurd geometry", {"Rows": 4097}),
        ("absurd geometry", {"Columns": 65535}),
        ("no axial image", {"NumberOfFrames": 2}),
        ("no axial image", {"ImageType": "LOCALIZER"}),
        ("no axial image", {"PhotometricInterpretation": "PALETTE COLOR"}),
        ("no axial image", {"RescaleType": "Z_EFF"}),
        ("not CT", {"Modality": "PHANTOM-0001"}),
    ],
)
def test_a_header_that_no_scanner_writes_is_refused_alone(tmp_path, reason, values):
    change(copied(tmp_path)[0], **values)
    series, tally = found(tmp_path)
    assert tally.counts == {reason: 1} and len(lung_ct.read(series, tally).hu) == WHOLE - 1
    assert not any("PHANTOM" in part for refused in tally.refused for part in refused)


@pytest.mark.parametrize(
    "values",
    [
        {"Rows": 4096, "Columns": 4096, "PixelSpacing": [0.1, 0.1]},
        {"PixelSpacing": [0.02, 20.0]},
        {"GantryDetectorTilt": ""},
        {"RescaleType": "US"},
        {"RescaleType": None},
        {"NumberOfFrames": ""},
        {"SamplesPerPixel": None},
    ],
)
def test_a_header_that_is_odd_but_possible_is_taken(tmp_path, values):
    path = copied(tmp_path)[0]
    change(path, **values)
    assert headers.look(path).path == path and "PHANTOM" not in repr(headers.look(path))


@pytest.mark.parametrize(
    ("reason", "values"),
    [
        ("incomplete header", {"RescaleSlope": "nan"}),
        ("incomplete header", {"RescaleSlope": "0"}),
        ("incomplete header", {"RescaleSlope": "-1"}),
        ("incomplete header", {"RescaleIntercept": "inf"}),
        ("incomplete header", {"RescaleSlope": "1e30"}),
        ("incomplete header", {"RescaleIntercept": "100001"}),
        ("truncated", {"PixelData": None}),
        ("truncated", {"BitsAllocated": 12}),
        ("truncated", {"PixelRepresentation": None}),
        ("absurd geometry", {"PixelSpacing": [0.5, 20.0]}),  # three metres of rows
    ],
)
def test_pixels_that_are_no_hounsfield_units_refuse_the_series(tmp_path, reason, values):
    for path in copied(tmp_path):
        change(path, **values)
    with pytest.raises(lung_ct.Refused) as error:
        lung_ct.read(*found(tmp_path))
    assert error.value.reason == reason and "PHANTOM" not in str(error.value)


@pytest.mark.parametrize("step", [0.01, 21.0])
def test_slices_too_close_or_too_far_apart_refuse_the_series(tmp_path, step):
    for z, path in enumerate(copied(tmp_path)):
        change(path, ImagePositionPatient=[0, 0, step * z])
    with pytest.raises(lung_ct.Refused, match=f"absurd geometry: {step:g} mm between slices"):
        lung_ct.read(*found(tmp_path))


def test_copies_under_other_identifiers_do_not_make_a_volume(tmp_path):
    one, two, three = copied(tmp_path, slices=3)
    place = pydicom.dcmread(one).ImagePositionPatient
    for i, path in enumerate((two, three)):
        path.write_bytes(one.read_bytes())
        change(path, SOPInstanceUID=f"1.2.{i}", ImagePositionPatient=place)
    series, tally = found(tmp_path)
    with pytest.raises(lung_ct.Refused, match="too few slices: 1 of at least 3"):
        lung_ct.read(series, tally)
    assert tally.notes == {"copies of a slice left out": 2}


def test_one_identifier_at_two_places_is_a_conflict(tmp_path):
    files = copied(tmp_path)
    change(files[5], SOPInstanceUID=pydicom.dcmread(files[0]).SOPInstanceUID)
    with pytest.raises(lung_ct.Refused, match="conflicting slices: two places under one identifier"):
        lung_ct.read(*found(tmp_path))


def test_numbers_may_be_stored_signed_or_not_in_fewer_bits_and_with_a_fraction_for_a_slope(tmp_path):
    """The same picture, stored in five ways"""
    files = copied(tmp_path, patient=1)
    whole = hu_of(tmp_path)
    wanted = [stored(path).astype(int) - 1024 for path in files]  # HU: patient 1 is unsigned with an intercept of -1024
    for i, (path, hu) in enumerate(zip(files, wanted, strict=True)):
        hu = np.clip(hu, -1024, 1023)
        match i % 5:
            case 0:
                change(path, RescaleIntercept=0, PixelRepresentation=1, PixelData=hu.astype("<i2").tobytes())
            case 1:  # twelve bits, and something else in the four above
                data = (hu + 1024).astype("<u2") | 0xF000
                change(path, BitsStored=12, HighBit=11, PixelData=data.tobytes())
            case 2:  # twelve bits with a sign
                data = hu.astype("<i2") & 0x0FFF
                values = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "RescaleIntercept": 0}
                change(path, **values, PixelData=data.tobytes())
            case 3:
                change(
                    path,
                    RescaleSlope="0.5",
                    RescaleIntercept="-1024.25",
                    PixelData=((hu + 1024) * 2).astype("<u2").tobytes(),
                )
            case 4:
                change(path, PhotometricInterpretation="MONOCHROME1", PixelData=(hu + 1024).astype("<u2").tobytes())
    again = hu_of(tmp_path)
    for i, one in enumerate(again):
        shift = -0.25 if i % 5 == 3 else 0.0
        np.testing.assert_array_equal(one, np.maximum(np.clip(whole[i], -1024, 1023) + shift, -1024))


def test_a_compression_that_comes_with_pydicom_changes_nothing(tmp_path):
    files = copied(tmp_path, slices=4)
    whole = hu_of(tmp_path)
    for path in files:
        data = pydicom.dcmread(path)
        data.compress(uids.RLELossless)
        data.save_as(path)
    np.testing.assert_array_equal(hu_of(tmp_path), whole)
    data = pydicom.dcmread(files[2])
    data.PixelData = data.PixelData[:200]
    data.save_as(files[2])
    with pytest.raises(lung_ct.Refused, match=r"truncated|unreadable pixels"):
        lung_ct.read(*found(tmp_path))


def test_a_compression_without_a_codec_is_told_with_a_remedy(tmp_path):
    for path in copied(tmp_path, slices=4):
        data = pydicom.dcmread(path)
        data.file_meta.TransferSyntaxUID = uids.JPEG2000Lossless
        data.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + bytes(60)])
        data["PixelData"].VR = "OB"
        data.save_as(path)
    with pytest.raises(lung_ct.Refused, match=r"unreadable pixels.*pip install pylibjpeg"):
        lung_ct.read(*found(tmp_path))


def test_a_file_that_is_deflated_as_a_whole_is_not_blown_up(tmp_path, monkeypatch):
    path = copied(tmp_path)[0]
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = uids.DeflatedExplicitVRLittleEndian
    data.save_as(path)
    monkeypatch.setattr(zlib, "decompress", lambda *a, **k: pytest.fail("it was blown up"))
    assert found(tmp_path)[1].counts == {"unreadable pixels": 1}


def test_a_wrong_and_a_missing_transfer_syntax_are_refused_alone(tmp_path):
    first, second, *_ = copied(tmp_path)
    first.write_bytes(
        first.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", 1)
    )  # it says big-endian
    content = second.read_bytes()
    place = content.index(b"\x02\x00\x10\x00UI")  # its group has one element fewer
    length = int.from_bytes(content[place + 6 : place + 8], "little") + 8
    group = int.from_bytes(content[140:144], "little") - length
    second.write_bytes(content[:140] + group.to_bytes(4, "little") + content[144:place] + content[place + length :])
    series, tally = found(tmp_path)
    assert len(tally.refused) == 2 and set(tally.counts) <= {"not DICOM", "not CT", "incomplete header"}
    assert ("a file", "incomplete header", "no transfer syntax") in tally.refused and len(series.slices) == WHOLE - 2


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    path = copied(tmp_path)[0]
    with path.open("ab") as file:
        file.truncate(headers._LARGEST + 1)  # a hole: nothing is written
    assert ("a file", "not DICOM", "too large for a slice") in found(tmp_path)[1].refused


def test_links_are_not_followed_and_folders_may_be_called_like_files(tmp_path):
    (tmp_path / "link.dcm").symlink_to(paths(2)[0])
    (tmp_path / "linked").symlink_to(paths(2)[0].parent)
    (tmp_path / "folder.dcm").mkdir()
    copied(tmp_path)
    series, tally = found(tmp_path)
    assert len(series.slices) == WHOLE and not tally.refused


@pytest.mark.parametrize("order", [1, -1])
def test_oblique_and_mirrored_stacks_have_their_voxels_where_they_were(tmp_path, order):
    """Any right-angled directions, stacked up or down the normal: each pixel's place by DICOM's formula is its voxel's place"""
    rng = np.random.default_rng(order + 1)
    turned = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    row, column = turned[0], turned[1]
    normal, start, spacing = np.cross(row, column), rng.normal(0, 50, 3), (0.75, 1.25)
    for z, path in enumerate(copied(tmp_path)):
        position = [f"{v:.9f}"[:16] for v in start + order * 2.5 * z * normal]
        directions = [f"{v:.9f}"[:16] for v in (*row, *column)]
        change(path, ImagePositionPatient=position, ImageOrientationPatient=directions, PixelSpacing=list(spacing))
    scan = lung_ct.read(*found(tmp_path))
    np.testing.assert_allclose(spacing_of(scan.affine), [2.5, *spacing], atol=1e-6)
    assert np.linalg.det(scan.affine[:3, :3]) * np.linalg.det([normal, column, row]) > 0
    for path in (tmp_path / "series").iterdir():
        data = pydicom.dcmread(path)
        z, (y, x) = scan.sops.index(data.SOPInstanceUID), (11, 37)
        place = np.array(data.ImagePositionPatient, float) + x * spacing[1] * row + y * spacing[0] * column
        np.testing.assert_allclose(to_voxels(scan.affine, place), [z, y, x], atol=1e-4)
        np.testing.assert_allclose(to_world(scan.affine, np.array([z, y, x])), place, atol=1e-4)
        assert scan.hu[z, y, x] == max(float(data.pixel_array[y, x]) - 1024, -1024)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyError, MemoryError, TypeError, ValueError])
def test_what_nobody_thought_of_refuses_one_scan_and_tells_no_name(tmp_path, monkeypatch, error):
    steps = importlib.import_module("pellucid.studies.lung_ct.prepare")

    def fails(*arguments):
        raise error("PHANTOM-0001 said something")

    monkeypatch.setattr(steps, "read", fails)
    series, reading = lung_ct.Series("1.2", "1.3", "P", ()), lung_ct.Reading("1.2", "CT", 0, ())
    job = steps.Job(series, reading, lung_ct.Recipe(), tmp_path, "p0", "s0")
    tally = attempt(job)
    assert not tally.used and tally.refused == [("s0", "not understood", error.__name__)]
    assert pickle.loads(pickle.dumps(tally)).lines() == tally.lines()  # as from one process to another

    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(steps, "read", full)
    with pytest.raises(OSError, match="no space left"):  # which the next scan would meet as well
        attempt(job)
