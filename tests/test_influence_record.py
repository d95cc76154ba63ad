"""The record of influence: who helps, who harms, kept on disk and cut by query."""

import numpy as np
import pytest

import pellucid as pc
from pellucid.core.budget import Receipt


def record():
    scores = np.array([[0.5, -2.0, 0.1, 0.0], [1.0, 1.0, -0.2, 3.0]])
    return pc.Influence(scores=scores, losses=np.array([0.7, 0.1]), self_influence=np.ones(4), receipt=Receipt("none"))


def test_proponents_help_and_opponents_harm():
    made = record()
    assert made.proponents(2) == [(0, 0.5), (2, 0.1)]
    assert made.opponents(1) == [(1, -2.0)]
    assert made.proponents(3, query=1) == [(3, 3.0), (0, 1.0), (1, 1.0)]  # equal ones in the order of the data
    np.testing.assert_allclose(made.helpful, [0.75, -0.5, -0.05, 1.5])
    assert made.to_frame(1).to_numpy().tolist() == [
        [0, "proponent", 0, 0.5],
        [0, "opponent", 1, -2.0],
        [1, "proponent", 3, 3.0],
        [1, "opponent", 2, -0.2],
    ]


def test_it_is_kept_and_cut_by_query(tmp_path):
    made = record()
    back = pc.load(made.save(tmp_path / "influence.npz"))
    np.testing.assert_array_equal(back.scores, made.scores)
    np.testing.assert_array_equal(back.self_influence, made.self_influence)
    second = back[1]
    assert second.scores.shape == (1, 4) and second.losses.tolist() == [0.1] and len(second.self_influence) == 4


def test_the_plot_shows_who_helped_and_who_harmed():
    made = record()
    ax = pc.plot.influence(made, 1, names=["ant", "bee", "cow", "dog"])
    assert [bar.get_width() for bar in ax.patches] == [3.0, 1.0, 1.0, -0.2]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["dog", "ant", "bee", "cow"]
    assert "which is 0.1" in ax.get_xlabel()
    assert len(pc.plot.show(made).patches) == 3  # 0 neither helps nor harms
    still = pc.Influence(scores=np.zeros((1, 4)), losses=np.zeros(1), receipt=Receipt("none"))
    assert "no training example" in pc.plot.show(still).texts[0].get_text()
    with pytest.raises(pc.InputError, match="query 2 is out of range"):
        pc.plot.influence(made, 2)


def test_the_plot_of_hard_rows_shows_the_share_of_errors_found():
    made = pc.Difficulty(
        scores=np.array([0.1, 0.9, 0.5, 0.7]),
        predicted=np.zeros(4),
        wrong=np.array([False, True, False, True]),
        receipt=Receipt("none"),
    )
    line = pc.plot.show(made).lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[0, 0], [0.25, 0.5], [0.5, 1], [0.75, 1], [1, 1]])
    unknown = pc.Difficulty(scores=made.scores, predicted=made.predicted, receipt=Receipt("none"))
    np.testing.assert_allclose(pc.plot.show(unknown).lines[0].get_ydata(), [0.9, 0.7, 0.5, 0.1])
