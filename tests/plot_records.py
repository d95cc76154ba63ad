"""Small records with known numbers, for the tests of the plots."""

from __future__ import annotations

import numpy as np

import pellucid as pc
from pellucid.core.budget import Receipt
from pellucid.core.dispute import Dispute, Evidence
from pellucid.core.records import Attribution, Importance, Interactions, Players
from pellucid.core.scores import Comparison, Curve, Line, Scorecard
from pellucid.core.target import Class

NAMES = ("age", "income in $ or in $", "a name that is much longer than any axis has room for", "sex", "hours", "debt")


def attribution(values, data, layout="table", **fields) -> Attribution:
    """A record that adds up from a base value of 0.5, unless `fields` say otherwise."""
    values = np.asarray(values, dtype=float)
    n = len(values)
    total = values.reshape(n, -1).sum(axis=1)
    plain = {
        "scores": total + 0.5,
        "base_values": np.full(n, 0.5),
        "gap": np.zeros(n),
        "done": np.ones(n, bool),
        "target": Class(1),
        "receipt": Receipt(method="KernelShap(samples=64)", scale="probability"),
    }
    return Attribution(values=values, data=np.asarray(data), layout=layout, **{**plain, **fields})


def table(n=7, **fields) -> Attribution:
    """n rows of six columns, one of them without numbers, with standard errors."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((n, 6)) * [3, 2.5, 2, 1.2, 0.8, 0.4]
    values[0] = [0.1, -0.8, 0.4, 2.0, -0.05, 0.02]
    data = np.round(rng.random((n, 6)) * 50, 2).astype(object)
    data[:, 3] = ["f", "m", None, *["f"] * (n - 3)][:n]
    plain = {"stderr": np.abs(values) / 10, "feature_names": NAMES}
    return attribution(fields.pop("values", values), data, **{**plain, **fields})


def interactions() -> Interactions:
    """Three rows of six columns."""
    half = np.random.default_rng(5).standard_normal((3, 6, 6)) * np.array([3, 2.5, 2, 1.2, 0.8, 0.4])
    values = half + half.transpose(0, 2, 1)
    return Interactions(
        values=values,
        scores=values.sum((1, 2)),
        base_values=np.zeros(3),
        gap=np.zeros(3),
        data=np.zeros((3, 6)),
        feature_names=NAMES,
        receipt=Receipt(method="TreeShap()"),
    )


def digits(layout="map", **fields) -> Attribution:
    """Two 6 x 8 pictures with values of both signs."""
    rng = np.random.default_rng(4)
    values, data = rng.standard_normal((2, 6, 8)), rng.random((2, 6, 8))
    return attribution(values, data, layout, **fields)


def windows() -> Attribution:
    """A picture whose values belong to four windows."""
    players = Players(np.array([[3.0, -1.0, 0.5, 0.25]]), ("(0, 0)", "(0, 4)", "(3, 0)", "(3, 4)"))
    return attribution(np.full((1, 6, 8), 0.1), np.zeros((1, 6, 8)), "map", players=players)


def signal() -> Attribution:
    steps = np.linspace(0, 6, 40)
    return attribution(np.sin(steps)[None], np.cos(steps)[None, None] * 5, "channels-first")


def volume() -> Attribution:
    """Its strongest place is at (2, 5, 1)."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((1, 6, 8, 5)) * 0.1
    values[0, 2, 5, 1] = -4.0
    return attribution(values, rng.random((1, 6, 8, 5)), "map")


def tokens() -> Attribution:
    """Two sentences, the second one padded."""
    words = np.array([["not", "a", "good", "film"], ["great", "$5 or $6", "<pad>", "<pad>"]], dtype=object)
    values = np.array([[-2.0, 0.1, 1.5, 0.3], [1.0, 0.5, 0.0, 0.0]])
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]], bool)
    return attribution(values, words, "tokens", mask=mask)


def importance() -> Importance:
    samples = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.8], [-0.01, 0.0, -0.02]])
    return Importance(
        receipt=Receipt(method="PermutationImportance(repeats=3)"),
        mean=samples.mean(axis=1),
        stderr=samples.std(axis=1, ddof=1) / np.sqrt(3),
        samples=samples,
        names=NAMES[:3],
        metric="accuracy",
        baseline=0.93,
    )


