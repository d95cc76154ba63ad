"""Bars, waterfalls, swarms: every length and label is the record's own number."""

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import same_color
from scipy.stats import t as student

import pellucid as pc
import plot_records as made
from pellucid.core.errors import InputError
from pellucid.plot import _beeswarm
from pellucid.plot._style import BLUE, HATCH, RED


def bars(ax):
    """Widths from the top down."""
    return np.array([patch.get_width() for patch in ax.patches])


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def whiskers(ax):
    found = [line for line in ax.collections if line.get_paths() and len(line.get_paths()[0].vertices) == 2]
    return np.array([path.vertices[:, 0] for path in found[0].get_paths()]) if found else np.empty((0, 2))


def dots(ax):
    """(n, 2) where the dots of a scatter lie."""
    return np.concatenate([found.get_offsets().data for found in ax.collections if isinstance(found, PathCollection)])


def test_the_bar_shows_the_largest_values_and_the_sum_of_the_rest():
    record = made.table()
    ax = pc.plot.bar(record, 0, k=3)
    # row 0: sex 2.0, income -0.8, the long name 0.4, and 0.1 - 0.05 + 0.02 are left
    np.testing.assert_allclose(bars(ax), [2.0, -0.8, 0.4, 0.07])
    shown = names(ax)
    assert shown[0] == "sex = f"
    assert shown[1] == rf"income in \$ or in \$ = {record.data[0, 1]:.3g}"
    assert shown[2].startswith("a name that is") and "…" in shown[2]
    assert shown[3] == "3 other features"
    assert [text.get_text() for text in ax.texts] == ["+2", "−0.8", "+0.4", "+0.07"]


def test_signs_are_told_by_colour_side_and_hatching():
    ax = pc.plot.bar(made.table(), 0)
    for patch in ax.patches:
        negative = patch.get_width() < 0
        assert same_color(patch.get_facecolor(), BLUE if negative else RED)
        assert patch.get_hatch() == (HATCH if negative else "")
    assert {patch.get_hatch() for patch in ax.patches} == {"", HATCH}


def test_whiskers_are_95_percent_intervals_and_the_rest_has_none():
    record = made.table()
    ax = pc.plot.bar(record, 0, k=3)
    half = 1.959964 * np.array([0.2, 0.08, 0.04])
    np.testing.assert_allclose(whiskers(ax), np.array([2.0, -0.8, 0.4])[:, None] + half[:, None] * [-1, 1], rtol=1e-6)
    assert "95\u00a0%" in ax.get_xlabel()
    plain = pc.plot.bar(dataclasses.replace(record, stderr=None), 0, k=3)
    assert len(whiskers(plain)) == 0 and "95" not in plain.get_xlabel()


def test_numbers_stand_beyond_their_whiskers_and_inside_the_axes():
    ax = pc.plot.bar(made.table(), 0, k=3)
    low, high = ax.get_xlim()
    ends = [text.xy[0] for text in ax.texts]
    np.testing.assert_allclose(ends[:3], [2.0 + 0.392, -0.8 - 0.1568, 0.4 + 0.0784], rtol=1e-3)
    assert low < min(ends) and max(ends) < high


def test_the_footer_says_base_value_score_and_gap():
    record = made.table()
    words = pc.plot.bar(record, 0).get_xlabel()
    assert "base value 0.5 → score 2.17" in words and "gap" not in words
    assert "gap\u00a0+0.3" in pc.plot.bar(made.table(gap=np.full(7, 0.3)), 0).get_xlabel()
    assert "gap" not in pc.plot.bar(made.table(gap=np.full(7, 0.001)), 0).get_xlabel()
    without = pc.plot.bar(made.table(base_values=np.full(7, np.nan), gap=np.full(7, np.nan)), 0).get_xlabel()
    assert "score 2.17, no base value" in without


def test_windows_are_bars_too():
    ax = pc.plot.bar(made.windows(), k=2)
    np.testing.assert_allclose(bars(ax), [3.0, -1.0, 0.75])
    assert names(ax) == ["at (0, 0)", "at (0, 4)", "2 other places"]


def test_single_cells_are_named_by_their_place():
    ax = pc.plot.bar(made.attribution([[[0, 0], [0, 5.0]]], np.zeros((1, 2, 2)), "map"), k=1)
    assert names(ax) == ["at (1, 1)", "3 other places"]


