"""Records: slicing, collapsing, naming, what other libraries computed, and the way to disk and back."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import pellucid as pc
from pellucid.core.budget import Receipt


def plus(x: np.ndarray) -> np.ndarray:
    return x @ np.array([2.0, -3.0, 0.5])


@pytest.fixture
def table() -> pc.Attribution:
    x = np.array([[1.0, 2, 4], [0, 1, 0]])
    return pc.explain(plus, x, pc.Occlusion(), background=np.zeros((1, 3)), names=["a", "b", "c"])


def test_top_names_the_largest_values_first(table: pc.Attribution):
    assert table.top(2) == [("b", -6.0), ("a", 2.0)]
    assert table.top(1, row=1) == [("b", -3.0)]


def test_slicing_selects_rows_and_keeps_the_row_axis(table: pc.Attribution):
    one = table[1]
    assert one.values.shape == (1, 3)
    np.testing.assert_array_equal(one.values[0], table.values[1])
    np.testing.assert_array_equal(table[[1, 0]].scores, table.scores[::-1])
    assert len(table[np.array([True, False])]) == 1


def test_to_frame_has_a_line_per_row_and_feature(table: pc.Attribution):
    frame = table.to_frame()
    assert frame.shape == (6, 4)
    assert frame.loc[1].tolist() == [0, "b", 2.0, -6.0]


def test_collapse_folds_channels_only():
    values = np.arange(12.0).reshape(1, 3, 2, 2) - 5
    record = pc.Attribution.from_arrays(values, data=np.zeros((1, 3, 2, 2)), target=0)
    np.testing.assert_array_equal(record.collapse("sum"), values.sum(1))
    np.testing.assert_array_equal(record.collapse("max"), np.abs(values).max(1))
    np.testing.assert_allclose(record.collapse("l2"), np.sqrt((values**2).sum(1)))
    with pytest.raises(pc.InputError, match="choose 'max'"):
        record.collapse("mean")  # type: ignore[arg-type]
    last = pc.Attribution.from_arrays(np.ones((1, 6, 6, 3)), data=np.zeros((1, 6, 6, 3)), target=0)
    assert last.layout == "channels-last" and last.collapse().shape == (1, 6, 6)


def test_arrays_of_other_libraries_become_records():
    values = torch.tensor([[0.5, -1.5]], requires_grad=True)
    frame = pd.DataFrame({"age": [3], "job": ["x"]})
    record = pc.Attribution.from_arrays(values, data=frame, target=1, base_values=2.0, scores=[1.0])
    assert record.top(1) == [("job", -1.5)]
    np.testing.assert_allclose(record.gap, [0.0])
    assert record.target == pc.Class(1)
    assert record.data.tolist() == [[3.0, "x"]]
    unknown = pc.Attribution.from_arrays(values, data=np.zeros((1, 2)), target=None)
    assert np.isnan(unknown.gap).all()


@pytest.mark.parametrize(
    ("values", "data", "says"),
    [
        (np.ones((2, 3)), np.ones((1, 3)), "do not describe"),
        (np.ones((1, 4)), np.ones((1, 3)), "do not fit"),
        (np.full((1, 3), np.nan), np.ones((1, 3)), "NaN"),
        (np.ones((1, 5, 5)), np.ones((1, 3, 4, 4)), "fit neither"),
        (np.ones((0, 3)), np.ones((0, 3)), "do not describe"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(values: np.ndarray, data: np.ndarray, says: str):
    with pytest.raises(pc.InputError, match=says):
        pc.Attribution.from_arrays(values, data=data, target=0)


def test_a_record_survives_the_disk(table: pc.Attribution, tmp_path: Path):
    back = pc.load(table.save(tmp_path / "a.npz"))
    assert type(back) is pc.Attribution
    for name in ("values", "scores", "base_values", "gap", "data", "done"):
        np.testing.assert_array_equal(getattr(back, name), getattr(table, name))
    assert (back.target, back.method, back.receipt) == (table.target, table.method, table.receipt)
    assert back.feature_names == ("a", "b", "c") and back.layout == "table"


def test_frames_survive_the_disk(tmp_path: Path):
    x = pd.DataFrame({"a": [1.0, 2.0], "s": ["u", None]})
    record = pc.explain(lambda f: f["a"].to_numpy() + f["s"].isna(), x, pc.Occlusion(), background=x)
    back = pc.load(record.save(tmp_path / "a.npz"))
    assert back.schema == record.schema
    assert back.data.tolist() == [[1.0, "u"], [2.0, None]]


def test_players_survive_the_disk(tmp_path: Path):
    record = pc.explain(lambda x: x.sum((1, 2)), np.ones((2, 4, 4)), pc.Occlusion(window=2))
    back = pc.load(record.save(tmp_path / "a.npz"))
    np.testing.assert_array_equal(back.players.labels, record.players.labels)
    assert back[0].players.values.shape == (1, 4)
    assert record.top(1) == [("(0, 0)", 4.0)]


def test_a_user_function_is_not_stored_but_the_rest_is(tmp_path: Path):
    record = pc.explain(lambda x: np.c_[x, x], np.ones((1, 2)), pc.Occlusion(), background=np.zeros((1, 2)),
                        target=lambda out: out[:, 0])  # fmt: skip
    back = pc.load(record.save(tmp_path / "a.npz"))
    assert back.target is None
    np.testing.assert_array_equal(back.values, record.values)


def test_the_file_holds_no_pickle_and_appears_whole(table: pc.Attribution, tmp_path: Path):
    path = table.save(tmp_path / "a.npz")
    assert all(not name.endswith((".pkl", ".pickle")) for name in zipfile.ZipFile(path).namelist())
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(file["header.json"].tobytes())["format"] == 1


def test_other_files_are_refused(tmp_path: Path):
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.ones(2))
    np.savez(tmp_path / "pickled.npz", **{"header.json": np.array([{"a": 1}], dtype=object)})
    for name in ("text", "other", "pickled"):
        with pytest.raises(pc.StoreError, match=f"{name}.npz"):
            pc.load(tmp_path / f"{name}.npz")


def test_a_file_can_name_nothing_but_records(tmp_path: Path):
    header = json.dumps({"format": 1, "record": {"class": "Popen", "fields": {"args": "true"}}})
    np.savez(tmp_path / "evil.npz", **{"header.json": np.frombuffer(header.encode(), np.uint8)})
    with pytest.raises(pc.StoreError, match="Popen"):
        pc.load(tmp_path / "evil.npz")


def test_the_receipt_is_json_without_paths(table: pc.Attribution):
    facts = json.loads(table.receipt.to_json())
    assert facts["method"] == "Occlusion(window=None, stride=None, baseline=None)"
    assert facts["target"] == "Output(index=0, scale='raw')" and facts["masker"] == "Columns()"
    assert facts["rows_forward"] == 2 + 2 * 5 and facts["rows_backward"] == 0
    assert "/" not in json.dumps({**facts, "versions": {}})
    assert isinstance(table.receipt, Receipt) and facts["versions"]["numpy"] == np.__version__
