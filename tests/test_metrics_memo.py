"""What `compare` asks once for all of its methods: the same answers as one evaluation after the other, and receipts that count."""

from __future__ import annotations

import numpy as np
import pytest

import nets
import pellucid as pc
from contract.metric_cases import same
from pellucid.core.budget import Meter
from pellucid.metrics.memo import Memo

RNG = np.random.default_rng(0)
TABLE, PICTURES = RNG.normal(size=(5, 6)), RNG.uniform(size=(3, 2, 8, 8)).astype("float32")
EVERY = (
    pc.Deletion(steps=4, randoms=3),
    pc.Insertion(steps=4, randoms=3),
    pc.SufficiencyNecessity(shares=(0.25, 0.5), randoms=3),
)
FILLS = (pc.Deletion(steps=4, fill=0.0), pc.Deletion(steps=4, fill=1.0), pc.Deletion(steps=4, fill=pc.NoisyLinear()))


class Counted:
    """A model that knows how many rows it was asked about."""

    rows = 0

    def __call__(self, z):
        self.rows += len(z)
        flat = np.asarray(z, float).reshape(len(z), -1)
        return np.tanh(flat).sum(axis=1) + flat[:, 0] * flat[:, -1]


def alike(model, made, metrics, **ways):
    """Every scorecard of a comparison is the one that its record gets alone, to the last bit."""
    for record, card in zip(made.attributions, made.scorecards, strict=True):
        for curve, alone in zip(card.curves, pc.evaluate(model, record, metrics, **ways).curves, strict=True):
            same(curve, alone, rtol=0, atol=0)


@pytest.mark.parametrize("metrics", [EVERY, FILLS])
def test_a_network_gets_the_answers_that_it_gets_alone(metrics):
    net = nets.cnn()
    made = pc.compare(net, PICTURES, [pc.Saliency(), pc.InputXGradient(), pc.GradCAM()], metrics=metrics, target=1)
    alike(net, made, metrics)


def test_rows_of_a_table_get_the_answers_that_they_get_alone():
    model = Counted()
    made = pc.compare(model, TABLE, [pc.Occlusion(), pc.KernelShap()], metrics=EVERY, background=TABLE[:3])
    alike(model, made, EVERY, background=TABLE[:3])


def test_large_pictures_which_are_asked_about_one_by_one_are_not_taken_for_one_another():
    """Their beginnings and ends hide the same, nothing and everything."""
    x, metrics = RNG.uniform(size=(2, 96, 96)), (pc.Deletion(steps=2, randoms=2), pc.Insertion(steps=2, randoms=2))
    methods = [pc.Occlusion(window=48, stride=48), pc.Occlusion(window=(48, 96), stride=(48, 96))]
    alike(Counted(), pc.compare(Counted(), x, methods, metrics=metrics), metrics)


def test_the_parts_of_one_method_are_not_those_of_another():
    """Pictures hidden by superpixels of one size, of another, and by windows, with a fill that depends on the part."""
    metrics = (pc.Deletion(steps=3, fill="own-mean"), pc.Insertion(steps=3, fill="own-mean"))
    methods = [pc.Occlusion(window=size, stride=size) for size in (2, (1, 4, 4), (2, 2, 8))]
    made = pc.compare(Counted(), PICTURES, methods, metrics=metrics)
    assert len({str(record.players.labels) for record in made.attributions}) == 3
    alike(Counted(), made, metrics)


def test_texts_are_not_taken_for_one_another():
    def model(texts):
        return np.array([text.count("good") - 2 * text.count("bad") for text in texts], dtype=float)

    texts, metrics = ["good film bad end", "bad plot good cast", "a good good film"], (pc.Deletion(), pc.Insertion())
    made = pc.compare(model, texts, [pc.ExactShapley(), pc.Occlusion()], metrics=metrics)
    alike(model, made, metrics)


def test_the_first_pays_and_receipts_count_what_was_asked():
    """(2 + randoms) orders of steps - 1 points and both ends; the ends and the random orders are the same for all methods."""
    model, told = Counted(), []
    made = pc.compare(
        model,
        TABLE,
        [pc.Occlusion(), pc.KernelShap(), pc.LIME()],
        metrics=EVERY[:2],
        background=TABLE[:3],
        progress=told.append,
    )
    n, steps, randoms = len(TABLE), 4, 3
    own, shared = n * 2 * (steps - 1), n * (randoms * (steps - 1) + 2)
    for i, card in enumerate(made.scorecards):
        for curve in card.curves:
            assert curve.receipt.rows_forward == own + (shared if i == 0 else 0)
            assert any(f"{shared} more model rows" in note for note in curve.receipt.notes) == (i > 0)
    assert model.rows == sum(told) == made.receipt.rows_forward
    told.clear()
    alone = pc.evaluate(model, made.attributions[1], EVERY[:2], background=TABLE[:3], progress=told.append)
    assert [curve.receipt.rows_forward for curve in alone.curves] == [own + shared] * 2
    assert sum(told) == alone.receipt.rows_forward and not any(curve.receipt.notes for curve in alone.curves)


def test_a_memo_tells_questions_apart_and_keeps_what_they_cost():
    memo, meter, asked = Memo(), Meter(), []

    def ask(question):
        asked.append(question)
        meter.add(forward=7)
        return np.array([len(asked)])

    a, b = np.arange(4.0), np.arange(4.0).reshape(2, 2)
    for question in ((a,), (b,), (a, b), (a.astype("float32"),), (a,), (a, b)):
        memo.recall(question, lambda question=question: ask(question), meter)
    assert len(asked) == 4 and memo.spared == 14 and meter.rows_forward == 28
    assert memo.recall((b,), lambda: ask(None), meter).tolist() == [2]
