"""The record of influence: who helps, who harms, kept on disk and cut by query."""

import numpy as np

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
