"""Maps to be looked at: at their place in the patient, over the right slices, under pseudonyms, made once."""

import gzip
import importlib
import json
import shutil

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

torch = pytest.importorskip("torch")
MetaTensor = pytest.importorskip("monai.data").MetaTensor
nibabel = pytest.importorskip("nibabel")

import lung_seen  # noqa: E402
import pellucid as pc  # noqa: E402
from pellucid.cli.app import app  # noqa: E402
from pellucid.core.errors import InputError  # noqa: E402
from pellucid.studies import lung_ct  # noqa: E402
from pellucid.studies.lung_ct import network  # noqa: E402
from pellucid.studies.lung_ct.geometry import to_voxels, to_world  # noqa: E402

module = importlib.import_module("pellucid.studies.lung_ct.visualise")  # the function goes by the same name
CHEST = lung_seen.small_chest()
NODULE = CHEST.nodules[0]
METHODS = {"Saliency": pc.Saliency(), "Input x gradient": pc.InputXGradient()}
SIZE = lung_seen.SIZE


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    row, hu = lung_seen.kept(folder, CHEST, NODULE.centre)
    return folder, row, hu


@pytest.fixture
def opened(monkeypatch):
    """`visualise` finds a network whose map is known."""
    monkeypatch.setattr(module, "opened", lambda *given: (lung_seen.planted(), {"digest": "planted"}))


@pytest.fixture
def quick(monkeypatch):
    """Figures are tested by themselves; most of a run's time is drawing them. What they were asked for."""
    asked = []
    monkeypatch.setattr(
        module, "figure", lambda *given, **more: asked.append((given, more)) or Figure(figsize=(0.5, 0.5))
    )
    return asked


def seen(folder, out, methods=METHODS, **more):
    more = {"data": folder / "dicom", "pseudonyms": lung_seen.KEY} | more
    chosen = [lung_ct.Tried(name, method) for name, method in methods.items()]
    return lung_ct.visualise("network", folder / "patches", out, methods=chosen, device="cpu", **more)


@pytest.mark.parametrize("way", lung_seen.WAYS)
def test_the_strongest_voxel_lies_at_the_nodule_in_the_patient(way, tmp_path, opened, quick):
    """The network looks at the middle of a patch around the nodule: in the NIfTI file that is the nodule's place."""
    row, hu = lung_seen.kept(tmp_path, lung_seen.taken(CHEST, way), NODULE.centre)
    tally = seen(tmp_path, tmp_path / "out")
    assert tally.used == 1 and not tally.refused
    image = nibabel.load(tmp_path / "out" / "nifti" / f"{row['name']}-saliency.nii.gz")
    values = np.asarray(image.dataobj)
    x, y, z = nibabel.affines.apply_affine(image.affine, np.unravel_index(values.argmax(), values.shape))
    np.testing.assert_allclose((-x, -y, z), NODULE.centre, atol=1.01)  # half a voxel of 2 mm
    told = json.loads((tmp_path / "out" / "told" / f"{row['name']}.json").read_text())
    np.testing.assert_allclose(told["maps"][0]["strongest_mm"], (-x, -y, z), atol=1e-4)
    scan = nibabel.load(tmp_path / "out" / "nifti" / f"{row['scan']}.nii.gz")
    np.testing.assert_array_equal(scan.affine, image.affine)
    assert np.abs(np.asarray(scan.dataobj).T - hu).max() <= 0.5
    assert 0 < np.count_nonzero(values) <= SIZE**3


