"""Frames survive the way in and out: same columns, order, dtypes and values."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid import InputError
from pellucid.core.frames import Codec, build


def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "float": [0.5, np.nan, 2.5, -1.0],
            "int": [1, 2, 3, 4],
            "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
            "bool": [True, False, True, True],
            "text": ["a", "b", None, "a"],
            "category": pd.Categorical(["lo", "hi", "lo", None], categories=["lo", "mid", "hi"], ordered=True),
            "date": pd.date_range("2024-01-01", periods=4),
            "big": [2**60, 2**60 + 1, 5, 6],
            "small": np.array([1, 2, 3, 4], dtype=np.int8),
            "half": np.array([0.5, 1, 2, 3], dtype=np.float32),
        }
    )


def test_pandas_comes_back_bit_for_bit():
    frame = mixed()
    codec = Codec.learn(frame)
    pd.testing.assert_frame_equal(codec.decode(codec.encode(frame)), frame)


def test_polars_comes_back_bit_for_bit():
    frame = pl.DataFrame(
        {"f": [0.5, None, 2.5], "i": [1, 2, 3], "s": ["a", None, "b"], "b": [True, False, True], "n": [1, None, 3]},
        schema_overrides={"i": pl.Int16},
    )
    codec = Codec.learn(frame)
    assert codec.decode(codec.encode(frame)).equals(frame)
    assert codec.decode(codec.encode(frame)).schema == frame.schema


def test_columns_are_found_by_name_whatever_their_order():
    frame = mixed()
    codec = Codec.learn(frame)
    shuffled = frame[frame.columns[::-1]]
    np.testing.assert_array_equal(codec.encode(shuffled), codec.encode(frame))
    assert list(codec.decode(codec.encode(frame), list(shuffled.columns)).columns) == list(shuffled.columns)


def test_integer_columns_are_rounded_and_stay_integers():
    codec = Codec.learn(pd.DataFrame({"i": [1, 2]}))
    back = codec.decode(np.array([[1.6], [-0.4]]))
    assert back["i"].dtype == np.int64
    assert back["i"].tolist() == [2, 0]


def test_background_brings_its_own_levels():
    codec = Codec.learn(pd.DataFrame({"s": ["a", "b"]}), pd.DataFrame({"s": ["c", "a"]}))
    assert codec.schema.columns[0].levels == ("a", "b", "c")
    np.testing.assert_array_equal(codec.encode(pd.DataFrame({"s": ["c", "b"]})), [[2], [1]])


def test_a_saved_record_can_build_its_frame_again():
    frame = mixed().drop(columns=["date", "big"])
    codec = Codec.learn(frame)
    readable = codec.schema.readable(codec.encode(frame))
    rebuilt = build(codec.schema, readable)
    pd.testing.assert_frame_equal(rebuilt, frame, check_dtype=True)
    np.testing.assert_array_equal(Codec.recall(codec.schema, readable).encode(frame), codec.encode(frame))


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=1, max_size=8))
def test_any_text_column_round_trips(values: list[str | None]):
    frame = pd.DataFrame({"s": pd.Series(values, dtype=object)})
    codec = Codec.learn(frame)
    assert codec.decode(codec.encode(frame))["s"].tolist() == values


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one column 'a'"),
        (pd.DataFrame({0: [1]}), "not all text"),
    ],
)
def test_frames_that_cannot_be_read(frame: pd.DataFrame, says: str):
    with pytest.raises(InputError, match=says):
        Codec.learn(frame)


def test_a_missing_column_and_an_unknown_value_are_named():
    codec = Codec.learn(pd.DataFrame({"a": [1.0], "s": ["x"]}))
    with pytest.raises(InputError, match="no column 's'"):
        codec.encode(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(InputError, match="holds 'y'"):
        codec.encode(pd.DataFrame({"a": [1.0], "s": ["y"]}))
    with pytest.raises(InputError, match="held numbers"):
        codec.encode(pd.DataFrame({"a": ["x"], "s": ["x"]}))


def test_whole_numbers_that_are_all_missing_are_a_column_of_numbers():
    frame = pd.DataFrame({"a": pd.array([pd.NA, pd.NA], dtype="Int64"), "b": [1.0, 2.0]})
    codec = Codec.learn(frame)
    assert codec.schema.columns[0].kind == "integer" and np.isnan(codec.encode(frame)[:, 0]).all()
    assert codec.decode(codec.encode(frame)).equals(frame)
