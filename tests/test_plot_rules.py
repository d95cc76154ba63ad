"""Pictures of rules and of picked rows."""

import numpy as np
import pytest

import pellucid as pc
from pellucid import plot


def made(n=3):
    X = np.random.default_rng(0).integers(0, 5, (300, 4)).astype(float)
    return pc.anchor(lambda X: ((X[:, 0] <= 1) & (X[:, 2] > 2)).astype(int), X[:n], background=X)


def test_every_rule_is_told_with_its_bounds():
    record = made()
    ax = plot.show(record)
    words = " ".join(text.get_text().replace("\n", " ") for text in ax.texts)
    for row in range(3):
        assert f"if {record.words(row)}, then {record.answers[row]}" in words
    spans = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2]
    assert [record.low[0], record.high[0]] in [list(span) for span in spans]
    assert len(plot.show(record, row=1).texts) == 2  # one rule, one reach
    assert "2 more not shown" in plot.rules(record, k=1).get_xlabel()
    with pytest.raises(pc.InputError, match="at least one"):
        plot.rules(record, k=0)


def test_what_did_not_reach_is_hollow():
    X = np.random.default_rng(0).integers(0, 5, (300, 4)).astype(float)
    noise = lambda X: (np.abs(np.sin(1e4 * X @ np.arange(1, 5))) > 0.5).astype(int)  # noqa: E731
    ax = plot.show(pc.anchor(noise, X[:1], pc.Anchors(max_size=1), background=X))
    (dot,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert dot.get_markerfacecolor() == "white"


def test_picked_rows_add_up():
    W = np.array([[3.0, 0, 0], [0, 2, 0], [0, 0, 1]])
    picked = pc.summarize(pc.Attribution.from_arrays(W, data=W, target=0), pc.SubmodularPick(k=2))
    ax = plot.show(picked)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["row 0", "row 1"]
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches[2:]]
    np.testing.assert_allclose(ends, picked.curve)


def quadrants(n=2):
    """Pictures in quarters; the answer is whether the upper left one is bright."""
    x = np.ones((n, 8, 8)) * np.linspace(0.8, 1, 8)
    x[1:, :4, :4] = 0.1
    return pc.anchor(lambda X: (X[:, :4, :4].mean((1, 2)) > 0.5).astype(int), x, masker=pc.Grid(window=4))


def test_the_parts_that_are_enough_stay_and_the_rest_is_pale():
    record = quadrants()
    ax = plot.show(record, row=0)
    pixels = np.asarray(ax.images[0].get_array())
    half, inner = len(pixels) // 2, slice(8, -8)
    assert [c.feature for c in record.rules[0]] == ["(0, 0)"]
    kept, rest = pixels[:half, :half][inner, inner], pixels[half:, half:][inner, inner]
    seen = (record.data[0] - 0.8) / 0.2
    np.testing.assert_allclose(kept.min(), seen[0, 0], atol=0.05)
    np.testing.assert_allclose(rest.min(), 0.65 + 0.35 * seen[0, 4], atol=0.05)
    hidden = np.asarray(plot.rule_image(record, hide_rest=True).images[0].get_array())
    assert np.ptp(hidden[half:, half:], axis=(0, 1)).max() == 0 and np.ptp(hidden[:half, :half]) > 0.4
    edge = pixels[half // 2, [0, half - 1]]
    assert (edge[1] < 0.3).all()  # outlined towards the other quarters
    assert "Enough for 1" in ax.get_title(loc="left") + ax.get_title()
    said = ax.get_xlabel()
    assert "1 part on 25% of the places" in said and f"({record.low[0]:.0%} to {record.high[0]:.0%})" in said


def test_a_picture_without_conditions_and_what_is_refused():
    record = quadrants()
    assert plot.rule_image(record, 1).get_xlabel().startswith("no part is needed") == (not record.rules[1])
    assert len(plot.show(record).texts) == 4  # several rows: their rules in words
    assert (
        plot.show(record[:1]).images
        and plot.rule_image(record, -1).get_xlabel() == plot.rule_image(record, 1).get_xlabel()
    )
    with pytest.raises(pc.InputError, match="use plot"):
        plot.rule_image(made())
    with pytest.raises(pc.InputError, match="has 2 rows"):
        plot.rule_image(record, 2)