def test_arrays_are_the_maps_and_facts_say_how_they_were_made(made, tmp_path, opened, quick):
    folder, row, _ = made
    seen(folder, tmp_path)
    x = lung_ct.load(folder / "patches", [row["name"]])
    (_, more), context = quick
    np.testing.assert_array_equal(more["outline"], lung_seen.ball())
    assert more["caption"].endswith("the line is what at least half of 3 readers drew") and not context[1]
    assert context[0][4].endswith("the box is the patch") and context[0][3] == (-1000, 400)
    told = json.loads((tmp_path / "told" / f"{row['name']}.json").read_text())
    assert {told[name] for name in ("patch", "scan", "patient", "split")} == {
        row["name"],
        row["scan"],
        row["patient"],
        "test",
    }
    said = torch.softmax(lung_seen.planted()(torch.as_tensor(x)), 1)[0, 1].item()
    assert told["probability"] == pytest.approx(said) and told["network"] == "planted"
    place = lung_ct.place_of(folder / "patches", row)
    for (maps, *_), _ in quick:  # of the patch, and in context
        assert all(np.array_equal(record.affine, place.own) for record in maps.values()) and len(maps) == len(METHODS)
    for line, (name, method) in zip(told["maps"], METHODS.items(), strict=True):
        record = pc.explain(lung_seen.planted(), x, method, target=1)
        values = np.load(tmp_path / line["array"])
        assert line["name"] == name and line["method"] == repr(method) and values.dtype == np.float32
        np.testing.assert_allclose(values, record.values[0, 0], rtol=1e-6)
        volume, affine = lung_ct.read_nifti(tmp_path / line["nifti"])
        np.testing.assert_allclose(affine, place.affine, atol=1e-5)
        np.testing.assert_array_equal(volume, lung_ct.in_whole(values, place.first, place.shape))


def layers(ax, name):
    return [np.asarray(image.get_array()) for image in ax.images if image.cmap.name == name]


def boxes(ax):
    return [patch for patch in ax.patches if patch.get_gid() == "box"]


@pytest.mark.parametrize("way", ["supine, from the feet up", "prone", "coronal slices"])
def test_the_dashed_box_holds_the_patch_in_every_plane(way, tmp_path):
    row, hu = lung_seen.kept(tmp_path, lung_seen.taken(CHEST, way), NODULE.centre)
    place = lung_ct.place_of(tmp_path / "patches", row)
    x = lung_ct.load(tmp_path / "patches", [row["name"]])
    x = MetaTensor(torch.as_tensor(x), affine=torch.as_tensor(np.diag([-1.0, -1, 1, 1]) @ place.own))
    maps = {name: pc.explain(lung_seen.planted(), x, method, target=1) for name, method in METHODS.items()}
    window = lung_ct.Recipe.of(tmp_path / "patches").window
    whole, alone = lung_ct.figure(maps, place, hu, window), lung_ct.figure(maps, place)
    assert all("axial" in sheet.axes[0].texts[0].get_text() for sheet in (whole, alone))
    for ax, patch_ax in zip(whole.axes[:3], alone.axes[:3], strict=True):
        scans = [image for image in ax.images if image.cmap.name == "gray"]
        for scan, box, patch in zip(scans, boxes(ax), layers(patch_ax, "gray"), strict=True):
            left, _, _, top = scan.get_extent()
            column, line = round((box.get_x() - left) / 2), round((box.get_y() - top) / 2)  # voxels of 2 mm
            assert box.get_width() == pytest.approx(2 * SIZE) and box.get_height() == pytest.approx(2 * SIZE)
            inside = np.asarray(scan.get_array())[line : line + SIZE, column : column + SIZE]
            np.testing.assert_allclose(np.clip((inside + 1000) / 1400, 0, 1) * 2 - 1, patch, atol=1e-5)
    for heat, patch in zip(layers(whole.axes[1], "pellucid-heat"), layers(alone.axes[1], "pellucid-heat"), strict=True):
        np.testing.assert_allclose(heat[np.isfinite(heat)], patch.ravel(), rtol=1e-6)


def test_figures_of_one_patient_are_the_same_whichever_way_the_series_was_taken(tmp_path):
    found = {}
    for way in ("supine, from the feet up", "prone", "sagittal slices"):
        row, hu = lung_seen.kept(tmp_path / way, lung_seen.taken(CHEST, way), NODULE.centre)
        place = lung_ct.place_of(tmp_path / way / "patches", row)
        patch = lung_ct.load(tmp_path / way / "patches", [row["name"]])
        record = pc.Attribution.from_arrays(patch + 1, data=patch, target=1, affine=place.own)
        ax = lung_ct.figure({"itself": record}, place, hu, (-1000.0, 400.0)).axes[1]
        found[way] = [ax.texts[i].get_text() for i in range(12)], boxes(ax), layers(ax, "gray")
    (letters, placed, scans), *others = found.values()
    assert letters == [*"RLAP", *"RLSI", *"APSI"]
    for same, again, rasters in others:
        assert same == letters
        for one, other in zip(placed, again, strict=True):  # grids begin at other corners: up to a voxel of 2 mm
            np.testing.assert_allclose(one.get_bbox().bounds, other.get_bbox().bounds, atol=2.01)
        for one, other in zip(scans, rasters, strict=True):
            assert all(abs(a - b) <= 1 for a, b in zip(one.shape, other.shape, strict=True))


