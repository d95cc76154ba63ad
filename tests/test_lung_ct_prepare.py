"""Patches: in the right place, of the right patient, the same every time, and nobody's name on them."""

import json
import shutil

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lung_world import change, copied, paths, phantom
from pellucid.core.errors import InputError
from pellucid.studies import lung_ct
from pellucid.studies.lung_ct import candidates, geometry, lungs
from pellucid.studies.lung_ct.prepare import read_all

RECIPE = lung_ct.Recipe(size=32, shares=(0.5, 0.0, 0.5))
KEY = lung_ct.Pseudonyms(bytes(range(32)))


def prepared(folder, data=None, readings=None, recipe=RECIPE, key=KEY, **more):
    return lung_ct.prepare(data or phantom() / "dicom", readings or phantom() / "xml", folder, recipe, key, **more)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patches") / "made"
    tally = prepared(folder)
    return folder, tally


def test_every_agreed_nodule_becomes_a_patch_at_its_place(made):
    folder, tally = made
    assert tally.used == 2 and not tally.refused
    index = lung_ct.read_index(folder)
    for truth in json.loads((phantom() / "phantom.json").read_text()):
        rows = index[(index["scan"] == KEY.scan(truth["series"])) & (index["label"] == 1)]
        agreed = [n for n in truth["nodules"] if n["readers"] >= 2]
        grid = json.loads((folder / "scans" / f"{KEY.scan(truth['series'])}.json").read_text())
        places = geometry.to_world(np.array(grid["affine"]), rows[["z", "y", "x"]].to_numpy())
        assert len(rows) == len(agreed)
        for one in agreed:
            away = np.linalg.norm(places - one["centre"], axis=1)
            row = rows.iloc[int(away.argmin())]
            assert away.min() < 1.5  # readers' hands shake, and slices are up to 2.5 mm apart
            assert row["readers"] == one["readers"] and 1 <= row["malignancy"] <= 5
            assert row["diameter"] == pytest.approx(2 * np.prod(one["radii"]) ** (1 / 3), rel=0.2)


def test_a_patch_shows_its_nodule_in_the_middle_and_the_mask_lies_on_it(made):
    folder, _ = made
    index = lung_ct.read_index(folder)
    positive = index[index["label"] == 1]
    x, masks = lung_ct.load(folder, positive["name"]), lung_ct.load(folder, positive["name"], "masks")
    assert x.shape[1:] == masks.shape[1:] == (1, 32, 32, 32) and x.dtype == np.float32
    assert x.min() >= -1 and x.max() <= 1
    with pytest.raises(InputError, match="expected train"):
        lung_ct.read_index(folder, "training")
    for patch, mask, readers, diameter in zip(
        x[:, 0], masks[:, 0], positive["readers"], positive["diameter"], strict=True
    ):
        agreed = 2 * mask >= readers
        assert mask.max() == readers and mask[16, 16, 16] == readers
        np.testing.assert_allclose(np.argwhere(agreed).mean(0), 16, atol=0.8)
        assert agreed.sum() == pytest.approx(np.pi / 6 * diameter**3, rel=0.15)
        ring = (np.linalg.norm(np.indices(mask.shape) - 16, axis=(0)) < diameter / 2 + 4) & (mask == 0)
        assert np.median(patch[agreed]) > np.median(patch[ring]) + 0.2


