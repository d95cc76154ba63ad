"""The border: every kind of model, its default question and scale, and what happens when it misbehaves."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

import pellucid as pc
from nets import Formula, mlp

IRIS, SPECIES = load_iris(return_X_y=True)
CANCER = load_breast_cancer(as_frame=True)
BINARY = SPECIES == 1


def ask(model, x=IRIS[:3], **more) -> pc.Attribution:
    return pc.explain(model, x, pc.Occlusion(), **{"background": IRIS[::30], **more})


def test_a_binary_classifier_is_asked_for_its_second_class():
    model = LogisticRegression(max_iter=1000).fit(IRIS, BINARY)
    record = ask(model)
    assert record.target == pc.Class(1, scale="probability")
    np.testing.assert_allclose(record.scores, model.predict_proba(IRIS[:3])[:, 1])
    np.testing.assert_allclose(ask(model, target="False").scores, model.predict_proba(IRIS[:3])[:, 0])


def test_several_classes_are_asked_for_the_predicted_one():
    model = LogisticRegression(max_iter=1000).fit(IRIS, SPECIES)
    record = ask(model, IRIS[[0, 60, 120]])
    assert record.target == pc.Class((0, 1, 2), scale="probability")
    np.testing.assert_allclose(record.scores, model.predict_proba(IRIS[[0, 60, 120]]).max(1))


def test_scales():
    model = LogisticRegression(max_iter=1000).fit(IRIS, BINARY)
    margin = ask(model, target=pc.Class(1, scale="margin"))
    np.testing.assert_allclose(margin.scores, model.decision_function(IRIS[:3]))
    other = ask(model, target=pc.Class(0, scale="margin"))
    np.testing.assert_allclose(other.values, -margin.values)
    with pytest.raises(pc.TargetError, match="no scale 'odds'; it has probability, margin"):
        ask(model, target=pc.Class(1, scale="odds"))


def test_boosted_trees_speak_in_margins_and_forests_in_probabilities():
    boosted = HistGradientBoostingClassifier(max_iter=5).fit(IRIS, SPECIES)
    record = ask(boosted)
    assert record.receipt.scale == "margin"
    np.testing.assert_allclose(record.scores, boosted.decision_function(IRIS[:3])[:, 0])
    assert ask(RandomForestClassifier(5, random_state=0).fit(IRIS, SPECIES)).receipt.scale == "probability"
    piped = make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=5)).fit(IRIS, SPECIES)
    assert ask(piped).receipt.scale == "margin"


def test_lightgbm_margins():
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(IRIS, SPECIES)
    np.testing.assert_allclose(ask(model).scores, model.predict_proba(IRIS[:3], raw_score=True)[:, 0])


def test_margins_without_probabilities_and_searches_and_regressors():
    record = ask(LinearSVC().fit(IRIS, BINARY))
    assert record.receipt.scale == "margin"
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [1.0]}).fit(IRIS, BINARY)
    assert ask(search).receipt.scale == "probability"
    several = LinearRegression().fit(IRIS, np.c_[IRIS[:, 0], -IRIS[:, 1]])
    np.testing.assert_allclose(ask(several, target=pc.Output(1)).scores, -IRIS[:3, 1])
    one = LinearRegression().fit(IRIS, IRIS[:, 2])
    assert ask(one).target == pc.Output(0, scale="raw")


def test_labels_only_is_refused_with_the_remedy():
    with pytest.raises(pc.ModelError, match=r"class labels only.*predict_proba"):
        from sklearn.neighbors import NearestCentroid

        class Labels(NearestCentroid):
            predict_proba = property()
            decision_function = property()

        ask(Labels().fit(IRIS, BINARY))


def test_unfitted_models_and_wrong_widths():
    with pytest.raises(pc.ModelError, match="not fitted"):
        ask(SVC(probability=False))
    with pytest.raises(pc.InputError, match="3 features, the model was fitted with 4"):
        ask(LinearRegression().fit(IRIS, SPECIES), IRIS[:2, :3], background=IRIS[:5, :3])
    with pytest.raises(pc.InputError, match="2 names for 4 features"):
        ask(lambda x: x.sum(1), names=["a", "b"])


def test_the_model_is_fed_the_users_own_columns():
    """Same columns, order and dtypes in every call, whatever the order of the frame that is explained."""
    x = pd.DataFrame({"a": [1, 2, 3], "b": ["u", "v", "u"], "c": [0.5, 1.5, np.nan], "extra": [0, 0, 0]})
    encode = make_column_transformer((OrdinalEncoder(), ["b"]), remainder="passthrough")
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=1))
    used = x[["a", "b", "c"]]
    model.fit(used, [0, 1, 0])
    fed = []
    inner = model.predict_proba
    spy = type("Spy", (), {"fit": None, "classes_": [0, 1], "feature_names_in_": used.columns,
                           "predict_proba": lambda _s, f: fed.append(f.dtypes) or inner(f),
                           "predict": model.predict})()  # fmt: skip
    record = pc.explain(spy, x[["extra", "c", "b", "a"]], pc.Occlusion(), background=x)
    assert all(dtypes.equals(used.dtypes) for dtypes in fed) and len(fed) > 1
    assert record.feature_names == ("c", "b", "a")


def test_polars_frames_and_functions_of_frames():
    x = pl.DataFrame({"a": [1.0, 2.0], "s": ["u", "v"]})
    record = pc.explain(lambda f: f["a"].to_numpy() + (f["s"] == "u").to_numpy(), x, pc.Occlusion(), background=x[1:])
    np.testing.assert_allclose(record.values, [[-1, 1], [0, 0]])


def test_outputs_of_many_shapes():
    x = np.ones((2, 3))
    for function in (lambda x: x.sum(1), lambda x: x.sum(1, keepdims=True), lambda x: torch.tensor(x).sum(1)):
        np.testing.assert_allclose(ask(function, x, background=np.zeros((1, 3))).values, 1.0)
    boxes = ask(
        lambda x: x[:, None, :] * np.ones((1, 5, 1)), x, background=np.zeros((1, 3)), target=lambda o: o[:, 2, 0]
    )
    np.testing.assert_allclose(boxes.values, [[1, 0, 0]] * 2)
    with pytest.raises(pc.TargetError, match="give a target function"):
        ask(lambda x: x[:, None, :], x, background=np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("function", "error", "says"),
    [
        (lambda x: 1.0, pc.ModelError, "returned a ndarray of shape \\(\\) for 3 rows"),
        (lambda x: x[:1], pc.ModelError, "shape \\(1, 4\\) for 3 rows"),
        (lambda x: np.full(len(x), np.nan), pc.ModelError, "NaN or infinite in 3 of 3"),
        (lambda x: 1 / 0, pc.ModelError, "raised ZeroDivisionError: division by zero on a batch of shape \\(3, 4\\)"),
        (lambda x: np.array(["a"] * len(x)), pc.InputError, "not numbers"),
    ],
)
def test_functions_that_misbehave(function, error: type, says: str):
    with pytest.raises(error, match=says):
        ask(function)


def test_extra_inputs_are_passed_along_by_row():
    def f(x: np.ndarray, offset: np.ndarray) -> np.ndarray:
        return x.sum(1) + offset[:, 0]

    record = pc.explain(f, np.ones((2, 2)), pc.Occlusion(baseline=0.0), extra={"offset": np.array([[10.0], [20.0]])})
    np.testing.assert_allclose(record.scores, [12, 22])
    np.testing.assert_allclose(record.values, 1.0)
    with pytest.raises(pc.InputError, match="'offset' has 1 rows, x has 2"):
        pc.explain(f, np.ones((2, 2)), pc.Occlusion(baseline=0.0), extra={"offset": np.zeros((1, 1))})
    with pytest.raises(pc.InputError, match="wrap the estimator"):
        ask(LinearRegression().fit(IRIS, SPECIES), extra={"a": np.zeros((3, 1))})


def test_a_network_with_extra_inputs():
    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
            return (x * scale).sum(1)

    record = pc.explain(Two(), np.ones((2, 3)), pc.Saliency(), extra={"scale": np.array([[2.0], [3.0]])})
    np.testing.assert_allclose(record.values, [[2] * 3, [3] * 3])


def test_networks_that_cannot_be_differentiated():
    detached = Formula(lambda x: x.detach().sum(1))
    with pytest.raises(pc.ModelError, match="does not depend on its input"):
        pc.explain(detached, np.ones((1, 2)), pc.Saliency())
    with pytest.raises(pc.InputError, match="no gradient: give floats"):
        pc.explain(Formula(lambda x: x.sum(1)), np.ones((1, 4), dtype=int), pc.Saliency())
    with pytest.raises(pc.ModelError, match="returned a tuple, not a tensor"):
        pc.explain(Formula(lambda x: (x, x)), np.ones((1, 2)), pc.Saliency())
    assert (pc.explain(detached, np.ones((1, 2)), pc.Occlusion(baseline=0.0)).values == 1).all()


def test_a_stochastic_network_answers_the_same_twice():
    net = Formula(lambda x: x.sum(1) + torch.rand(len(x)).to(x))
    first, second = (pc.explain(net, np.ones((2, 2)), pc.Occlusion(baseline=0.0)).values for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_inputs_that_are_no_numbers():
    with pytest.raises(pc.InputError, match="not numbers"):
        ask(lambda x: x, np.array([["a"]]))
    with pytest.raises(pc.InputError, match="x is a frame and background is not"):
        pc.explain(lambda f: f["a"], pd.DataFrame({"a": [1.0]}), pc.Occlusion(), background=np.ones((1, 1)))
    with pytest.raises(pc.InputError, match="a torch network takes numbers, and column 'a'"):
        pc.explain(mlp(), pd.DataFrame({"a": ["u"]}), pc.Occlusion(), background=pd.DataFrame({"a": ["u"]}))


def test_methods_and_maskers_in_words_and_in_the_wrong_place():
    record = pc.explain(mlp(), np.ones((1, 4), dtype=np.float32), "IntegratedGradients(steps=4)")
    assert record.method == pc.IntegratedGradients(steps=4)
    assert pc.explain(mlp(), np.ones((1, 4), dtype=np.float32)).method == pc.IntegratedGradients()
    with pytest.raises(pc.MethodError, match="takes no masker"):
        pc.explain(mlp(), np.ones((1, 4), dtype=np.float32), pc.Saliency(), masker="Baseline()")
    with pytest.raises(pc.MethodError, match="is no masker"):
        ask(lambda x: x.sum(1), masker=3)
    with pytest.raises(pc.MethodError, match="does not explain single outputs"):
        pc.explain(mlp(), np.ones((1, 4)), pc.Class(1))