def test_the_figure_has_a_row_for_the_scan_and_each_method_and_one_key(made):
    folder, row, hu = made
    place, x = lung_ct.place_of(folder / "patches", row), lung_ct.load(folder / "patches", [row["name"]])
    values = np.random.default_rng(0).standard_normal((1, 1, SIZE, SIZE, SIZE))
    wanted = {"one": values, "two": 5 * values, "flat": np.ones_like(values)}
    given = {"data": x, "target": 1, "affine": place.own}
    maps = {name: pc.Attribution.from_arrays(map_, **given) for name, map_ in wanted.items()}
    sheet = lung_ct.figure(maps, place, hu, (-1000.0, 400.0), "a caption")
    *rows, key = sheet.axes
    names = [ax.get_ylabel().split("\n") for ax in rows]
    assert [name[0] for name in names] == ["scan", "one", "two", "flat"]
    one, two = (float(name[1].removeprefix("1 = ")) for name in names[1:3])
    assert two == pytest.approx(5 * one, rel=0.01)
    assert [label.get_text() for label in key.get_yticklabels()] == ["0", "0.25", "0.5", "0.75", "1"]
    heads = [[text for text in ax.texts if text.get_gid() == "head"] for ax in rows]
    z, y, x = place.middle
    assert [text.get_text() for text in heads[0]] == [
        f"axial, slice {z}",
        f"coronal, slice {y}",
        f"sagittal, slice {x}",
    ]
    assert not any(heads[1:]) and rows[3].texts[0].get_text().startswith("degenerate")
    sheet.draw_without_rendering()
    widths = {round(ax.get_window_extent().width) for ax in rows[:3]}
    assert len(widths) == 1 and sheet.get_supxlabel() == "a caption"


def test_no_name_gets_out_and_pictures_hold_pictures_only(made, tmp_path, opened):
    folder, row, _ = made
    seen(folder, tmp_path)
    data = pydicom.dcmread(next((folder / "dicom" / "one").iterdir()))
    secrets = [
        str(data[name].value) for name in ("PatientID", "SeriesInstanceUID", "StudyInstanceUID", "SOPInstanceUID")
    ]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"maps", "nifti", "patches", "context", "told"}
    assert all(path.name.startswith((row["name"], row["scan"])) for path in files)
    for path in files:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        assert not any(secret.encode() in content for secret in [*secrets, "Nobody", str(folder)])
        if path.suffix == ".png":
            assert set(lung_seen.chunks(path)) == {"IHDR", "pHYs", "IDAT", "IEND"}


def test_a_run_that_is_started_again_makes_what_is_lacking_and_nothing_else(made, tmp_path, opened, quick, monkeypatch):
    folder, row, _ = made
    seen(folder, tmp_path, data=None, pseudonyms=None)
    assert not (tmp_path / "context").exists() and not (tmp_path / "nifti" / f"{row['scan']}.nii.gz").exists()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with monkeypatch.context() as patched:
        patched.setattr(pc, "explain", lambda *given, **more: pytest.fail("explained again"))
        assert seen(folder, tmp_path).used == 1
        (context,) = (tmp_path / "context").iterdir()
        first = context.read_bytes()
        context.unlink()
        seen(folder, tmp_path)
        assert context.read_bytes() == first
        patched.setattr(module, "contexts", lambda *given: iter(()) if not given[3] else pytest.fail("drawn again"))
        seen(folder, tmp_path)
    assert {path: path.read_bytes() for path in before} == before
    other = {"Saliency": pc.Saliency(), "Input x gradient": pc.SmoothGrad(samples=2)}
    seen(folder, tmp_path, other, data=None, pseudonyms=None)
    changed = {path.name for path in before if path.read_bytes() != before[path]}
    assert not context.exists()  # it showed maps that are no more
    assert {f"{row['name']}-input-x-gradient.npy", f"{row['name']}.json"} <= changed
    assert f"{row['name']}-saliency.npy" not in changed
    for kind, ending in (("maps", "-saliency.npy"), ("nifti", "-saliency.nii.gz"), ("patches", ".png")):
        lost = tmp_path / kind / f"{row['name']}{ending}"
        lost.unlink()
        seen(folder, tmp_path, other, data=None, pseudonyms=None)
        assert lost.exists()
    (tmp_path / "told" / f"{row['name']}.json").write_text("{")
    assert seen(folder, tmp_path, other, data=None, pseudonyms=None).used == 1
    assert json.loads((tmp_path / "told" / f"{row['name']}.json").read_text())["network"] == "planted"