def test_missing_values_and_columns_without_names_are_said():
    assert "sex = missing" in names(pc.plot.bar(made.table(), 2))
    assert names(pc.plot.bar(made.attribution([[1.0, 3.0]], [[7.0, np.nan]]))) == ["x1 = missing", "x0 = 7"]


@pytest.mark.parametrize("draw", [pc.plot.bar, pc.plot.waterfall, pc.plot.force])
def test_a_row_without_values_is_said_and_not_drawn(draw):
    values = made.table().values.copy()
    values[1] = np.nan
    ax = draw(made.table(values=values, done=np.arange(7) != 1), 1)
    assert "left out" in ax.texts[0].get_text()
    assert not ax.patches


def test_all_zero_is_degenerate():
    ax = pc.plot.bar(made.attribution(np.zeros((1, 3)), np.zeros((1, 3))))
    assert ax.texts[0].get_text().startswith("degenerate")
    assert not ax.patches


def test_the_waterfall_climbs_from_base_value_to_score():
    record = made.table()
    ax = pc.plot.waterfall(record, 1, k=3)
    starts, widths = np.array([patch.get_x() for patch in ax.patches]), bars(ax)
    assert starts[-1] == pytest.approx(0.5)  # the lowest step starts at the base value
    np.testing.assert_allclose(starts[:-1], (starts + widths)[1:])  # each from where the one below ended
    assert (starts + widths)[0] == pytest.approx(record.scores[1])
    assert widths.sum() == pytest.approx(record.values[1].sum())
    words = [text.get_text() for text in ax.texts]
    assert "base value 0.5" in words and any(word.startswith("score ") for word in words)


def test_the_waterfall_draws_a_gap_as_a_gap():
    record = made.table()
    ax = pc.plot.waterfall(dataclasses.replace(record, scores=record.scores + 0.6, gap=np.full(7, 0.6)), 0)
    assert names(ax)[-1] == "gap (in no value)"
    assert bars(ax)[-1] == pytest.approx(0.6)
    assert ax.patches[-1].get_x() == pytest.approx(0.5)
    assert not same_color(ax.patches[-1].get_facecolor(), RED)


def test_the_waterfall_needs_a_base_value():
    with pytest.raises(InputError, match=r"use plot\.bar"):
        pc.plot.waterfall(made.table(base_values=np.full(7, np.nan)), 0)


def test_force_meets_at_the_score():
    record = made.table()
    ax = pc.plot.force(record, 1)
    left = [patch.get_x() for patch in ax.patches] + [patch.get_x() + patch.get_width() for patch in ax.patches]
    values = record.values[1]
    assert min(left) == pytest.approx(record.scores[1] - values[values > 0].sum())
    assert max(left) == pytest.approx(record.scores[1] - values[values < 0].sum())
    assert len(ax.patches) == 6


def test_the_beeswarm_holds_every_row_of_the_strongest_features():
    record = made.table(60)
    order = np.argsort(-np.abs(record.values).mean(axis=0))
    ax = pc.plot.beeswarm(record)
    drawn = dots(ax)
    assert len(drawn) == 360
    for place, j in enumerate(order):
        here = drawn[np.abs(drawn[:, 1] - place) < 0.45, 0]
        np.testing.assert_allclose(np.sort(here), np.sort(record.values[:, j]))
    two = pc.plot.beeswarm(record, k=2)
    assert len(dots(two)) == 120
    assert names(two) == names(ax)[:2] and "sex" in names(ax)


def test_what_has_no_order_is_grey():
    assert np.isnan(_beeswarm.ranks(np.array(["f", None, "m"], dtype=object))).all()
    np.testing.assert_allclose(_beeswarm.ranks(np.array([1.0, 1.0])), 0.5)
    high_last = _beeswarm.ranks(np.array([0.0, 5.0, np.nan, 10.0]))
    assert high_last[0] == 0 and high_last[3] == 1 and np.isnan(high_last[2])


def test_dots_that_fall_together_are_spread_and_others_are_not():
    height = _beeswarm.spread(np.array([0.0, 0.0, 0.0, 1.0]), span=1.0)
    assert len(set(height[:3])) == 3 and height[3] == 0
    assert np.abs(_beeswarm.spread(np.zeros(500), span=1.0)).max() <= 0.4


def test_rows_that_a_budget_left_out_are_in_no_summary():
    done = np.arange(7) < 4
    record = made.table(values=np.where(done[:, None], made.table().values, np.nan), done=done)
    assert "4 rows" in pc.plot.beeswarm(record).get_title(loc="left")
    assert "left out" in pc.plot.beeswarm(dataclasses.replace(record, done=np.zeros(7, bool))).texts[0].get_text()