def area(n=5, seed=0, degenerate=(), metric="Deletion") -> Curve:
    """Curves that fall from 1, and a random ranking that falls along the diagonal."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 9)
    curves = np.exp(-(3 + seed) * x) + 0.05 * rng.standard_normal((n, 1))
    chance = 1 - x + 0.05 * rng.standard_normal((n, 1))
    return Curve(
        receipt=Receipt(method=f"{metric}(steps=8)"),
        metric=metric,
        higher_is_better=False,
        value=np.trapezoid(curves, x),
        chance=np.trapezoid(chance, x),
        x=x,
        curves=curves,
        chance_curves=chance,
        detail={"chance_areas": np.trapezoid(chance, x)[:, None] + [-0.1, 0.0, 0.1]},
        degenerate=np.isin(np.arange(n), degenerate),
    )


def dots() -> Curve:
    """A metric without a curve."""
    return Curve(
        receipt=Receipt(method="Stability()"),
        metric="Stability",
        higher_is_better=True,
        value=np.array([0.9, np.nan, 0.7, 0.2]),
        chance=np.zeros(4),
        degenerate=np.array([False, True, False, True]),
    )


def card() -> Scorecard:
    """Better for sure, perhaps better, worse for sure, no chance level, nothing to judge, one row."""
    none = (None, None, None, None)
    lines = (
        Line("Deletion", 0.3, 0.2, 0.4, 0.6, 0.3, 0.2, 0.4, False, "better than random", 9),
        Line("Insertion", 0.7, 0.6, 0.8, 0.65, 0.05, -0.1, 0.2, True, "no better than random", 9),
        Line("Infidelity", 0.7, 0.6, 0.8, 0.4, -0.3, -0.4, -0.2, False, "worse than random", 9),
        Line("Stability", 0.93, 0.9, 0.96, *none, True, "passes", 9),
        Line("Sparsity", np.nan, np.nan, np.nan, *none, True, "degenerate: all values are equal " * 4, 0, 9),
        Line("Agreement", 0.5, np.nan, np.nan, 0.0, 0.5, np.nan, np.nan, True, "one row gives no interval", 1),
    )
    return Scorecard(receipt=Receipt(method="evaluate"), lines=lines, curves=(), method="GradCAM(layer=None)")


def comparison() -> Comparison:
    matrix = np.array([[1.0, 0.4, -0.7], [0.4, 1.0, np.nan], [-0.7, np.nan, 1.0]])
    record = table(2)
    return Comparison(
        receipt=Receipt(method="compare"),
        attributions=(record,) * 3,
        scorecards=(),
        names=("Saliency()", "GradCAM(layer=None)", "IntegratedGradients(steps=32)"),
        agreement=matrix,
        overlap=np.abs(matrix),
        by_row=np.stack([matrix, matrix / 2]),
        k=2,
        kendall=matrix * 0.8,
        disputes=disputes(),
    )


def disputes() -> tuple[Dispute, ...]:
    """For the first, contradiction, one row, and no row at all."""
    names, rows = ("Saliency", "GradCAM", "IntegratedGradients"), np.array([0, 2, 5])
    places, apart = ((("age", "debt"),) * 3, np.array([[0.9, -0.4]] * 3))
    for_first = Evidence("Deletion", 0.2, 0.1, 0.3, 3, names[0])
    none = Evidence("Insertion", 0.1, -0.2, 0.4, 3, None)
    against = Evidence("Insertion", -0.3, -0.5, -0.1, 3, names[2])
    single = Evidence("Deletion", 0.2, np.nan, np.nan, 1, None)
    return (
        Dispute(names[0], names[1], 0.5, 7, rows, places, apart, ("age", "debt"), (for_first, none)),
        Dispute(names[0], names[2], 0.5, 7, rows, places, apart, ("age", "debt"), (for_first, against)),
        Dispute(names[1], names[2], 0.5, 7, rows[:1], places[:1], apart[:1], ("age", "debt"), (single,)),
    )


def superpixels() -> pc.Attribution:
    """A grey picture of nine parts; the first raises, the last lowers most."""
    x = np.random.default_rng(0).random((1, 12, 12))
    labels = np.arange(9).reshape(3, 3).repeat(4, 0).repeat(4, 1)
    weights = np.linspace(4, -5, 9)
    return pc.explain(
        lambda p: (p * weights[labels]).sum((1, 2)), x, pc.Occlusion(), masker=pc.LabelMap(labels, fill="zeros")
    )
