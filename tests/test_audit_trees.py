"""The audit of a tree ensemble reads its trees."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler
from sklearn.svm import SVC

import pellucid as pc
from pellucid.report import plan
from pellucid.report.subject import subject


def rows(n: int = 60, p: int = 12) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, p))


def chosen(model, x) -> list[str]:
    return [type(method).__name__ for method in plan.methods(subject(model, x, None, None, None))]


def test_trees_are_read_where_they_can_be():
    x = rows()
    label, value = (x[:, 0] > 0).astype(int), x[:, 0]
    forest = RandomForestRegressor(3, max_depth=3, random_state=0)
    assert chosen(forest.fit(x, value), x)[0] == "TreeShap"
    assert chosen(GradientBoostingClassifier(n_estimators=3).fit(x, label), x)[0] == "TreeShap"
    assert chosen(make_pipeline(StandardScaler(), forest).fit(x, value), x)[0] == "TreeShap"
    assert chosen(SVC().fit(x, label), x)[0] == "KernelShap"
    assert chosen(SVC().fit(x[:, :4], label), x[:, :4])[0] == "ExactShapley"


def test_a_pipeline_that_mixes_columns_is_asked_instead(monkeypatch: pytest.MonkeyPatch):
    x = rows()

    def refuse(*args, **options):
        raise pc.MethodError("these steps are not read")

    model = make_pipeline(PowerTransformer(), RandomForestRegressor(3, random_state=0)).fit(x, x[:, 0])
    monkeypatch.setattr(plan, "explain", refuse)
    assert chosen(model, x)[0] == "KernelShap"


def test_its_values_are_exact_and_on_the_page(tmp_path):
    x = rows(40, 4)
    model = RandomForestRegressor(5, max_depth=3, random_state=0).fit(x, x[:, 0] + x[:, 1] * x[:, 2])
    made = pc.audit(model, x, x[:, 0], rows=2, out=tmp_path, budget=pc.Budget(rows=20_000))
    record = pc.load(tmp_path / made.records["TreeShap values"])
    assert record.method == pc.TreeShap() and np.abs(record.gap).max() < 1e-9
    assert (record.stderr >= 0).all() and record.stderr.max() > 0  # over background rows
    assert "TreeShap" in (tmp_path / "audit.html").read_text(encoding="utf-8")