def test_the_scatter_puts_value_over_data():
    record = made.table()
    ax = pc.plot.scatter(record, "hours")
    drawn = dots(ax)
    np.testing.assert_allclose(drawn[np.argsort(drawn[:, 0])][:, 1], record.values[np.argsort(record.data[:, 4]), 4])
    ax = pc.plot.scatter(record, 3)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["f", "m", "missing"]
    with pytest.raises(InputError, match="no column 'height' among 6: give a number from 0 to 5, or one of age"):
        pc.plot.scatter(record, "height")
    with pytest.raises(InputError, match="layout is 'map'"):
        pc.plot.scatter(made.digits(), 0)


def test_the_heatmap_orders_rows_by_score():
    record = made.table()
    ax = pc.plot.heatmap(record, k=4)
    top = ax.child_axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(top, np.sort(record.scores)[::-1])
    assert len(names(ax)) == 4


def test_decision_paths_end_at_the_sum():
    record = made.table()
    ax = pc.plot.decision(record, k=2)
    paths = np.array([line.get_xdata() for line in ax.lines[:7]])
    np.testing.assert_allclose(paths[:, 0], 0.5)
    np.testing.assert_allclose(paths[:, -1], record.scores)
    assert names(ax)[0] == "4 others"


@pytest.mark.parametrize("draw", [pc.plot.bar, pc.plot.waterfall, pc.plot.beeswarm, pc.plot.importance])
def test_none_at_all_is_refused(draw):
    record = made.importance() if draw is pc.plot.importance else made.table()
    with pytest.raises(InputError, match="k=0"):
        draw(record, k=0)


def test_importance_shows_the_most_important_first_with_student_intervals():
    record = made.importance()
    ax = pc.plot.importance(record)
    np.testing.assert_allclose(bars(ax), [0.6, 0.2, -0.01])
    assert names(ax)[1] == "age"
    half = student.ppf(0.975, 2) * record.stderr[[1, 0, 2]]
    np.testing.assert_allclose(whiskers(ax), bars(ax)[:, None] + half[:, None] * [-1, 1])
    assert "0.93" in ax.get_xlabel() and "3 repeats" in ax.get_xlabel()
    assert "2 more not shown" in pc.plot.importance(record, k=1).get_xlabel()


def test_the_number_of_a_short_bar_below_zero_keeps_off_the_names():
    short, long = made.importance(), dataclasses.replace(made.importance(), mean=np.array([0.2, 0.6, -0.3]))
    sides = [[text.get_ha() for text in pc.plot.importance(record).texts] for record in (short, long)]
    assert sides == [["left", "left", "left"], ["left", "left", "right"]]


def test_a_real_explanation_is_drawn():
    from sklearn.datasets import load_breast_cancer
    from sklearn.tree import DecisionTreeClassifier

    data = load_breast_cancer(as_frame=True)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(data.data, data.target)
    record = pc.explain(model, data.data.iloc[:3], pc.Occlusion(), background=data.data.iloc[100:110])
    ax = pc.plot.show(record, 0)
    top = record.top(10)
    np.testing.assert_allclose(bars(ax)[:10], [value for _, value in top])
    assert names(ax)[0] == f"{top[0][0]} = {data.data[top[0][0]].iloc[0]:.3g}"


# --- error bars ------------------------------------------------------------------------------------------------------

Z95 = 1.959963984540054
EVERY_ROW = [pc.plot.beeswarm, pc.plot.decision, pc.plot.heatmap]


def spans(ax):
    """((n, 2) ends, (n,) heights) of all horizontal whiskers, in the order drawn."""
    lines = [
        path.vertices for found in ax.collections for path in found.get_paths() if isinstance(found, LineCollection)
    ]
    flat = np.array([line for line in lines if len(line) == 2 and line[0, 1] == line[1, 1]]).reshape(-1, 2, 2)
    return flat[:, :, 0], flat[:, 0, 1]


