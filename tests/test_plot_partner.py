"""The column that colours a dependence scatter: by interactions, or estimated from the values."""

import numpy as np
import pytest

import pellucid as pc


def crossed(n: int = 400) -> tuple[np.ndarray, pc.Attribution]:
    """x0 acts with x2 and, less, with x1; x3 does nothing."""
    x = np.random.default_rng(0).normal(size=(n, 4))

    def f(x: np.ndarray) -> np.ndarray:
        return x[:, 0] + 2 * x[:, 0] * x[:, 2] + 0.3 * x[:, 0] * x[:, 1]

    return x, pc.explain(f, x, pc.ExactShapley(), background=np.zeros((1, 4)))


def key(ax) -> str:
    return ax.get_figure().axes[-1].get_ylabel()


def test_the_strongest_partner_is_found_from_the_values():
    _, record = crossed()
    assert key(pc.plot.scatter(record, 0, by="strongest")) == "x2"
    assert key(pc.plot.scatter(record, 1, by="strongest")) == "x0"


def test_interactions_say_it_exactly():
    x, record = crossed(12)
    pairs = pc.interact(
        lambda x: x[:, 0] * x[:, 1] + 3 * x[:, 3] * x[:, 0], x, pc.ExactShapley(), background=np.zeros((1, 4))
    )
    assert key(pc.plot.scatter(record, 0, by=pairs)) == "x3"
    assert key(pc.plot.scatter(record, 1, by=pairs)) == "x0"


def test_few_rows_have_no_partner_and_one_column_neither():
    _, record = crossed(9)
    ax = pc.plot.scatter(record, 0, by="strongest")
    assert len(ax.get_figure().axes) == 1
    one = pc.interact(lambda x: x[:, 0], np.ones((2, 1)), pc.ExactShapley(), background=np.zeros((1, 1)))
    with pytest.raises(pc.InputError, match="one column"):
        pc.plot.scatter(record, 0, by=one)


def test_a_column_of_that_name_comes_first():
    x = np.random.default_rng(0).normal(size=(40, 2))
    record = pc.explain(
        lambda x: x.sum(1), x, pc.ExactShapley(), background=np.zeros((1, 2)), names=["strongest", "other"]
    )
    assert key(pc.plot.scatter(record, "other", by="strongest")) == "strongest"
