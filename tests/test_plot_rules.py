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
