"""A few rows asked of a model's own trees: the same to the bit as its front door, and the front door wherever that is not sure."""

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

import pellucid as pc
from pellucid.models import quick

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 5))
Y = X[:, 0] * X[:, 1] + X[:, 2]
CLASSES = np.digitize(Y, [-0.5, 0.5])
LIGHT = {"n_estimators": 9, "verbose": -1, "n_jobs": 1}

ASKED = [
    (RandomForestRegressor(9, random_state=0), Y, "raw", lambda m, x: m.predict(x)),
    (ExtraTreesRegressor(9, random_state=0), Y, "raw", lambda m, x: m.predict(x)),
    (RandomForestClassifier(9, random_state=0), CLASSES, "probability", lambda m, x: m.predict_proba(x)),
    (GradientBoostingRegressor(n_estimators=9), Y, "raw", lambda m, x: m.predict(x)),
    (GradientBoostingRegressor(n_estimators=9, loss="quantile"), Y, "raw", lambda m, x: m.predict(x)),
    (HistGradientBoostingRegressor(max_iter=9), Y, "raw", lambda m, x: m.predict(x)),
    (HistGradientBoostingRegressor(max_iter=9, loss="poisson"), Y**2, "raw", lambda m, x: m.predict(x)),
    (HistGradientBoostingClassifier(max_iter=9), CLASSES, "margin", lambda m, x: m.decision_function(x)),
    (HistGradientBoostingClassifier(max_iter=9), CLASSES > 0, "margin", lambda m, x: m.decision_function(x)),
    (lightgbm.LGBMRegressor(**LIGHT), Y, "raw", lambda m, x: m.predict(x)),
    (lightgbm.LGBMClassifier(**LIGHT), CLASSES, "margin", lambda m, x: m.predict_proba(x, raw_score=True)),
]


@pytest.mark.parametrize(("model", "y", "scale", "front"), ASKED, ids=lambda v: type(v).__name__)
def test_answers_are_those_of_the_front_door_to_the_bit(model, y, scale, front):
    model.fit(X, y)
    for rows in (X[:1], X[:7], X[:7].astype(np.float32)):
        found = quick.answer(model, rows, scale)
        assert found is not None
        np.testing.assert_array_equal(found, front(model, rows))


def test_a_forest_stays_the_same_under_any_number_of_jobs():
    model = RandomForestRegressor(9, random_state=0, n_jobs=2).fit(X, Y)
    alone = RandomForestRegressor(9, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(quick.answer(model, X[:3], "raw"), alone.predict(X[:3]))


class Doubled(RandomForestRegressor):
    def predict(self, rows):
        return 2 * super().predict(rows)


def _patched():
    model = RandomForestRegressor(5, random_state=0).fit(X, Y)
    model.predict = lambda rows: np.full(len(rows), 7.0)
    return model


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        (Doubled(5, random_state=0).fit(X, Y), X[:1]),
        (_patched(), X[:1]),
        (RandomForestRegressor(5).fit(X, Y), X[: quick.MOST + 1]),
        (RandomForestRegressor(5).fit(X, Y), np.full((1, 5), np.nan)),
        (RandomForestRegressor(5).fit(X, Y), np.full((1, 5), 1e300)),
        (RandomForestRegressor(5).fit(X, np.stack([Y, Y], axis=1)), X[:1]),
        (RandomForestRegressor(5), X[:1]),
        (GradientBoostingRegressor(n_estimators=5, init=RandomForestRegressor(3)).fit(X, Y), X[:1]),
        (HistGradientBoostingRegressor(max_iter=3, categorical_features=[0]).fit(np.abs(X).round(), Y), X[:1]),
        (lightgbm.LGBMRegressor(**LIGHT, pred_early_stop=True).fit(X, Y), X[:1]),
        (lightgbm.LGBMRegressor(**LIGHT), X[:1]),
    ],
)
def test_what_is_not_known_to_be_the_same_goes_through_the_front_door(model, rows):
    assert quick.answer(model, rows, "raw") is None


def test_a_model_of_its_own_making_is_explained_by_its_own_answer():
    a = pc.explain(_patched(), X[:1], pc.KernelShap(), background=X[1:9])
    np.testing.assert_array_equal(a.scores, [7.0])
    b = pc.explain(Doubled(5, random_state=0).fit(X, Y), X[:1], pc.KernelShap(), background=X[1:9])
    single = RandomForestRegressor(5, random_state=0).fit(X, Y).predict(X[:1])
    np.testing.assert_array_equal(b.scores, 2 * single)


@pytest.mark.parametrize(
    "model",
    [GradientBoostingClassifier(n_estimators=3), xgboost.XGBClassifier(n_estimators=3, n_jobs=1), ASKED[0][0]],
    ids=lambda m: type(m).__name__,
)
def test_random_states_are_left_alone(model):
    model.fit(X, CLASSES)
    assert quick.steady(model) and not quick.steady(_patched()) and not quick.steady(Doubled())
    before = np.random.get_state()[1].copy()
    pc.explain(model, X[:2], pc.TreeShap())
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_a_target_that_draws_is_seeded_all_the_same():
    model = RandomForestRegressor(5, random_state=0).fit(X, Y)
    before = np.random.get_state()[1].copy()
    with pytest.raises(pc.TargetError, match="a function of them need not"):
        pc.explain(model, X[:2], pc.TreeShap(), target=lambda out: out[:, 0] + np.random.normal(size=len(out)))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
