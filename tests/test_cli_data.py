"""Reading rows: the right numbers, or the line that is wrong."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression

from pellucid.cli.data import choose, others, read_csv, read_features, read_rows, reference, suited
from pellucid.core.errors import InputError, MissingDependency


@pytest.fixture
def write(tmp_path: Path):
    """Write a text (or bytes) to a file and give its path."""

    def write(text: str | bytes, name: str = "rows.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_table_and_its_labels(write):
    rows = read_rows(write("a,b,kind\n1,x,yes\n2.5,,no\n"), "kind")
    assert list(rows.x.columns) == ["a", "b"] and len(rows) == 2
    assert rows.x["a"].tolist() == [1, 2.5] and pd.isna(rows.x["b"][1])
    assert rows.y.tolist() == ["yes", "no"] and rows.source == "rows.csv" and rows.doubts == ()
    taken = rows.take(np.array([1]))
    assert taken.y.tolist() == ["no"] and taken.x["a"].tolist() == [2.5]


def test_other_separators_marks_and_lines(write):
    expected = [[1.5, 2.0], [3.0, 4.0]]
    for text, name in [
        ("a\tb\n1.5\t2\n3\t4\n", "rows.tsv"),
        ("\ufeffa,b\r\n1.5,2\r\n3,4\r\n", "rows.csv"),
        ('\n"a",b\n\n"1.5",2\n3,4', "rows.CSV"),
    ]:
        frame = read_rows(write(text, name)).x
        assert list(frame.columns) == ["a", "b"] and frame.to_numpy().tolist() == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n", r"rows.csv, line 3: 1 field, the header has 2"),
        ("a,b\n1,2\n\n3,4,5\n", r"rows.csv, line 4: 3 fields, the header has 2"),
        ('a,b\n"1\n1",2\n3,4,5\n', r"rows.csv, line 4: 3 fields"),
        ("a,b,a\n1,2,3\n", r"more than one column 'a'"),
        ("", r"rows.csv is empty"),
        ("\n\n", r"rows.csv is empty"),
        ("a,b\n", r"no rows below its header"),
        ('a,b\n1,"2\n', r"cannot be read as a table"),
        (b"a,b\n1,\xff\n", r"not UTF-8"),
    ],
)
def test_a_broken_table_is_named_by_its_line(write, text: str | bytes, said: str):
    with pytest.raises(InputError, match=said):
        read_rows(write(text))


@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.text("ab,\"'\n é", min_size=1)),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_pandas_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: list[tuple[float, str]]):
    frame = pd.DataFrame(values, columns=["number", "text"])
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    frame.to_csv(path, index=False)
    back = read_csv(path)
    assert np.allclose(back["number"], frame["number"], rtol=1e-15, atol=0)
    assert back["text"].tolist() == pd.read_csv(io.StringIO(frame.to_csv(index=False)))["text"].tolist()


def test_the_label_must_be_there_and_filled(write):
    path = write("age,kind\n1,yes\n2,\n")
    with pytest.raises(InputError, match=r"no column 'kin'; did you mean 'kind'\?$"):
        read_rows(path, "kin")
    with pytest.raises(InputError, match=r"no column 'zzz'; it has age, kind\.$"):
        read_rows(path, "zzz")
    with pytest.raises(InputError, match=r"row 1: the label column 'kind' is empty"):
        read_rows(path, "kind")


def test_a_word_among_numbers_is_a_doubt_with_its_line(write):
    numbers = "".join(f"{i},b{i}\n" for i in range(50))
    rows = read_rows(write("a,b\n" + numbers + "\n12.x,b\n" + numbers))
    assert rows.doubts == ("rows.csv, line 53: column 'a' holds '12.x', and almost every other row a number",)


def test_codes_and_words_are_no_doubt(write):
    codes = "".join(f"{i % 7 if i % 3 else 'V' + str(i)},w{i},\n" for i in range(60))
    assert read_rows(write("code,word,empty\n" + codes)).doubts == ()


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "rows.skops", "rows.npzz"])
def test_other_kinds_of_files_are_refused_by_name(write, name: str):
    with pytest.raises(InputError, match=rf"{name} is no data that can be read: give \.csv"):
        read_rows(write("a,b\n1,2\n", name))


def test_a_missing_file(tmp_path: Path):
    with pytest.raises(InputError, match=r"there is no file .*none\.csv"):
        read_rows(tmp_path / "none.csv")


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is here")
def test_parquet_without_pyarrow_says_what_to_install(write):
    with pytest.raises(MissingDependency, match="pip install pyarrow"):
        read_rows(write(b"PAR1", "rows.parquet"))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="needs pyarrow")
def test_parquet(tmp_path: Path):
    pd.DataFrame({"a": [1.5], "kind": ["x"]}).to_parquet(tmp_path / "rows.parquet")
    rows = read_rows(tmp_path / "rows.parquet", "kind")
    assert rows.x.to_numpy().tolist() == [[1.5]] and rows.y.tolist() == ["x"]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_rows(tmp_path / "bad.parquet")


def test_arrays(tmp_path: Path):
    x, y = np.arange(12.0).reshape(3, 2, 2), np.array([0, 1, 0])
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "both.npz", x=x, y=y)
    np.savez(tmp_path / "one.npz", pictures=x)
    assert (read_rows(tmp_path / "x.npy").x == x).all()
    assert (read_rows(tmp_path / "one.npz").x == x).all()
    both = read_rows(tmp_path / "both.npz", "y")
    assert (both.x == x).all() and (both.y == y).all()
    assert (both.take(np.array([2])).x == x[2:]).all()


@pytest.mark.parametrize(
    ("arrays", "label", "said"),
    [
        ({"x": np.zeros(3)}, None, r"expected \(n, \*features\)"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(2)}, "y", r"labels of shape \(2,\)"),
        ({"x": np.zeros((3, 2))}, "y", r"no array 'y'"),
        ({"a": np.zeros((3, 2)), "b": np.zeros((3, 2))}, None, r"holds a, b: name the one"),
        ({"x": np.zeros((0, 2))}, None, r"no rows"),
        ({"x": np.array([[{}]], dtype=object)}, None, r"without unpickling"),
    ],
)
def test_arrays_that_are_no_rows(tmp_path: Path, arrays: dict[str, Any], label: str | None, said: str):
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(InputError, match=said):
        read_rows(tmp_path / "rows.npz", label)


def test_a_file_that_is_no_array(write):
    for name in ("rows.npy", "rows.npz"):
        with pytest.raises(InputError, match="is not an array"):
            read_rows(write(b"hello", name))


@pytest.mark.parametrize(
    ("picks", "rows"),
    [
        ((2,), [2]),
        ((-1,), [9]),
        ((slice(0, 3),), [0, 1, 2]),
        ((slice(-2, None), 0, 9), [8, 9, 0]),
        ((slice(5, 99),), [5, 6, 7, 8, 9]),
    ],
)
def test_rows_are_chosen_in_order_and_once(picks: Any, rows: list[int]):
    assert choose(picks, 10, "rows.csv").tolist() == rows


@pytest.mark.parametrize(
    ("picks", "said"),
    [((10,), "there is no row 10; rows.csv has 10 rows, numbered 0 to 9"), ((slice(10, 12),), "picks no row")],
)
def test_rows_that_are_not_there(picks: Any, said: str):
    with pytest.raises(InputError, match=said):
        choose(picks, 10, "rows.csv")


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_reference_rows_are_never_explained_rows(seed: int, size: int):
    x = np.random.default_rng(seed).integers(0, 3, (30, 3)).astype(float)  # many rows are alike
    x[0, 0] = np.nan
    drawn = others(x, x[:4], size)
    rest = [i for i in range(30) if not any(np.array_equal(x[i], row, equal_nan=True) for row in x[:4])]
    assert len(drawn) == min(size, len(rest)) and set(drawn) <= set(rest) and (np.diff(drawn) > 0).all()
    assert (others(x, x[:4], size) == drawn).all()


def test_frames_are_told_apart_by_what_they_hold_as_a_record_keeps_it():
    frame = pd.DataFrame({"n": [1, 2, 1, 3], "w": ["a", None, "a", "b"], "f": [0.0, np.nan, -0.0, 1.0]})
    kept = np.array([[1.0, "a", 0.0], [2.0, None, np.nan]], dtype=object)
    assert others(np.array([[0.0], [-0.0], [1.0]]), np.array([[-0.0]]), 9).tolist() == [2]
    assert others(frame, kept, 9).tolist() == others(frame, frame.iloc[:2], 9).tolist() == [3]


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(20, 3)), columns=["a", "b", "c"])


def test_a_model_gets_the_rows_it_was_fitted_on(frame: pd.DataFrame):
    y = np.arange(20) % 2
    by_name = LogisticRegression().fit(frame[["c", "a"]], y)
    x, names = suited(by_name, frame)
    assert list(x.columns) == ["a", "c"] and names is None
    x, names = suited(LinearRegression().fit(frame.to_numpy(), y), frame)
    assert isinstance(x, np.ndarray) and (x == frame.to_numpy()).all() and names == ("a", "b", "c")
    x, names = suited(lambda rows: rows["a"], frame)
    assert x is frame and names is None
    array = frame.to_numpy()
    assert suited(by_name, array) == (array, None)


def test_a_network_gets_numbers(frame: pd.DataFrame):
    torch = pytest.importorskip("torch")
    x, names = suited(torch.nn.Linear(3, 1), frame)
    assert isinstance(x, np.ndarray) and names == ("a", "b", "c")
    with pytest.raises(InputError, match="column 'w' holds no numbers"):
        suited(torch.nn.Linear(4, 1), frame.assign(w="x"))


def test_reference_rows_fit_the_model_and_leave_the_explained_out(tmp_path: Path, frame: pd.DataFrame):
    path = tmp_path / "other.csv"
    frame.assign(kind=1, extra=2).to_csv(path, index=False)
    model = LogisticRegression().fit(frame[["c", "a"]], np.arange(20) % 2)
    explained = suited(model, read_csv(path))[0].iloc[:3]
    rows = reference(model, read_features(path, "kind"), explained, 5)
    assert list(rows.x.columns) == ["a", "c"] and len(rows) == 5
    assert not set(map(tuple, rows.x.to_numpy())) & set(map(tuple, explained.to_numpy()))
    again = reference(model, read_features(path, None, ["a", "c"]), explained.to_numpy(), 5)
    assert again.x.equals(rows.x)
