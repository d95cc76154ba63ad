"""Curves, agreement and scorecards: what is drawn is what was measured, and chance stands beside it."""

import dataclasses

import numpy as np
import pytest
from matplotlib.colors import same_color
from scipy.stats import t as student

import pellucid as pc
import plot_records as made
from pellucid.core.errors import InputError


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def band(collection, x):
    """The lower and the upper edge of a filled band at x."""
    corners = collection.get_paths()[0].vertices
    here = [corners[np.isclose(corners[:, 0], at), 1] for at in x]
    return np.array([[heights.min(), heights.max()] for heights in here])


def test_a_curve_is_the_mean_over_rows_beside_the_random_ranking():
    record = made.area()
    ax = pc.plot.curve(record)
    chance, own = ax.lines
    np.testing.assert_allclose(chance.get_ydata(), record.chance_curves.mean(axis=0))
    np.testing.assert_allclose(own.get_ydata(), record.curves.mean(axis=0))
    np.testing.assert_allclose(own.get_xdata(), record.x)
    assert legend(ax) == [f"random ranking: {record.chance.mean():.3g}", f"this explanation: {record.value.mean():.3g}"]


def test_bands_are_student_intervals_of_the_mean():
    record = made.area()
    random, own = pc.plot.curve(record).collections
    for drawn, rows in ((random, record.chance_curves), (own, record.curves)):
        half = student.ppf(0.975, 4) * rows.std(axis=0, ddof=1) / np.sqrt(5)
        np.testing.assert_allclose(band(drawn, record.x), rows.mean(axis=0)[:, None] + half[:, None] * [-1, 1])


def test_the_paired_advantage_is_said_because_bands_do_not_show_it():
    record = made.area()
    half = student.ppf(0.975, 4) * record.advantage.std(ddof=1) / np.sqrt(5)
    mean = record.advantage.mean()
    words = f"better than random by {mean:.3g} ({mean - half:.3g} to {mean + half:.3g})"
    assert words.replace("-", "−") in pc.plot.curve(record).get_xlabel()


def test_one_row_has_no_band_and_the_areas_of_its_random_orders():
    ax = pc.plot.curve(made.area(1))
    assert not ax.collections
    area = float(made.area(1).chance[0])
    assert legend(ax)[0] == f"random ranking: {area:.3g} ({area - 0.1:.3g} to {area + 0.1:.3g})"
    assert "1 row" in ax.get_xlabel() and "band" not in ax.get_xlabel()


def test_constant_maps_have_no_ranking_and_are_left_out():
    record = made.area(degenerate=(0, 3))
    ax = pc.plot.curve(record)
    np.testing.assert_allclose(ax.lines[1].get_ydata(), record.curves[[1, 2, 4]].mean(axis=0))
    assert legend(ax)[1] == f"this explanation: {record.value[[1, 2, 4]].mean():.3g} (3 of 5 rows)"
    both = pc.plot.curves({"good": made.area(), "flat": made.area(degenerate=range(5))})
    assert legend(both)[2] == "flat: degenerate, constant maps"
    assert len(both.lines[2].get_xdata()) == 0
    none = pc.plot.curve(made.area(degenerate=range(5)))
    assert none.texts[0].get_text().startswith("degenerate") and not none.lines


def test_several_curves_differ_by_colour_and_by_dashes():
    ax = pc.plot.curves({f"method {seed}": made.area(seed=seed) for seed in range(4)})
    assert len(ax.lines) == 5 and len(legend(ax)) == 5
    assert len({line.get_color() for line in ax.lines}) == 5
    assert len({str(line._unscaled_dash_pattern) for line in ax.lines[1:]}) == 4


def test_a_metric_without_curves_shows_its_rows():
    ax = pc.plot.curve(made.dots())
    judged, flat = (collection.get_offsets().data[:, 0] for collection in ax.collections)
    np.testing.assert_allclose(judged, [0.9, 0.7])
    np.testing.assert_allclose(flat, [0.2])
    assert ax.lines[0].get_xdata()[0] == pytest.approx(0.8)
    assert legend(ax)[-2:] == ["mean 0.8", "chance 0"]
    empty = dataclasses.replace(made.dots(), value=np.full(4, np.nan))
    assert pc.plot.curve(empty).texts[0].get_text() == "no row could be judged"


