"""Deceptive hotel reviews (Ott et al. 2011): people decide with a machine's help, as in Lai & Tan 2019, from data to result."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import pellucid as pc
from pellucid.studies import human
from pellucid.studies.human import page

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def study(data_dir):
    """Twenty held-out reviews, on which the machine is as often right as on all of them."""
    reviews = pd.read_csv(data_dir / "text" / "deceptive-opinion.csv")
    texts, truth = reviews["text"].to_numpy(), reviews["deceptive"].to_numpy()
    held_out = np.arange(len(texts)) % 5 == 0
    model = make_pipeline(TfidfVectorizer(lowercase=True), LogisticRegression(C=10))
    model.fit(texts[~held_out], truth[~held_out])
    accuracy = model.score(texts[held_out], truth[held_out])
    assert 0.83 < accuracy < 0.95  # Lai & Tan 2019 report 87 % for a linear model of words
    rows = np.random.default_rng(0).choice(np.flatnonzero(held_out), 20, replace=False)
    said = model.predict(texts[rows])
    short = [" ".join(re.split(r"\s+", text)[:80]) for text in texts[rows]]
    record = pc.explain(model, short, pc.KernelShap(samples=400), target="deceptive", masker=pc.Words())
    items = human.decide(
        record, said, truth[rows], accuracy=accuracy, question="Is this review honest?", speaks_for="“deceptive”"
    )
    return human.Study("Honest or not?", (items, human.attention_check("Choose b.", ("a", "b"), "b")), seats=160)


def test_the_questionnaire_holds_the_reviews_and_not_the_truth(study):
    text = page.render(study)
    assert len(study.questions) == 20 and len(study.conditions) == 4
    data = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert len(text) < 2_000_000 and not {"right", "machine", "kind"} & {
        name for item in data["items"] for name in item
    }
    words = study.questions[0].help["explanation"][0]
    assert len(words.parts) > 20 and max(abs(weight) for _, weight in words.parts) > 0


def test_help_that_helps_is_found_and_blind_trust_is_told(study):
    shares = dict(zip(study.conditions, (0.5, 0.55, 0.65, 0.75), strict=True))
    lines = human.rehearse(study, shares, participants=160, icc=0.05)
    for line in lines:  # with the accuracy stated, people simply follow
        if line["condition"] == study.conditions[3] and (machine := study.by_id[line["item"]].machine):
            line["answer"] = [machine]
    result = human.analyze(study, lines)
    assert result.participants == 160 and result.excluded == 0
    assert result.contrast("explanation + label").low > 0
    assert result.arm("no help").p_chance > 0.001 > result.arm("explanation + label").p_chance
    told = result.arm("explanation + label + accuracy", "follows wrong")
    assert told.mean == 1.0 and result.contrast(told.condition, "follows wrong").p_holm < 0.01
