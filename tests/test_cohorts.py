"""The same question of each group: what is split, what is not, names and order, refusals, pictures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import pellucid as pc
from pellucid import plot


def mse(y: np.ndarray, prediction: np.ndarray) -> float:
    return float(np.mean((y - prediction) ** 2))


def people(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(20, 60, n),
            "sex": rng.choice(["m", "f"], n),
            "debt": rng.normal(size=n),
            "pay": rng.normal(size=n),
        }
    )


def risk(frame: pd.DataFrame) -> np.ndarray:
    """Debt counts for women only, pay for all."""
    return np.asarray((frame["sex"] == "f") * frame["debt"] * 2.0 + frame["pay"])


def test_each_group_gets_its_own_answer_and_its_own_labels():
    X = people()
    found = pc.cohorts(pc.importance, risk, X, risk(X), by="sex", metric=(mse, False))
    assert found.names == ("f", "m") and found.rows.tolist() == [(X["sex"] == s).sum() for s in ("f", "m")]
    alone = pc.importance(risk, X[X["sex"] == "f"], risk(X[X["sex"] == "f"]), metric=(mse, False))
    np.testing.assert_array_equal(found["f"].samples, alone.samples)
    assert found["m"].mean[2] == 0 and found["f"].mean[2] > 1
    assert found["f"].baseline == found["m"].baseline == 0  # labels were split with the rows


def test_effects_by_name_of_the_verb_and_with_options():
    X = people()
    found = pc.cohorts("effect", risk, X, "debt", pc.PartialDependence(points=5), by="sex", grid=[0.0, 1.0])
    np.testing.assert_allclose(np.diff(found["f"].mean), 2)
    np.testing.assert_allclose(np.diff(found["m"].mean), 0)
    frame = found.to_frame()
    assert list(frame.columns[:2]) == ["sex", "debt"] and frame["sex"].tolist() == ["f", "f", "m", "m"]


def test_numbers_are_cut_into_quarters_and_few_values_are_not():
    X = people()
    found = pc.cohorts(pc.effect, risk, X, "pay", by="age", grid=[0.0, 1.0])
    assert len(found) == 4 and found.rows.sum() == len(X) and found.rows.min() >= 40
    assert found.names[0].startswith("20 to ")
    labels = np.repeat([3, 1, 2], [50, 100, 50])
    assert pc.cohorts(pc.effect, risk, X, "pay", by=labels, grid=[0.0, 1.0]).names == ("1", "2", "3")


def test_polars_frames_and_rows_without_a_value():
    X = people()
    sex = [None] * 10 + X["sex"].tolist()[10:]

    def paid(frame: pl.DataFrame) -> np.ndarray:
        return frame["pay"].to_numpy()

    found = pc.cohorts(
        pc.effect, paid, pl.DataFrame({**X.to_dict("list"), "sex": sex}), "pay", by="sex", grid=[0.0, 1.0]
    )
    assert found.names == ("f", "m") and found.rows.sum() == 190
    assert "10 of 200 rows" in found.receipt.warnings[0]


def test_a_target_for_each_row_is_split_too():
    X = people(40)

    def both(frame: pd.DataFrame) -> np.ndarray:
        return np.stack([frame["pay"], -frame["pay"]], axis=1)

    target = (X["sex"] == "m").astype(int).to_numpy()
    found = pc.cohorts(pc.effect, both, X, "pay", by="sex", target=target, grid=[0.0, 1.0])
    np.testing.assert_allclose(np.diff(found["f"].mean), 1)
    np.testing.assert_allclose(np.diff(found["m"].mean), -1)


def test_refusals_name_the_group_or_the_remedy():
    X = people(60)
    X["flat"] = np.where(X["sex"] == "m", 1.0, X["pay"])
    with pytest.raises(pc.InputError, match=r"in the group 'm' of 'sex'.*'flat' is constant"):
        pc.cohorts(pc.effect, risk, X, "flat", by="sex")
    with pytest.raises(pc.InputError, match="no column 'race'"):
        pc.cohorts(pc.effect, risk, X, "pay", by="race")
    with pytest.raises(pc.InputError, match="one label a row"):
        pc.cohorts(pc.effect, risk, X, "pay", by=[1, 2])
    with pytest.raises(pc.InputError, match="no frame"):
        pc.cohorts(pc.effect, lambda x: x[:, 0], X[["pay"]].to_numpy(), 0, by="sex")
    with pytest.raises(pc.InputError, match="'why' is no verb"):
        pc.cohorts("why", risk, X, by="sex")
    with pytest.raises(pc.InputError, match="groups are at most"):
        pc.cohorts(pc.effect, risk, X, "pay", by=[f"g{i}" for i in range(60)])
    with pytest.raises(pc.InputError, match="no group 'x'"):
        pc.cohorts(pc.effect, risk, X, "pay", by="sex")["x"]


def test_saved_and_drawn(tmp_path):
    X = people()
    effects = pc.cohorts(pc.effect, risk, X, "debt", by="sex", grid=[0.0, 1.0])
    back = pc.load(effects.save(tmp_path / "c.npz"))
    assert back.names == effects.names
    np.testing.assert_array_equal(back["f"].mean, effects["f"].mean)
    legend = plot.show(effects).get_legend()
    assert [text.get_text().partition(" ")[0] for text in legend.get_texts()] == ["f", "m"]
    ax = plot.show(pc.cohorts(pc.importance, risk, X, risk(X), by="sex", metric=(mse, False)))
    assert {label.get_text() for label in ax.get_yticklabels()} == {"age", "sex", "debt", "pay"}
    many = pc.cohorts(pc.effect, risk, X, "debt", by=np.arange(200) % 8, grid=[0.0, 1.0])
    with pytest.raises(pc.InputError, match="8 groups"):
        plot.show(many)