def test_every_dot_of_a_beeswarm_has_its_own_interval():
    record = made.table(20)
    ax = pc.plot.beeswarm(record, k=4)
    ends, heights = spans(ax)
    drawn = dots(ax)
    assert len(ends) == len(drawn) == 80
    half_of = {
        round(value, 9): Z95 * error for value, error in zip(record.values.flat, record.stderr.flat, strict=True)
    }
    found = zip(ends.mean(1), heights, np.ptp(ends, axis=1) / 2, strict=True)
    whiskers = {(round(middle, 9), round(height, 9)): half for middle, height, half in found}
    for value, height in drawn.tolist():  # at the height of its dot, as wide as its own error says
        assert whiskers[round(value, 9), round(height, 9)] == pytest.approx(half_of[round(value, 9)])
    assert "whiskers: 95\u00a0%" in ax.get_xlabel()


def test_force_has_an_interval_at_the_far_end_of_every_step():
    record = made.table()
    ax = pc.plot.force(record, 1)
    ends, _ = spans(ax)
    steps = np.argsort(-np.abs(record.values[1]), kind="stable")
    expected = []
    for sign in (1, -1):
        mine = [j for j in steps if sign * record.values[1, j] > 0]
        far = record.scores[1] - np.cumsum(record.values[1, mine])
        half = Z95 * record.stderr[1, mine]
        expected += [*np.column_stack([far - half, far + half])]
    np.testing.assert_allclose(ends, expected)
    low, high = ax.get_xlim()
    assert low <= ends.min() and ends.max() <= high
    assert "whiskers: 95\u00a0%" in ax.get_xlabel()


def test_decision_bands_are_the_interval_of_the_step_that_ends_there():
    record = made.table()
    ax = pc.plot.decision(record, k=3)
    order = np.argsort(-np.abs(record.values).mean(axis=0))[:3][::-1]
    assert len(ax.collections) == 7
    for row, band in enumerate(ax.collections):
        path = ax.lines[row].get_xdata()
        corners = np.concatenate([polygon.vertices for polygon in band.get_paths()])
        # vertex 0 is the base value, 1 the sum of the others, whose error is not known: no band at either
        assert corners[:, 1].min() == 2
        for place, j in enumerate(order, start=2):
            here = corners[corners[:, 1] == place, 0]
            half = Z95 * record.stderr[row, j]
            assert path[place] - path[place - 1] == pytest.approx(record.values[row, j])
            assert here.min() == pytest.approx(path[place] - half) and here.max() == pytest.approx(path[place] + half)
    assert "bands: 95\u00a0%" in ax.get_xlabel()


def test_the_heatmap_marks_cells_whose_interval_holds_zero():
    record = made.table(7, stderr=np.random.default_rng(1).uniform(0.1, 1.5, (7, 6)))
    ax = pc.plot.heatmap(record, k=4)
    order, by_score = np.argsort(-np.abs(record.values).mean(axis=0))[:4], np.argsort(-record.scores)
    expected = {
        (row, place)
        for row, i in enumerate(by_score)
        for place, j in enumerate(order)
        if abs(record.values[i, j]) <= Z95 * record.stderr[i, j]
    }
    assert 0 < len(expected) < 28
    assert {tuple(place) for place in dots(ax).tolist()} == expected
    assert "dots: the 95\u00a0% interval holds zero" in ax.get_xlabel()
    sure = pc.plot.heatmap(made.table(stderr=np.full((7, 6), 1e-6)), k=4)
    assert "dots" not in sure.get_xlabel()  # nothing is marked, so there is nothing to explain


@pytest.mark.parametrize("stderr", [None, np.zeros((7, 6)), np.full((7, 6), np.nan)], ids=["none", "exact", "unknown"])
@pytest.mark.parametrize("draw", [*EVERY_ROW, pc.plot.force])
def test_no_interval_is_drawn_where_none_is_known_or_wide(draw, stderr):
    ax = draw(made.table(stderr=stderr))
    assert "95" not in ax.get_xlabel()
    assert len(spans(ax)[0]) == 0
    assert not [found for found in ax.collections if not isinstance(found, PathCollection)]


@pytest.mark.parametrize("draw", EVERY_ROW)
def test_a_row_whose_error_is_unknown_has_no_interval_and_the_others_do(draw):
    stderr = made.table().stderr * 20
    stderr[2] = np.nan
    assert "95\u00a0%" in draw(made.table(stderr=stderr)).get_xlabel()


def test_players_bring_their_own_errors():
    record = made.windows()
    players = dataclasses.replace(record.players, stderr=np.array([[0.1, 0.2, 2.0, 0.01]]))
    ax = pc.plot.heatmap(dataclasses.replace(record, players=players))
    np.testing.assert_allclose(dots(ax), [[0, 2]])  # the third, whose interval holds zero