def test_background_patches_hold_no_nodule_and_lie_in_the_lung(made):
    folder, _ = made
    index = lung_ct.read_index(folder)
    for truth in json.loads((phantom() / "phantom.json").read_text()):
        rows = index[(index["scan"] == KEY.scan(truth["series"])) & (index["label"] == 0)]
        grid = json.loads((folder / "scans" / f"{KEY.scan(truth['series'])}.json").read_text())
        assert len(rows) >= 1
        for _, row in rows.iterrows():
            voxel = row[["z", "y", "x"]].to_numpy(float)
            assert np.all(voxel >= 16) and np.all(voxel + 16 <= grid["shape"])
            for one in truth["nodules"]:  # those of one reader too
                centre = geometry.to_voxels(np.array(grid["affine"]), np.array(one["centre"]))
                assert np.abs(centre - voxel).max() > 16 + min(one["radii"]) - 1
            centre = geometry.to_world(np.array(grid["affine"]), voxel)
            in_lung = [
                np.linalg.norm((centre - m) / np.add(h, 7)) < 1
                for m, h in (((-54, 0, 0), (40, 56, 60)), ((54, 0, 0), (40, 56, 60)))
            ]
            assert any(in_lung)


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_same_bytes_again_and_a_restart_goes_on(made, tmp_path):
    folder, _ = made
    again = shutil.copytree(folder, tmp_path / "again")
    scans = sorted((again / "scans").iterdir())
    kept = json.loads(scans[0].read_text())["patches"][0]["name"]
    (again / "patches" / f"{kept}.npy").write_bytes(b"not to be touched: this scan is done")
    scans[1].unlink()  # as if the run had been killed before this scan was done
    for path in (again / "patches").glob(f"*{scans[1].stem}*"):
        path.unlink()
    (again / "index.parquet").unlink()
    assert prepared(again).used == 2
    first, second = files(folder), files(again)
    name = f"patches/{kept}.npy"
    assert first.pop(name) != second.pop(name) == b"not to be touched: this scan is done"
    assert first == second


@pytest.mark.slow
def test_several_processes_make_the_same_bytes(made, tmp_path):
    folder, tally = made
    heard = []
    again = prepared(tmp_path / "again", workers=2, progress=heard.append)
    assert files(folder) == files(tmp_path / "again") and heard == [1, 1]
    assert (again.used, again.refused, again.notes) == (tally.used, tally.refused, tally.notes)


def test_what_is_damaged_or_missing_between_two_steps_is_told(made, tmp_path):
    folder, _ = made
    again = shutil.copytree(folder, tmp_path / "again")
    (again / "index.parquet").write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    with pytest.raises(InputError, match=r"index\.parquet is damaged"):
        lung_ct.read_index(again)
    lung_ct.read_index(folder).drop(columns="digest").to_parquet(again / "index.parquet")
    with pytest.raises(InputError, match=r"index\.parquet is damaged"):
        lung_ct.read_index(again)
    assert lung_ct.Recipe.of(folder) == RECIPE
    for text in ("{", "[1]", '{"size": 4}', '{"other": 1}'):
        (again / "recipe.json").write_text(text)
        with pytest.raises(InputError, match="holds no patches"):
            lung_ct.Recipe.of(again)
    with pytest.raises(InputError, match="there is no folder 'nowhere'"):
        prepared(tmp_path / "out", readings=tmp_path / "nowhere")


def test_what_a_killed_run_left_half_written_goes_and_readings_may_shout(tmp_path):
    """Names in capitals are readings too; a mark of holes alone outlines nothing and refuses nothing; a crowded lung is told."""
    (tmp_path / "xml").mkdir()
    text = (phantom() / "xml/0001.xml").read_text()
    first = text.index("<unblindedReadNodule>")
    end = text.index("</unblindedReadNodule>", first) + len("</unblindedReadNodule>")
    holes = text[first:end].replace("<inclusion>TRUE", "<inclusion>FALSE")
    (tmp_path / "xml" / "0001.XML").write_text(text[:end] + holes + text[end:])
    left = tmp_path / "out" / "patches" / f".p-s-pos-0000.npy.{'0' * 32}.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    recipe = lung_ct.Recipe(size=32, shares=(1.0, 0.0, 0.0), backgrounds=40)
    tally = prepared(tmp_path / "out", phantom() / "dicom/PHANTOM-0001", tmp_path / "xml", recipe)
    assert tally.used == 1 and not tally.refused and not left.exists()
    index = lung_ct.read_index(tmp_path / "out")
    positives, found = int(index["label"].sum()), int((index["label"] == 0).sum())
    assert tally.notes == {"background patches that found no place": 40 * positives - found} and found >= 4


