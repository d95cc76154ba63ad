"""Where volumes lie in the patient: given or carried by the input, kept by everything that keeps a record, drawn by default."""

import dataclasses

import numpy as np
import pytest
import torch

import pellucid as pc
from pellucid.core.affine import affine_of

SHAPE = (4, 6, 5)
AFFINE = np.array([[0, 0, 0.75, 7], [0, 0.5, 0, -3], [2.5, 0, 0, 11], [0, 0, 0, 1.0]])  # (z, y, x) -> left, back, head
OTHER = AFFINE + np.array([[0, 0, 0, 100], [0, 0, 0, 0], [0, 0, 0, -50], [0, 0, 0, 0.0]])
EACH = np.stack([AFFINE, OTHER])
TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Carrying(torch.Tensor):
    """A tensor that says where it lies, as MONAI's does."""


def carrying(x, affine, **meta):
    made = torch.as_tensor(x).as_subclass(Carrying)
    made.affine, made.meta = torch.as_tensor(affine), meta
    return made


def planted(n=2, **more):
    """Row k is strongest at (1 + k, 2, 3)."""
    values = np.zeros((n, 1, *SHAPE))
    for k in range(n):
        values[k, 0, 1 + k, 2, 3] = 5.0
    return pc.Attribution.from_arrays(values, data=np.zeros_like(values), target=0, **more)


class Sum(torch.nn.Module):
    """The gradient is 1 at one voxel."""

    def forward(self, x):
        return x[:, :, 3, 2, 1] * 2


def strongest(record, row):
    voxel = np.unravel_index(np.abs(record.values[row, 0]).argmax(), SHAPE)
    affine = record.affine if record.affine.ndim == 2 else record.affine[row]
    return (affine @ [*voxel, 1])[:3]


def heads(ax):
    return [text.get_text() for text in ax.texts if text.get_gid() == "head"]


def letters(ax):
    return [text.get_text() for text in ax.texts if text.get_gid() != "head"]


def test_a_planted_voxel_lies_where_it_was_planted():
    record = planted(affine=AFFINE)
    np.testing.assert_allclose(strongest(record, 0), [7 + 3 * 0.75, -3 + 2 * 0.5, 11 + 1 * 2.5])  # left, back, head
    np.testing.assert_allclose(strongest(record, 1), [7 + 3 * 0.75, -3 + 2 * 0.5, 11 + 2 * 2.5])
    apart = planted(affine=EACH)
    np.testing.assert_allclose(strongest(apart, 1), [107 + 3 * 0.75, -3 + 2 * 0.5, -39 + 2 * 2.5])


def test_rows_keep_their_own():
    shared, apart = planted(affine=AFFINE), planted(affine=EACH)
    np.testing.assert_array_equal(shared[1].affine, AFFINE)
    np.testing.assert_array_equal(apart[1].affine, OTHER[None])
    np.testing.assert_array_equal(apart[[1, 0]].affine, EACH[::-1])
    np.testing.assert_array_equal(apart[np.array([True, False])].affine, AFFINE[None])
    assert planted()[1].affine is None
    assert apart[[1, 0]].target == apart.target


@pytest.mark.parametrize("affine", [None, AFFINE, EACH])
def test_it_survives_the_disk_and_replace(affine, tmp_path):
    record = planted(affine=affine)
    back = pc.load(record.save(tmp_path / "a.npz"))
    moved = dataclasses.replace(record, values=record.values * 2)
    for one in (back, moved):
        assert (one.affine is None) == (affine is None)
        if affine is not None:
            np.testing.assert_array_equal(one.affine, affine)
            assert one.affine.dtype == float