def test_a_scan_that_is_not_the_one_is_refused_and_the_patch_is_drawn_all_the_same(made, tmp_path, opened, quick):
    folder, row, _ = made
    tally = seen(folder, tmp_path / "key", pseudonyms=lung_ct.Pseudonyms(bytes(32)))
    assert tally.counts == {"no such scan": 1} and (tmp_path / "key" / "patches" / f"{row['name']}.png").exists()
    assert not (tmp_path / "key" / "context").exists()
    for element, value in (("RescaleIntercept", -900), ("PixelSpacing", [6.0, 6.0])):
        data = shutil.copytree(folder / "dicom", tmp_path / element / "dicom")
        for path in data.rglob("*.dcm"):
            slice_ = pydicom.dcmread(path)
            setattr(slice_, element, value)
            slice_.save_as(path)
        tally = seen(folder, tmp_path / element / "out", data=data)
        assert tally.counts == {"another scan": 1} and tally.used == 1
    moved = shutil.copytree(folder / "dicom", tmp_path / "moved" / "dicom")
    for path in moved.rglob("*.dcm"):
        slice_ = pydicom.dcmread(path)
        x, y, z = slice_.ImagePositionPatient
        slice_.ImagePositionPatient = [x + 5, y, z]  # the same voxels elsewhere in the patient
        slice_.save_as(path)
    assert seen(folder, tmp_path / "moved" / "out", data=moved).counts == {"another scan": 1}


def test_what_makes_no_sense_is_refused(made, tmp_path, opened):
    folder, row, _ = made
    with pytest.raises(InputError, match="both the DICOM folder and the key"):
        seen(folder, tmp_path, pseudonyms=None)
    with pytest.raises(InputError, match="differ in more than punctuation"):
        seen(folder, tmp_path, {"a b": pc.Saliency(), "a, b": pc.InputXGradient()})
    with pytest.raises(InputError, match="at least one"):
        seen(folder, tmp_path, {})
    assert module.slug("Grad-CAM++") != module.slug("Grad-CAM")
    with pytest.raises(InputError, match="there is no grid of the scan"):
        lung_ct.place_of(folder / "patches", row | {"scan": "s0"})