@pytest.mark.slow
def test_another_seed_chooses_other_places_and_another_key_other_names_only(made, tmp_path):
    folder, _ = made
    ours = lung_ct.read_index(folder)
    prepared(tmp_path / "key", key=lung_ct.Pseudonyms(bytes(32)))
    theirs = lung_ct.read_index(tmp_path / "key")
    columns = ["label", "split", "z", "y", "x", "digest"]
    assert sorted(map(tuple, ours[columns].to_numpy().tolist())) == sorted(
        map(tuple, theirs[columns].to_numpy().tolist())
    )
    assert not set(ours["name"]) & set(theirs["name"])
    prepared(tmp_path / "seed", recipe=lung_ct.Recipe(size=32, shares=(0.5, 0.0, 0.5), seed=1))
    other = lung_ct.read_index(tmp_path / "seed")
    assert set(ours[ours["label"] == 1]["digest"]) == set(other[other["label"] == 1]["digest"])
    assert set(ours[ours["label"] == 0]["digest"]) != set(other[other["label"] == 0]["digest"])
    with pytest.raises(InputError, match="another recipe"):
        prepared(tmp_path / "key", recipe=lung_ct.Recipe(size=16))


def test_no_name_and_no_identifier_gets_out(made):
    folder, tally = made
    data = pydicom.dcmread(paths(1)[0])
    secrets = [
        str(data.PatientID),
        "Nobody",
        str(data.SeriesInstanceUID),
        str(data.StudyInstanceUID),
        str(data.SOPInstanceUID),
    ]
    for name, content in files(folder).items():
        for secret in secrets:
            assert secret not in name and secret.encode() not in content
    assert not any(secret in " ".join(tally.lines()) for secret in secrets)


