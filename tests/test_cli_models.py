"""Opening models: what is trusted is opened, what is not is refused with the reason and the remedy."""

from __future__ import annotations

import pickle
import sys
import textwrap
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from pellucid.cli.models import load_model
from pellucid.core.errors import ModelError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


class Bomb:
    """A pickle that leaves a mark when it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.write_text, (self.mark, "opened")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and the module search path as it was, afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.fixture
def module(here: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a module into the current folder."""

    def write(code: str, name: str = "my_models") -> None:
        monkeypatch.delitem(sys.modules, name, raising=False)
        (here / f"{name}.py").write_text(textwrap.dedent(code))

    yield write
    sys.modules.pop("my_models", None)


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=3),
        RandomForestClassifier(3),
        GradientBoostingClassifier(n_estimators=3),
        make_pipeline(SimpleImputer(), LogisticRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_scikit_learn_open_without_a_word(here: Path, model: Any):
    skops = pytest.importorskip("skops.io")
    model.fit(X, Y)
    skops.dump(model, here / "model.skops")
    assert (load_model("model.skops").predict_proba(X) == model.predict_proba(X)).all()


def test_other_types_are_named_and_opened_only_when_trusted(here: Path):
    skops = pytest.importorskip("skops.io")
    model = make_pipeline(FunctionTransformer(np.memmap), LogisticRegression())
    model[-1].fit(X, Y)
    skops.dump(model, "model.skops")
    (held,) = skops.get_untrusted_types(file="model.skops")
    with pytest.raises(ModelError, match=rf"nobody vouched for: {held}\..*add --trust {held}\.$"):
        load_model("model.skops")
    assert isinstance(load_model("model.skops", trusted=[held])[-1], LogisticRegression)
    with pytest.raises(ModelError, match="nobody vouched"):
        load_model("model.skops", trusted=["something.else"])


@pytest.mark.parametrize("content", [b"hello", pickle.dumps(LogisticRegression()), b"PK\x05\x06" + bytes(18)])
def test_a_file_of_another_kind_is_no_skops_file(here: Path, content: bytes):
    (here / "model.skops").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.skops is not a \.skops file"):
        load_model("model.skops", trust_pickle=True)


@pytest.mark.parametrize("name", ["model.pkl", "model.pickle", "model.joblib", "model.PKL"])
def test_a_pickle_stays_closed_until_it_is_trusted(here: Path, name: str):
    mark = here / "mark"
    (here / name).write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelError, match=r"runs whatever code.*--trust-pickle"):
        load_model(name)
    assert not mark.exists()
    load_model(name, trust_pickle=True)
    assert mark.read_text() == "opened"


def test_trusted_pickles_are_models(here: Path):
    model = LogisticRegression().fit(X, Y)
    (here / "model.pkl").write_bytes(pickle.dumps(model))
    joblib.dump(model, here / "model.joblib", compress=3)
    for name in ("model.pkl", "model.joblib"):
        assert (load_model(name, trust_pickle=True).coef_ == model.coef_).all()


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib"])
def test_a_broken_pickle(here: Path, name: str):
    (here / name).write_bytes(b"cgone\nGone\n.")
    with pytest.raises(ModelError, match=r"could not be opened \(ModuleNotFoundError: No module named 'gone'\)"):
        load_model(name, trust_pickle=True)


@pytest.mark.parametrize("name", ["net.pt", "net.PTH"])
def test_weights_are_no_network(here: Path, name: str):
    (here / name).write_bytes(b"")
    with pytest.raises(ModelError, match=r"dictionary of weights.*weights_only=True.*package\.module:factory"):
        load_model(name)


@pytest.mark.parametrize("given", ["model.onnx", "model", "rows.csv", "my models:build", ":build", "models:", ""])
def test_anything_else_is_named_with_what_is_accepted(here: Path, given: str):
    with pytest.raises(
        ModelError, match=r"not a model that can be opened: give a \.skops file, package\.module:factory"
    ):
        load_model(given)


def test_a_missing_file(here: Path):
    with pytest.raises(ModelError, match=r"'gone\.skops': there is no such file"):
        load_model("gone.skops")


MODULE = """
    import functools

    calls = []

    def build(size=2):
        calls.append("build")
        return lambda x: x[:, :size].sum(axis=1)

    def score(x):
        return x.sum(axis=1)

    class Net:
        def __init__(self):
            calls.append("Net")

        def __call__(self, *x):
            calls.append("__call__")

        inner = staticmethod(score)

    class Estimator:
        def fit(self, X, y): ...
        def predict(self, X): ...

    estimator = Estimator()
    built = Net()
    three = functools.partial(build, size=3)

    def nothing():
        return None

    def broken():
        raise RuntimeError("no weights\\nsecond line")
"""


def test_factories_are_called_and_models_are_not(module):
    module(MODULE)
    made = load_model("my_models:build")
    calls = sys.modules["my_models"].calls
    assert made(np.ones((1, 3))) == 2 and calls == ["Net", "build"]
    assert load_model("my_models:three")(np.ones((1, 3))) == 3
    assert load_model("my_models:score") is sys.modules["my_models"].score
    assert load_model("my_models:Net.inner") is sys.modules["my_models"].score
    assert load_model("my_models:built") is sys.modules["my_models"].built
    assert load_model("my_models:estimator") is sys.modules["my_models"].estimator
    assert type(load_model("my_models:Net")).__name__ == "Net"
    assert calls == ["Net", "build", "build", "Net"]


def test_a_network_is_a_model_though_it_can_be_called(module):
    torch = pytest.importorskip("torch")
    module("import torch\nnet = torch.nn.Linear(2, 1)\n\ndef build():\n    return net\n")
    assert isinstance(load_model("my_models:net"), torch.nn.Module)
    assert load_model("my_models:build") is load_model("my_models:net")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("my_models:nothing", "calling it returned nothing"),
        ("my_models:broken", r"calling it raised RuntimeError: no weights\.$"),
        ("my_models:scor", r"there is no 'scor' in it\. Did you mean 'score'\?"),
        ("my_models:Net.outer", r"there is no 'outer' in it"),
        ("gone_models:build", "there is no module 'gone_models'"),
        ("my_models.gone:build", "importing my_models.gone raised|there is no module 'my_models.gone'"),
    ],
)
def test_what_is_wrong_with_a_module_is_said(module, given: str, said: str):
    module(MODULE)
    with pytest.raises(ModelError, match=said):
        load_model(given)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import gone_elsewhere", "importing my_models raised ModuleNotFoundError: No module named 'gone_elsewhere'"),
        ("1 / 0", "importing my_models raised ZeroDivisionError"),
        ("def (", "importing my_models raised SyntaxError"),
        ("raise SystemExit(3)", "importing my_models raised SystemExit"),
    ],
)
def test_a_module_that_fails_says_why(module, code: str, said: str):
    module(code)
    with pytest.raises(ModelError, match=said):
        load_model("my_models:build")
