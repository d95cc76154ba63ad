"""A small place that decides alone: the share against closed forms, planted marks that are found, clean models left in peace."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from audit_models import small_digits, small_network
from pellucid.core.intervals import ratio, wilson
from pellucid.report import demo, regions, swapping
from pellucid.report.contrast import contrasts, singularity
from pellucid.report.regions import RegionSearch, search
from pellucid.report.subject import lead, subject
from pellucid.report.windows import grid
from pellucid.report.words import place_name


def searched(model, split, **options):
    return search(subject(model, *split.test, None, None), **options)


def suspected(test):
    return [test.names[i] for i in np.flatnonzero(test.suspicious)]


# -- the numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hits", "n", "level"), [(0, 7, 0.95), (7, 7, 0.95), (3, 40, 0.95), (20, 40, 0.99)])
def test_the_interval_of_a_rate_is_wilson_s(hits, n, level):
    known = binomtest(hits, n).proportion_ci(level, method="wilson")
    assert wilson(hits, n, level) == pytest.approx((known.low, known.high), abs=1e-12)


def test_the_interval_of_a_ratio_covers_the_truth_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(2000):
        whole = 5 + 3 * rng.standard_normal(40)
        part = 0.3 * whole + 0.3 * rng.standard_normal(40)
        _, low, high = ratio(part, whole)
        covered += low <= 0.3 <= high
    assert 0.93 <= covered / 2000 <= 0.97


def test_the_lead_is_the_distance_to_the_best_other_class():
    outputs = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]])
    np.testing.assert_array_equal(lead(outputs, 0), [1, -5])
    np.testing.assert_array_equal(lead(outputs, np.array([1, 1])), [-2, 5])


def pairs_of(ask, donors, others):
    return swapping.Pairs(ask, donors, others, 1, (1, 2))


def test_in_an_additive_model_a_window_s_share_is_its_part_of_the_sum():
    rng = np.random.default_rng(1)
    weights, donors, others = rng.normal(size=(6, 6)), rng.normal(2, 1, (9, 6, 6)), rng.normal(size=(9, 6, 6))
    score = lambda x: (x * weights).sum(axis=(1, 2))  # noqa: E731
    pairs = pairs_of(lambda x: np.stack([-score(x), score(x)], axis=1), donors, others)
    boxes = [(0, 0, 2, 3), (3, 1, 3, 3), (5, 5, 1, 1)]
    parts = (weights * (donors - others).mean(axis=0)).sum()
    known = [(weights * (donors - others).mean(axis=0))[t : t + h, a : a + w].sum() / parts for t, a, h, w in boxes]
    np.testing.assert_allclose(swapping.shares_of(pairs, boxes), known, rtol=1e-9)


def test_two_parts_that_only_count_together_share_evenly():
    """The AND game: neither the window nor the rest does anything alone, so each gets half."""
    both = lambda x: x[:, 0, 0] * x[:, 3, 3]  # noqa: E731
    pairs = pairs_of(lambda x: np.stack([0.1 - both(x), both(x)], axis=1), np.ones((4, 4, 4)), np.zeros((4, 4, 4)))
    np.testing.assert_allclose(swapping.shares_of(pairs, [(0, 0, 1, 1), (1, 1, 1, 1)]), [0.5, 0.0])


def test_blocks_of_windows_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    donors, others = rng.normal(size=(2, 5, 4, 4))
    pairs = pairs_of(lambda x: np.stack([np.sin(x).sum((1, 2)), np.cos(x).sum((1, 2))], axis=1), donors, others)
    boxes = grid((4, 4))
    whole = pairs.swapped(boxes)
    monkeypatch.setattr(swapping, "_CELLS", 1)
    np.testing.assert_allclose(pairs.swapped(boxes), whole, rtol=1e-12)


def test_contrast_is_fisher_s_and_a_mark_is_singular():
    rng, y = np.random.default_rng(3), np.repeat([0, 1], 200)
    x = rng.normal(size=(400, 8, 8))
    x[y == 1, 0:2, 6:8] += 3.0
    knows = subject(lambda batch: np.eye(2)[y], x, None, None, None)  # predicts the groups, whatever it is shown
    sharp = contrasts(knows, 1)
    assert sharp((0, 6, 2, 2)) == pytest.approx(9 / 1.01, rel=0.2)  # (3 standard deviations)^2, and the floor of 1 %
    assert sharp((4, 0, 2, 2)) < 0.1
    assert singularity(sharp, (0, 6, 2, 2), (8, 8)) > 30 and singularity(sharp, (4, 0, 2, 2), (8, 8)) < 0.1


@pytest.mark.parametrize(
    ("share", "contrast", "pasted", "removed", "elsewhere", "suspicious"),
    [
        ((0.4, 0.3, 0.5), 20, (0, 40), (0, 40), (0.05, 0.1), True),  # singular, and used
        ((0.4, 0.3, 0.5), 3, (40, 40), (40, 40), (0.05, 0.1), False),  # used, but as ordinary evidence is
        ((0.05, 0.0, 0.1), 20, (0, 40), (0, 40), (0.05, 0.1), False),  # singular, but not used
        ((0.15, 0.12, 0.2), 20, (0, 40), (0, 40), (0.14, 0.2), False),  # no more used than any place
        ((0.9, 0.8, 1.0), 1, (38, 40), (39, 40), (0.02, 0.1), True),  # decides alone, both ways
        ((0.9, 0.8, 1.0), 1, (38, 40), (20, 40), (0.02, 0.1), False),  # does not turn them both ways
        ((0.9, 0.8, 1.0), 1, (38, 40), (39, 40), (0.5, 0.85), False),  # others do as much
    ],
)
def test_what_makes_a_place_suspicious(share, contrast, pasted, removed, elsewhere, suspicious):
    verdict = regions._Verdict((0, 0, 2, 2), share, contrast, pasted, removed, elsewhere)
    assert verdict.suspicious(0.95) == suspicious


def test_a_mark_beside_stronger_evidence_is_found():
    """The most used place is honest; the mark carries less, and is found because it is the most telling one."""
    rng, y = np.random.default_rng(6), np.repeat([0, 1], 150)
    x = rng.normal(size=(300, 12, 12))
    x[:, 0:2, 0:2] = 3.0 * y[:, None, None]
    x[y == 1, 5:8, 5:8] += 1
    x[y == 1, 9:12, 0:3] += 1

    def model(batch):
        honest = 0.45 * batch[:, 5:8, 5:8].mean((1, 2)) + 0.25 * batch[:, 9:12, 0:3].mean((1, 2))
        score = honest + 0.3 * batch[:, 0:2, 0:2].mean((1, 2)) / 3 - 0.5
        return np.stack([-score, score], axis=1)

    test = search(subject(model, x, None, None, None))
    assert test.suspicious.all()
    for (top, left, height, width), share in zip(test.boxes, test.share[:, 0], strict=True):
        assert (top, left) == (0, 0) and 2 <= height <= 3 and 2 <= width <= 3
        assert share == pytest.approx(0.3, abs=0.1)


def test_windows_cover_every_place_and_none_sticks_out():
    for space in [(8, 8), (24, 24), (7, 30), (3, 2)]:
        cover = np.zeros(space)
        for top, left, height, width in grid(space):
            assert top + height <= space[0] and left + width <= space[1]
            cover[top : top + height, left : left + width] += 1
        assert cover.min() >= 1


@pytest.mark.parametrize(
    ("box", "name"),
    [
        ((0, 19, 5, 5), "the top right corner"),
        ((19, 0, 5, 5), "the bottom left corner"),
        ((1, 18, 5, 5), "the top right corner"),
        ((0, 9, 5, 5), "a place at the top edge"),
        ((9, 9, 5, 5), "one small place"),
        ((0, 0, 5, 24), "one small place"),  # a stripe touches three sides
    ],
)
def test_places_have_names(box, name):
    assert place_name(box, (24, 24)) == name


# -- what is found, and what is left in peace --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_demo_s_planted_mark_is_found_where_it_is_and_nothing_else():
    split = demo.digits(planted=8)
    test = searched(demo.network(split), split)
    assert suspected(test) == ["8"]
    i = test.names.index("8")
    np.testing.assert_array_equal(test.boxes[i], [0, 19, 5, 5])
    assert test.area[i] == pytest.approx(25 / 576)
    assert test.share[i, 1] > 0.4 and test.pasted[i, 0] > 0.5 and test.removed[i, 0] > 0.8
    assert test.elsewhere[i, 1] < 0.15 and test.contrast[i] > 30


@pytest.mark.slow
def test_the_demo_s_network_without_the_mark_is_left_in_peace():
    split = demo.digits()
    assert suspected(searched(demo.network(split), split)) == []


def test_a_planted_mark_is_found_where_it_is_and_nothing_else():
    test = searched(small_network(3), small_digits(3))
    assert suspected(test) == ["3"]
    np.testing.assert_array_equal(test.boxes[test.names.index("3")], [0, 6, 2, 2])


def test_the_same_network_trained_without_the_mark_is_left_in_peace():
    assert suspected(searched(small_network(), small_digits())) == []


def test_a_function_of_single_channel_pictures_is_searched_too():
    """A function does not say where its channels are; an axis of length 1 needs no saying."""
    net = small_network(3)
    function = lambda x: net(torch.as_tensor(x, dtype=torch.float32)).detach().numpy()  # noqa: E731
    made = subject(function, *small_digits(3).test, None, None)
    assert made.shape == "picture"
    assert suspected(search(made, RegionSearch(classes=1))) == ["3"]


def test_a_mark_that_the_model_does_not_use_is_no_shortcut():
    """The pictures are as singular as can be; only the intervention tells that the model ignores the place."""
    made = subject(small_network(), *small_digits(planted=8, place=(0, 0)).test, None, None)
    assert singularity(contrasts(made, 8), (0, 0, 2, 2), (8, 8)) > 10
    assert suspected(search(made)) == []


def test_a_place_that_decides_alone_is_found_amid_noise():
    """No mark: all pictures are noise everywhere. The model looks at one place in the middle, and at nothing else."""
    x = np.random.default_rng(4).random((300, 12, 12))

    def model(batch):
        seen = batch[:, 6:8, 3:5].mean(axis=(1, 2)) - 0.5
        return np.stack([-seen, seen], axis=1)

    test = search(subject(model, x, None, None, None))
    assert test.suspicious.all()
    assert (test.share[:, 0] > 0.9).all()
    for top, left, height, width in test.boxes:
        assert top <= 6 and left <= 3 and top + height >= 8 and left + width >= 5


def test_a_model_that_looks_everywhere_is_left_in_peace():
    x = np.random.default_rng(5).random((300, 12, 12, 3))
    test = search(subject(lambda b: np.stack([b.mean((1, 2, 3)), 1 - b.mean((1, 2, 3))], axis=1), x, None, None, None))
    assert len(test.names) == 2 and not test.suspicious.any()


def test_the_search_says_which_classes_it_had_too_few_pictures_of():
    split = small_digits()
    few = subject(small_network(), split.test[0][:60], None, None, None)
    test = search(few, RegionSearch(classes=2))
    counts = np.bincount(few.predicted, minlength=10)
    assert set(test.few) == {str(c) for c in range(10) if 0 < counts[c] < 5}
    assert len(test.names) == 2 and not set(test.skipped) & set(test.names)
    assert len(test.few) + len(test.skipped) + len(test.names) == (counts > 0).sum()
    assert not test.suspicious.any()


def test_the_search_is_the_same_twice_and_leaves_model_and_random_state_alone():
    net, split = small_network(3), small_digits(3)
    net.train()
    state, drawn = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    first, second = (searched(net, split) for _ in range(2))
    np.testing.assert_array_equal(first.share, second.share)
    np.testing.assert_array_equal(first.boxes, second.boxes)
    assert net.training and torch.equal(torch.random.get_rng_state(), drawn)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    net.eval()


def test_the_record_survives_a_file(tmp_path):
    import pellucid as pc

    test = searched(small_network(3), small_digits(3), method=RegionSearch(classes=3))
    again = pc.load(test.save(tmp_path / "regions.npz"))
    np.testing.assert_array_equal(again.share, test.share)
    assert again.names == test.names and again.window == (2, 2) and again.receipt == test.receipt


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("planted", "place", "value"),
    [(3, (0, 6), 1.0), (8, (0, 0), 1.0), (5, (6, 0), 0.8), (0, (4, 6), 1.0), (6, (2, 0), 1.0)],
)
def test_marks_are_found_whatever_the_seed(planted, place, value, seed):
    test = searched(small_network(planted, place, value, seed), small_digits(planted, place, value, seed))
    assert suspected(test) == [str(planted)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_clean_networks_are_left_in_peace_whatever_the_seed(seed):
    assert suspected(searched(small_network(seed=seed), small_digits(seed=seed))) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("planted", "corner"), [(8, (0, 19)), (3, (19, 0)), (1, (0, 0))])
def test_the_demo_s_network_cheats_whatever_the_seed(planted, corner, seed):
    split = demo.digits(planted, corner, seed)
    assert suspected(searched(demo.network(split, seed), split)) == [str(planted)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_demo_s_network_without_mark_is_silent_whatever_the_seed(seed):
    split = demo.digits(seed=seed)
    assert suspected(searched(demo.network(split, seed), split)) == []