def test_only_curves_go_together():
    for wrong in ({}, {"stability": made.dots()}):
        with pytest.raises(InputError, match="records that hold curves"):
            pc.plot.curves(wrong)


def test_the_agreement_matrix_is_annotated_with_its_numbers():
    ax = pc.plot.agreement(made.comparison())
    words = [text.get_text() for text in ax.texts]
    assert words == ["1.00", "0.40", "−0.70", "0.40", "1.00", "n/a", "−0.70", "n/a", "1.00"]
    assert [(text.get_position()) for text in ax.texts][2] == (2, 0)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Saliency", "GradCAM", "IntegratedGradients"]
    (key,) = [other for other in ax.figure.axes if other is not ax]
    assert key.get_ylim() == (-1, 1)


def test_the_agreement_of_one_row():
    words = [text.get_text() for text in pc.plot.agreement(made.comparison(), 1).texts]
    assert words[:3] == ["0.50", "0.20", "−0.35"]
    with pytest.raises(InputError, match="row 2 of a comparison of 2 rows"):
        pc.plot.agreement(made.comparison(), 2)


def test_methods_that_differ_in_their_fields_keep_them():
    twins = dataclasses.replace(made.comparison(), names=("LIME(seed=0)", "LIME(seed=1)", "Saliency()"))
    ax = pc.plot.agreement(twins)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["LIME(seed=0)", "LIME(seed=1)", "Saliency()"]


def test_text_is_dark_on_light_and_white_on_dark():
    texts = pc.plot.agreement(made.comparison()).texts
    for text in texts:
        ground = np.dot(text.get_bbox_patch().get_facecolor()[:3], [0.299, 0.587, 0.114])
        assert same_color(text.get_color(), "white") == (ground < 0.62)


def test_the_scorecard_puts_better_right_of_chance():
    ax = pc.plot.scorecard(made.card())
    marks = {int(line.get_ydata()[0]): line for line in ax.lines if line.get_marker() == "o"}
    ranges = {int(line.get_ydata()[0]): line.get_xdata() for line in ax.lines if line.get_linewidth() == 1.6}
    assert sorted(marks) == [0, 1, 2, 5]
    assert marks[0].get_xdata()[0] == pytest.approx(0.3 / 0.4)
    np.testing.assert_allclose(ranges[0], [0.5, 1.0])
    np.testing.assert_allclose(ranges[1], [-0.5, 1.0])
    assert marks[2].get_xdata()[0] == pytest.approx(-0.75)
    full = {place: same_color(line.get_markerfacecolor(), line.get_markeredgecolor()) for place, line in marks.items()}
    assert full == {0: True, 1: False, 2: True, 5: False}  # one row proves nothing


def test_the_scorecard_gives_every_number_and_verdict():
    words = [text.get_text() for text in pc.plot.scorecard(made.card()).texts]
    assert "0.3 (0.2 to 0.4), chance 0.6" in words
    assert "0.93 (0.9 to 0.96)" in words
    assert "0.5, chance 0" in words
    assert words.count("no chance level") == 1 and words.count("nothing to judge") == 1
    assert "worse than random" in words
    assert pc.plot.scorecard(made.card()).get_yticklabels()[0].get_text() == "Deletion"


def test_a_real_comparison_is_drawn():
    from sklearn.datasets import load_breast_cancer
    from sklearn.tree import DecisionTreeClassifier

    data = load_breast_cancer(as_frame=True)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(data.data, data.target)
    found = pc.compare(
        model,
        data.data.iloc[:4],
        [pc.Occlusion(), pc.KernelShap(samples=64)],
        metrics=[pc.Deletion(randoms=2), pc.Insertion(randoms=2)],
        background=data.data.iloc[100:110],
    )
    assert len(pc.plot.show(found).texts) == 4
    card = found.scorecards[0]
    assert pc.plot.show(card["Deletion"]).get_legend().get_title().get_text() == "area under the curve"
    drawn = [line for line in pc.plot.show(card).lines if line.get_marker() == "o"]
    assert len(drawn) == 2