def test_the_command_explains_by_the_four_methods_of_the_figure(tmp_path, made):
    folder, row, _ = made
    told = {"network": "narrow", "recipe": json.loads((folder / "patches" / "recipe.json").read_text())}
    network.save(network.build("narrow"), tmp_path / "network", told)
    options = ["--network", tmp_path / "network", "--patches", folder / "patches", "--out", tmp_path / "out"]
    run = lambda *more: CliRunner().invoke(app, ["lung-ct", "visualise", *map(str, [*options, *more])])  # noqa: E731
    done = run("--name", row["name"], "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "1 used, 0 refused" in done.output
    names = sorted(path.stem.removeprefix(f"{row['name']}-") for path in (tmp_path / "out" / "maps").iterdir())
    assert names == ["grad-cam", "grad-cam-plus-plus", "integrated-gradients-air", "occlusion-air"]
    lacking = run("--data", folder / "dicom")
    assert lacking.exit_code == 2 and "there is no key patches.key" in lacking.output
    assert not (folder / "patches.key").exists()
    methods = {one.name: one.method for one in module.figure_methods(SIZE, "layer3")}
    assert methods["Integrated gradients (air)"].baseline == methods["Occlusion (air)"].baseline == -1.0
    other = run("--xai", "Saliency(), InputXGradient", "--device", "cpu")
    assert other.exit_code == 0, other.output
    assert {"saliency", "inputxgradient"} < {
        path.stem.removeprefix(f"{row['name']}-") for path in (tmp_path / "out" / "maps").iterdir()
    }


def test_a_method_that_does_not_suit_the_network_is_told_and_the_others_go_on(made, tmp_path, opened, quick):
    folder, row, _ = made
    unfit = {"Grad-CAM": pc.GradCAM(layer="nowhere")}
    seen(folder, tmp_path, METHODS | unfit)
    told = json.loads((tmp_path / "told" / f"{row['name']}.json").read_text())
    assert [line["name"] for line in told["maps"]] == list(METHODS) and "nowhere" in told["failed"]["Grad-CAM"]
    assert all(set(given[0]) == set(METHODS) for given, _ in quick) and len(quick) == 2
    with pytest.raises(InputError, match="no method suits this network"):
        seen(folder, tmp_path / "none", unfit)


def test_places_count_from_the_patch_into_the_patient(made):
    folder, row, hu = made
    place = lung_ct.place_of(folder / "patches", row)
    assert place.shape == hu.shape and place.size == SIZE
    np.testing.assert_allclose(to_voxels(place.affine, to_world(place.own, (0, 0, 0))), place.first)
    assert np.abs(place.centre - place.middle).max() <= 0.5
    np.testing.assert_allclose(to_world(place.own, (8, 8, 8)), NODULE.centre, atol=1.01)
    steps = to_world(place.own, (1, 2, 3)) - to_world(place.own, (0, 0, 0))
    np.testing.assert_allclose(
        steps, (6, 4, 2), atol=1e-9
    )  # left, back, head of a grid of 2 mm along the patient's axes


@pytest.mark.realdata
def test_a_real_tumour_lies_where_its_own_slices_say(data_dir, tmp_path):
    """Tumour boxes of a real series in millimetres, by the rule of DICOM, against a mark in a NIfTI file of the resampled scan."""
    import csv
    import tarfile

    from test_lung_ct_prepare import reading_of

    with tarfile.open(data_dir / "lung_pet_ct_dx" / "A0001_B_5mm.tar.xz") as archive:
        archive.extractall(tmp_path / "dicom", filter="data")
    with (data_dir / "lung_pet_ct_dx" / "boxes.csv").open() as file:
        boxes = [row for row in csv.DictReader(file) if row["series"] == "A0001_B_5mm"]
    slices = [pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "dicom").rglob("*.dcm")]
    by_sop = {str(one.SOPInstanceUID): one for one in slices}
    corners = []
    for box in boxes:
        one = by_sop[box["sop_uid"]]
        across, down = np.array(one.ImageOrientationPatient, dtype=float).reshape(2, 3)
        for x, y in ((box["xmin"], box["ymin"]), (box["xmax"], box["ymax"])):
            steps = across * float(one.PixelSpacing[1]) * float(x) + down * float(one.PixelSpacing[0]) * float(y)
            corners.append(np.array(one.ImagePositionPatient, dtype=float) + steps)
    (tmp_path / "xml").mkdir()
    (tmp_path / "xml" / "boxes.xml").write_text(reading_of(str(slices[0].SeriesInstanceUID), boxes))
    lung_ct.prepare(tmp_path / "dicom", tmp_path / "xml", tmp_path / "out", lung_ct.Recipe(), lung_seen.KEY)
    index = lung_ct.read_index(tmp_path / "out")
    place = lung_ct.place_of(tmp_path / "out", index[index["label"] == 1].iloc[0])
    ((places, hu),) = lung_ct.contexts(
        tmp_path / "out", tmp_path / "dicom", lung_seen.KEY, [place], tally := lung_ct.Tally()
    )
    assert [one.name for one in places] == [place.name] and not tally.refused
    mark = np.zeros((64, 64, 64), np.float32)
    mark[32, 32, 32] = 1.0
    path = lung_ct.write_nifti(tmp_path / "a.nii.gz", lung_ct.in_whole(mark, place.first, place.shape), place.affine)
    image = nibabel.load(path)
    values = np.asarray(image.dataobj)
    x, y, z = nibabel.affines.apply_affine(image.affine, np.unravel_index(values.argmax(), values.shape))
    assert (np.min(corners, 0) < (-x, -y, z)).all() and ((-x, -y, z) < np.max(corners, 0)).all()
    np.testing.assert_allclose((-x, -y, z), np.mean([np.min(corners, 0), np.max(corners, 0)], 0), atol=6)
    around = hu[tuple(slice(side - 4, side + 5) for side in place.middle)]
    assert -60 < np.median(around) < 100  # soft tissue
