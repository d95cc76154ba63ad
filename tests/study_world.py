"""A study on the breast cancer table that ships with scikit-learn: two models, their explanations, every kind of task."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pellucid as pc
from pellucid.studies import human

COLUMNS = ["mean radius", "mean texture", "mean smoothness", "mean concavity", "worst area", "worst symmetry"]
WRONG = "ward number"


@cache
def world() -> SimpleNamespace:
    """Rows, a sound model, and one that rests on a ward number which is the diagnosis in training rows only."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    rng = np.random.default_rng(0)
    X, names = X[COLUMNS], np.array(["malignant", "benign"])[y]
    train, test = np.arange(len(X)) % 2 == 0, np.arange(len(X)) % 2 == 1
    ward = np.where(train, y + 0.1 * rng.random(len(y)), rng.random(len(y))).round(2)
    X = X.assign(**{WRONG: ward})
    sound = _fitted(X[train].assign(**{WRONG: 0.0}), names[train])
    broken = _fitted(X[train], names[train])
    shown = X[test].iloc[:12]
    explained = [
        pc.explain(model, shown, pc.KernelShap(samples=256), target="malignant", background=X[train][:20])
        for model in (sound, broken)
    ]
    return SimpleNamespace(
        X=X,
        y=names,
        train=train,
        test=test,
        shown=shown,
        truth=names[test][:12],
        sound=sound,
        broken=broken,
        record=explained[0],
        record_broken=explained[1],
        said=sound.predict(shown),
        said_broken=broken.predict(shown),
    )


def _fitted(X, y):
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)


@cache
def every_task() -> human.Study:
    """One study with all kinds of task that have the two usual conditions."""
    w = world()
    changed = w.shown.assign(**{"worst area": w.shown["worst area"] * 1.8})
    given = np.where(np.arange(12) % 3 == 0, np.where(w.truth == "benign", "malignant", "benign"), w.truth)
    speaks = {"speaks_for": "“malignant”"}
    both = (w.said, w.said_broken)
    return human.Study(
        "Can you follow the model?",
        (
            human.forward_simulation(w.record[:4], w.said[:4], examples=1, options=("benign", "malignant"), **speaks),
            human.counterfactual_simulation(
                w.record[:2],
                w.said[:2],
                changed[:2],
                w.sound.predict(changed)[:2],
                options=("benign", "malignant"),
                **speaks,
            ),
            human.find_bug(
                w.record[:2], w.record_broken[:2], (w.said[:2], w.said_broken[:2]), truth=w.truth[:2], **speaks
            ),
            human.better_model(w.record[:2], w.record_broken[:2], both_of(both, 2), truth=w.truth[:2], **speaks),
            human.fix_label(w.record[:2], given[:2], w.truth[:2], **speaks),
            human.drop_features(w.record_broken[:2], [WRONG], **speaks),
            human.attention_check("Please choose “blue”.", ("red", "blue", "green"), "blue"),
        ),
        seats=40,
        who="the study’s office, office@example.org",
    )


def both_of(answers, n):
    return tuple(one[:n] for one in answers)


def simple(n: int = 6, **options) -> human.Study:
    """n questions without pictures; the answer to each is "yes"."""
    items = tuple(
        human.Item("quiz", f"Question {i}?", ("yes", "no"), ("yes",), help={"without": (), "with": ()})
        for i in range(n)
    )
    return human.Study("A quiz", items, **options)
