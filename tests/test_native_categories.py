"""Frames with categories that boosted trees take as they are: every verb, and what the model is fed meanwhile."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pellucid as pc
from native_tables import KINDS, ask_everything, booster, check_brute, check_fed, watched


def people(n: int = 500) -> tuple[pd.DataFrame, np.ndarray]:
    """Categories with a gap, an order of their own, one that nobody has, whole numbers, and numbers with gaps."""
    rng = np.random.default_rng(0)
    town = rng.choice(["Ulm", "Rom", "Bonn"], n)
    grade = rng.choice([7, 3, 9], n)
    frame = pd.DataFrame(
        {
            "town": pd.Categorical(town, categories=["Ulm", "Oslo", "Rom", "Bonn"]),
            "age": rng.integers(18, 70, n),
            "grade": pd.Categorical(grade, categories=[9, 7, 3], ordered=True),
            "pay": np.where(rng.random(n) < 0.1, np.nan, rng.normal(30, 8, n)).astype("float32"),
        }
    )
    frame.loc[::19, "town"] = None
    odds = 2.0 * (town == "Rom") - 1.5 * (grade == 3) + 0.06 * (frame["age"] - 44) + 0.3 * rng.normal(size=n)
    return frame, (odds > 0).astype(int)


@pytest.mark.parametrize("kind", KINDS)
def test_every_verb_on_native_categories(kind: str, monkeypatch: pytest.MonkeyPatch):
    X, y = people()
    model = booster(kind).fit(X[:300], y[:300])
    held, truth = X[300:].reset_index(drop=True), y[300:]
    check_brute(model, held, "town")
    kept = held.copy()
    fed = watched(model, monkeypatch)
    plain = ask_everything(model, held, truth, "town", "age")
    check_fed(fed, X)
    assert np.abs(plain["TreeShap"]).mean(axis=0).argmax() != sorted(X.columns).index("pay")
    fed.clear()
    shuffled = ask_everything(model, held[["pay", "grade", "town", "age"]], truth, "town", "age")
    check_fed(fed, X)  # in the order that the model was fitted in
    for name in plain.keys() - {"LIME"}:  # whose draws belong to a place
        np.testing.assert_allclose(shuffled[name], plain[name], rtol=1e-6, atol=1e-7, err_msg=name)
    pd.testing.assert_frame_equal(held, kept)


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_that_the_rows_do_not_have_is_still_known(kind: str):
    X, y = people()
    model = booster(kind).fit(X, y)
    assert "Oslo" not in pc.effect(model, X, "town").grid
    made = pc.effect(model, X, "town", grid=["Rom", "Oslo"])
    assert made.density.tolist() == [int((X["town"] == "Rom").sum()), 0] and np.isfinite(made.mean).all()