def test_the_store_has_read_records_without_one(tmp_path):
    """Files of before: the field is not there."""
    import json

    path = planted().save(tmp_path / "a.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(arrays["header.json"].tobytes())
    del header["record"]["fields"]["affine"]
    np.savez(tmp_path / "b.npz", **arrays | {"header.json": np.frombuffer(json.dumps(header).encode(), np.uint8)})
    assert pc.load(tmp_path / "b.npz").affine is None


@pytest.mark.parametrize(
    ("affine", "says"),
    [
        (np.eye(3), r"shape \(3, 3\): give \(4, 4\), or \(2, 4, 4\) with one for each row"),
        (np.stack([AFFINE] * 3), r"shape \(3, 4, 4\)"),
        (np.where(AFFINE == 7, np.nan, AFFINE), "not finite"),
        (AFFINE @ np.diag([1, 0, 1, 1]), "can be inverted"),
        (AFFINE[:, [1, 1, 2, 3]] * 0.1, "can be inverted"),
        (np.stack([AFFINE, AFFINE @ np.diag([1, 0, 1, 1])]), "can be inverted"),
        (AFFINE.T, "transposed"),
    ],
)
def test_what_leads_nowhere_is_refused(affine, says):
    with pytest.raises(pc.InputError, match=says):
        planted(affine=affine)
    with pytest.raises(pc.InputError, match=says):
        dataclasses.replace(planted(), affine=affine)


@pytest.mark.parametrize("shape", [(2, 3), (2, 1, 4, 5), (2, 3, 4), (2, 1, 2, 3, 4, 5)])
def test_only_volumes_have_one(shape):
    record = pc.Attribution.from_arrays(np.ones(shape), data=np.ones(shape), target=0)
    assert not record.is_volume
    with pytest.raises(pc.InputError, match=r"an affine is for volumes.*leave it out"):
        dataclasses.replace(record, affine=AFFINE)
    with pytest.raises(pc.InputError, match="an affine is for volumes"):
        pc.Attribution.from_arrays(np.ones(shape), data=np.ones(shape), target=0, affine=AFFINE)


def test_what_the_input_carries_is_kept_and_turned():
    x = np.random.default_rng(0).random((2, 1, *SHAPE), dtype=np.float32)
    for given, wanted in (
        (carrying(x, TO_RAS @ AFFINE), AFFINE),  # MONAI's millimetres unless it says otherwise
        (carrying(x, TO_RAS @ AFFINE, space="RAS"), AFFINE),
        (carrying(x, AFFINE, space="LPS"), AFFINE),
        (carrying(x, TO_RAS @ EACH, space=["RAS", "RAS"]), EACH),
        (carrying(x, np.stack([TO_RAS @ AFFINE, OTHER]), space=["RAS", "LPS"]), EACH),
    ):
        record = pc.explain(Sum(), given, pc.Saliency(), target=0)
        np.testing.assert_array_equal(record.affine, wanted)
        np.testing.assert_allclose(strongest(record, 0), [7 + 0.75, -3 + 2 * 0.5, 11 + 3 * 2.5])
        made = pc.Attribution.from_arrays(record.values, data=given, target=0)
        np.testing.assert_array_equal(made.affine, wanted)
        own = pc.Attribution.from_arrays(record.values, data=given, target=0, affine=OTHER)
        np.testing.assert_array_equal(own.affine, OTHER)


def test_what_says_nothing_of_a_volume_is_not_kept():
    x = np.random.default_rng(0).random((2, 1, *SHAPE), dtype=np.float32)
    for given in (
        x,
        torch.as_tensor(x),
        carrying(x, np.eye(4)),  # what MONAI puts where nothing is known
        carrying(x, np.eye(3)),
        carrying(x, AFFINE, space="another"),
    ):
        assert pc.explain(Sum(), given, pc.Saliency(), target=0).affine is None
    picture = carrying(x[:, 0, 0][:, None], AFFINE)
    record = pc.explain(torch.nn.Flatten(), picture, pc.Saliency(), target=0)
    assert record.affine is None
    assert pc.Attribution.from_arrays(record.values, data=picture, target=0).affine is None


def test_an_affine_of_other_rows_is_refused_before_the_model_is_asked():
    asked = []
    given = carrying(np.zeros((3, 1, *SHAPE), np.float32), TO_RAS @ EACH)
    net = Sum()
    net.register_forward_pre_hook(lambda *_: asked.append(1))
    with pytest.raises(pc.InputError, match=r"\(2, 4, 4\): give \(4, 4\), or \(3, 4, 4\)"):
        pc.explain(net, given, pc.Saliency(), target=0)
    assert not asked


def test_functions_of_volumes_without_channels_keep_it_too():
    class Array(np.ndarray):
        affine, meta = EACH, {"space": "LPS"}

    x = np.ones((2, *SHAPE)).view(Array)
    record = pc.explain(lambda p: p.sum((1, 2, 3)), x, pc.Occlusion(window=3))
    assert record.layout == "map"
    np.testing.assert_array_equal(record.affine, EACH)
    with pytest.raises(pc.InputError, match="layout is 'table'"):
        dataclasses.replace(record, layout="table")


def test_rows_that_are_chosen_take_theirs_along():
    x = np.zeros((2, 1, *SHAPE), np.float32)
    x[1, 0, 3, 2, 1] = 9.0  # the first row is undecided, the second is not

    class Two(torch.nn.Module):
        def forward(self, x):
            return torch.stack([-x[:, 0, 3, 2, 1], x[:, 0, 3, 2, 1]], 1)

    selection = pc.explain_when(Two(), carrying(x, EACH, space="LPS"), pc.ExplainWhen(above=0.9), pc.Saliency())
    np.testing.assert_array_equal(selection.attribution.affine, OTHER[None])


def test_monai_reads_alike():
    data = pytest.importorskip("monai.data")
    values = torch.rand(1, *SHAPE)
    one, two = (data.MetaTensor(values, affine=torch.as_tensor(TO_RAS @ affine)) for affine in EACH)
    batch = data.list_data_collate([one, two])
    for given, wanted in ((one[None], AFFINE), (batch, EACH), (batch[1:], OTHER[None])):
        np.testing.assert_array_equal(affine_of(given), wanted)
        record = pc.explain(Sum(), given, pc.InputXGradient(), target=0)
        np.testing.assert_array_equal(record.affine, wanted)
        assert type(record.values) is type(record.data) is np.ndarray
    assert pc.explain(Sum(), data.MetaTensor(values)[None], pc.Saliency(), target=0).affine is None
    assert affine_of(data.MetaTensor(torch.rand(1, 5, 6), affine=torch.eye(3))) is None


@pytest.mark.filterwarnings("ignore:NvImgCodec")
def test_monai_files_lie_where_their_headers_say(tmp_path):
    """A voxel of a NIfTI file, by MONAI's reader into a record, against NIfTI's own rule."""
    nibabel, transforms = pytest.importorskip("nibabel"), pytest.importorskip("monai.transforms")
    header = np.array([[0.5, 0.1, 0, -20], [-0.1, 0.5, 0, 30], [0, 0, 2, 40], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(np.random.default_rng(0).random(SHAPE, np.float32), header), tmp_path / "a.nii")
    x = transforms.LoadImage(image_only=True, ensure_channel_first=True)(tmp_path / "a.nii")
    record = pc.explain(Sum(), x[None], pc.Saliency(), target=0)
    right, front, head = nibabel.affines.apply_affine(header, (3, 2, 1))
    np.testing.assert_allclose(strongest(record, 0), [-right, -front, head], atol=1e-5)


def test_slices_are_turned_by_the_records_own_affine_unless_told():
    record = planted(affine=EACH @ np.diag([-1, 1, 1, 1.0]))
    for ax in (pc.plot.slices(record), pc.plot.show(record), pc.plot.image(record)):
        assert heads(ax) == ["axial, slice 1", "coronal, slice 2", "sagittal, slice 3"]
        assert letters(ax) == [*"RLAP", *"RLSI", *"APSI"]
    spaced = pc.plot.slices(record, spacing=(1, 1, 1))
    assert heads(spaced)[0] == "axis 0, slice 1" and not letters(spaced)
    turned = AFFINE[:, [2, 1, 0, 3]]
    assert heads(pc.plot.slices(record, affine=turned))[0] == "axial, slice 3"
    two = dataclasses.replace(record, affine=np.stack([AFFINE, turned]))
    assert heads(pc.plot.slices(two, row=1))[0] == "axial, slice 3"
    assert heads(pc.plot.show(two, -1))[0] == "axial, slice 3"
    part = pc.plot.slices(record, within=(np.random.default_rng(0).random((9, 9, 9)), (2, 2, 2)))
    assert heads(part) == ["axial, slice 3", "coronal, slice 4", "sagittal, slice 5"]