def test_bad_series_and_readings_are_told_and_the_rest_goes_on(tmp_path):
    data, readings = tmp_path / "data", shutil.copytree(phantom() / "xml", tmp_path / "xml")
    good = shutil.copytree(phantom() / "dicom/PHANTOM-0001", data / "good")
    (tmp_path / "other").mkdir()
    bad = copied(tmp_path / "other", 2)
    bad[5].unlink()  # a gap
    shutil.move(tmp_path / "other", data)
    (readings / "bomb.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><LidcReadMessage/>')
    shutil.copy(readings / "0001.xml", readings / "0001b.xml")
    (good / "mr.dcm").write_bytes(paths(1)[0].read_bytes())
    change(good / "mr.dcm", Modality="MR")
    tally = prepared(tmp_path / "out", data, readings)
    assert tally.used == 1 and tally.counts == {"missing slices": 1, "not XML": 1, "not CT": 1}
    assert tally.notes == {"further readings of a series left out": 1}
    told = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert told["reasons"] == tally.counts and told["used"] == 1
    assert lung_ct.read_index(tmp_path / "out")["scan"].nunique() == 1


def test_a_series_without_a_reading_and_readings_of_elsewhere(tmp_path):
    (tmp_path / "xml").mkdir()
    text = (phantom() / "xml/0001.xml").read_text()
    first = pydicom.dcmread(paths(1)[0]).SOPInstanceUID
    spoilt = text.replace("<imageSOP_UID>1.2", "<imageSOP_UID>9.9")
    assert first not in spoilt or spoilt != text
    (tmp_path / "xml" / "0001.xml").write_text(spoilt)
    with pytest.raises(InputError, match=r"annotation elsewhere.*no annotation|no annotation.*annotation elsewhere"):
        prepared(tmp_path / "out", readings=tmp_path / "xml")


@given(st.sets(st.text(min_size=1, max_size=6), min_size=3, max_size=60), st.integers(0, 5))
def test_a_split_is_a_partition_by_shares(patients, seed):
    splits = lung_ct.split(patients, (0.7, 0.15, 0.15), seed)
    assert set(splits) == patients and set(splits.values()) == set(lung_ct.SPLITS)
    many = list(splits.values()).count("test")
    assert many == max(round(0.15 * len(patients)), 1)


def test_a_split_depends_on_the_seed_and_on_nothing_else():
    patients = {f"LIDC-{i}" for i in range(100)}
    first, again = (lung_ct.split(patients, (0.7, 0.15, 0.15), seed) for seed in (0, 0))
    assert first == again != lung_ct.split(patients, (0.7, 0.15, 0.15), 1)
    assert "validation" not in lung_ct.split(patients, (0.8, 0.0, 0.2), 0).values()


def test_no_patient_is_in_two_splits(tmp_path):
    """Two scans of one patient go together, whatever they are called."""
    data, readings = (
        shutil.copytree(phantom() / "dicom", tmp_path / "dicom"),
        shutil.copytree(phantom() / "xml", tmp_path / "xml"),
    )
    again = shutil.copytree(data / "PHANTOM-0001", data / "another")
    for path in again.rglob("*.dcm"):
        change(path, SeriesInstanceUID="1.2.3.4")
    text = (readings / "0001.xml").read_text()
    uid = pydicom.dcmread(paths(1)[0]).SeriesInstanceUID
    (readings / "again.xml").write_text(text.replace(uid, "1.2.3.4"))
    tally = prepared(tmp_path / "out", data, readings)
    index = lung_ct.read_index(tmp_path / "out")
    assert tally.used == 3 and index["scan"].nunique() == 3 and index["patient"].nunique() == 2
    assert index.groupby("patient")["split"].nunique().max() == 1
    assert set(lung_ct.read_index(tmp_path / "out", "train")["patient"]).isdisjoint(
        lung_ct.read_index(tmp_path / "out", "test")["patient"]
    )


def test_lungs_are_found_whole_and_without_the_air_around():
    made = lung_ct.chest(2)
    hu, affine = geometry.resample(made.hu, made.affine)
    mask = lungs.lung_mask(hu, affine)
    points = geometry.to_world(affine, np.stack(np.indices(hu.shape), -1))[::2, ::2, ::2]
    truth = np.any(
        [np.linalg.norm((points - m) / (40, 56, 60), axis=-1) < 1 for m in ((-54, 0, 0), (54, 0, 0))], axis=0
    )
    truth &= ~(np.linalg.norm((points - (12, -22, -22)) / (34, 28, 32), axis=-1) < 1)
    overlap = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    assert overlap > 0.96
    assert mask[truth].mean() > 0.97  # vessels and nodules are in
    with pytest.raises(lung_ct.Refused, match="no lung"):
        lungs.lung_mask(np.full((60, 60, 60), -1000.0), np.eye(4)[[2, 1, 0, 3]])


def test_background_places_keep_away_from_boxes_and_edges():
    inside = np.ones((50, 50, 50), bool)  # of a scan of 100 voxels
    boxes = np.array([[[40, 40, 40], [60, 60, 60]]], float)
    places = candidates.backgrounds(inside, boxes, 16, 40, 2.0, np.random.default_rng(0))
    assert len(places) == 40 and places.min() >= 8 and places.max() <= 92
    assert (np.maximum(boxes[0, 0] - places, places - boxes[0, 1]).max(1) > 10).all()
    assert min(np.abs(a - b).max() for i, a in enumerate(places) for b in places[:i]) >= 8
    wall = np.array([[[0, 0, 0], [100, 100, 100]]], float)
    assert not len(candidates.backgrounds(inside, wall, 16, 5, 2.0, np.random.default_rng(0)))


def test_windows_crops_and_bad_recipes():
    recipe = lung_ct.Recipe(window=(-1000, 400))
    np.testing.assert_allclose(recipe.windowed(np.array([-2000, -1000, -300, 400, 3000])), [-1, -1, 0, 1, 1])
    volume = np.arange(1000.0).reshape(10, 10, 10)
    cube = geometry.crop(volume, np.array([0.4, 5.0, 9.0]), 4, -1.0)
    assert cube[2, 2, 2] == volume[0, 5, 9] and np.all(cube[:2] == -1) and np.all(cube[..., 3] == -1)
    assert np.all(geometry.crop(volume, np.array([50, 5, 5]), 4, -1.0) == -1)
    nan, inf = float("nan"), float("inf")
    for wrong in (
        {"size": 7},
        {"step": 0},
        {"step": nan},
        {"step": inf},
        {"window": (4, 4)},
        {"window": (nan, 4)},
        {"window": (-inf, 4)},
        {"window": (4, inf)},
        {"shares": (0.5, 0.5, 0.5)},
        {"shares": (1.5, -0.5, 0.0)},
        {"shares": (nan, 0.5, 0.5)},
        {"shares": (0.5, 0.5)},
        {"readers": 0},
        {"backgrounds": -1},
    ):
        with pytest.raises(InputError):
            lung_ct.Recipe(**wrong)
    lung_ct.Recipe(size=8, readers=1, backgrounds=0, shares=(1.0, 0.0, 0.0))
    with pytest.raises(InputError, match=r"has no index\.parquet"):
        lung_ct.read_index(phantom())


@pytest.mark.realdata
def test_a_real_tumour_lands_in_the_middle_of_its_patch(data_dir, tmp_path):
    """Tumour boxes of a real series, written down as two readers' outlines, go through the whole step."""
    import csv
    import tarfile

    with tarfile.open(data_dir / "lung_pet_ct_dx" / "A0001_B_5mm.tar.xz") as archive:
        archive.extractall(tmp_path / "dicom", filter="data")
    uid = pydicom.dcmread(next((tmp_path / "dicom").rglob("*.dcm")), stop_before_pixels=True).SeriesInstanceUID
    with (data_dir / "lung_pet_ct_dx" / "boxes.csv").open() as file:
        boxes = [row for row in csv.DictReader(file) if row["series"] == "A0001_B_5mm"]
    (tmp_path / "xml").mkdir()
    (tmp_path / "xml" / "boxes.xml").write_text(reading_of(uid, boxes))
    tally = prepared(tmp_path / "out", tmp_path / "dicom", tmp_path / "xml", lung_ct.Recipe())
    assert tally.used == 1
    index = lung_ct.read_index(tmp_path / "out")
    (row,) = index[index["label"] == 1].to_dict("records")
    patch = lung_ct.load(tmp_path / "out", [row["name"]])[0, 0]
    mask = lung_ct.load(tmp_path / "out", [row["name"]], "masks")[0, 0]
    hu = (patch + 1) / 2 * 1400 - 1000
    assert row["readers"] == 2 and mask.max() == 2
    assert -60 < np.median(hu[28:36, 28:36, 28:36]) < 100  # soft tissue in the middle
    assert np.median(hu[mask == 2]) > np.median(hu[mask == 0]) + 100
    around = index[index["label"] == 0]
    assert len(around) == 1
    assert np.median(lung_ct.load(tmp_path / "out", around["name"])) < -0.3  # mostly lung


def reading_of(uid, boxes):
    def roi(box):
        x0, y0, x1, y1 = (int(box[k]) for k in ("xmin", "ymin", "xmax", "ymax"))
        ring = [(x, y0) for x in range(x0, x1)] + [(x1, y) for y in range(y0, y1)]
        ring += [(x, y1) for x in range(x1, x0, -1)] + [(x0, y) for y in range(y1, y0, -1)]
        edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in ring)
        return f"<roi><imageZposition>{box['z']}</imageZposition><imageSOP_UID>{box['sop_uid']}</imageSOP_UID>{edges}</roi>"

    marks = f"<unblindedReadNodule><noduleID>t</noduleID>{''.join(map(roi, boxes))}</unblindedReadNodule>"
    header = f"<ResponseHeader><SeriesInstanceUid>{uid}</SeriesInstanceUid></ResponseHeader>"
    sessions = f"<readingSession>{marks}</readingSession>" * 2
    return f"<LidcReadMessage>{header}{sessions}</LidcReadMessage>"


def test_readings_of_chest_films_are_told(tmp_path):
    film = "<ResponseHeader><CXRSeriesInstanceUid>1.2</CXRSeriesInstanceUid></ResponseHeader>"
    (tmp_path / "film.xml").write_text(f"<IdriReadMessage>{film}</IdriReadMessage>")
    tally = lung_ct.Tally()
    assert not read_all(tmp_path, tally) and tally.counts == {"not a CT reading": 1}
