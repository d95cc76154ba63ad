"""TCAV: closed forms, an independent slow derivation, planted concepts, random ones that are not reported, captum beside it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import pellucid as pc
from nets import Formula, cnn, mlp
from oracles import oracle
from pellucid.methods.concept.directions import logistic, mean_differences
from pellucid.methods.concept.looks import shares
from pellucid.methods.concept.newton import newton
from pellucid.methods.concept.testing import holm, told_apart, two_sided
from small_bert import bert, tokenizer

MEAN = pc.TCAV(cav="mean-difference", runs=50)


def head(formula):
    """A layer "0" that passes its input on, and a formula of it."""
    return nn.Sequential(nn.Identity(), Formula(formula)).double()


# --- closed forms ----------------------------------------------------------------------------------------------------


def test_the_share_of_positive_slopes_in_closed_form():
    case = oracle("TCAV")
    along, across, origin = (np.tile(one, (20, 1)) for one in ([1.0, 0.0], [0.0, 1.0], [0.0, 0.0]))
    inputs = np.array([[0.5, 1.0], [0.5, 2.0], [0.5, -1.0], [0.5, 3.0]])
    sets = {"along": along, "across": across}
    line = pc.concepts(head(lambda a: 2 * a[:, 0] - a[:, 1]), sets, MEAN, layer="0", inputs=inputs, random=origin)
    product = pc.concepts(head(lambda a: a[:, 0] * a[:, 1]), sets, MEAN, layer="0", inputs=inputs, random=origin)
    found = line.runs[0, 0, 0], line.runs[1, 0, 0], product.runs[0, 0, 0]
    assert found == (case["expected"]["lin_pos"], case["expected"]["lin_neg"], case["expected"]["prod"])
    assert product.runs.std(axis=2).max() == 0  # nothing here is random but which copies are drawn
    np.testing.assert_allclose(product.sensitivity[:, 0], [[1, 2, -1, 3], [0.5] * 4])
    np.testing.assert_allclose(line.directions[0], [[1, 0], [0, 1]], atol=1e-15)


def test_the_score_is_differentiated_not_the_loss():
    """Gradient (0, 1, 2) of the score and a CAV along (1, 2, 3): 8 > 0, so the concept raises the score."""
    net = head(lambda a: a[:, 1] + 2 * a[:, 2])
    along, origin = np.tile([1.0, 2.0, 3.0], (20, 1)), np.zeros((20, 3))
    found = pc.concepts(net, {"c": along}, MEAN, layer="0", inputs=np.zeros((1, 3)), random=origin)
    assert found.scores[0, 0] == 1
    assert found.sensitivity[0, 0, 0] == pytest.approx(8 / np.sqrt(14))


def test_slopes_of_zero_count_half_and_dead_inputs_are_left_out():
    along = np.array([[1.0], [-2.0], [0.0], [0.0]])
    live = np.array([True, True, True, False])
    assert shares(along, live)[0] == pytest.approx(0.5)
    net = head(lambda a: torch.relu(a[:, 0]))
    sets = {"c": np.ones((20, 1))}
    inputs = np.array([[1.0], [2.0], [-1.0]])
    found = pc.concepts(net, sets, MEAN, layer="0", inputs=inputs, random=np.zeros((20, 1)))
    assert found.scores[0, 0] == 1
    assert any("1 of 3 inputs does not depend on 0" in said for said in found.receipt.warnings)
    dead = pc.concepts(net, sets, MEAN, layer="0", inputs=inputs[2:], random=np.zeros((20, 1)))
    assert np.isnan(dead.scores[0, 0]) and "does not depend on this layer" in dead.reasons[0][0]


def test_p_values_and_holm_in_closed_form():
    assert two_sided(np.full(199, 0.9)) == pytest.approx(0.01)
    assert two_sided(np.array([0.2, 0.8] * 20)) == 1
    assert two_sided(np.array([0.4, *[0.6] * 18])) == pytest.approx(0.2)
    np.testing.assert_allclose(holm(np.array([[0.01, 0.04], [np.nan, 0.03]])), [[0.03, 0.06], [np.nan, 0.06]])
    np.testing.assert_allclose(holm(np.array([0.9, 0.8])), [1, 1])


def test_a_probe_is_judged_on_what_it_did_not_see():
    """Two runs, two examples a side; the second is never trained on, the first once."""
    weights = np.array([[0.5, 0.0], [0.0, 0.0], [-0.5, -0.5], [0.0, 0.0]])
    margins = np.array([[9.0, 1.0], [1.0, -1.0], [9.0, 9.0], [-1.0, -1.0]])
    told = told_apart(margins, weights, np.array([0, 1]), np.array([2, 3]))
    assert told.accuracy == pytest.approx((0.75 + 1) / 2)  # hit rates 1, 1/2 | 1: the third was always trained on


# --- directions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "close"), [(3, 1e-3), (40, 1e-6)])
def test_logistic_directions_are_those_of_scikit_learn(width, close):
    """Fewer and more features than examples, in principal axes and among the examples of each run; examples weigh differently,
    and one is left out."""
    rng = np.random.default_rng(0)
    examples = rng.normal(size=(12, width))
    examples -= examples.mean(axis=0)
    weights = (
        np.array([[3, 1, 1, 1, 0, 0, -2, -1, -1, -1, -1, 0], [0, 1, 1, 0, 2, 2, 0, 0, -3, -1, -1, -1]], float).T / 12
    )
    scale = np.sqrt((examples**2).sum(axis=1).mean())
    found = logistic(examples @ examples.T, weights, penalty=0.05, width=width)
    for run in range(2):
        kept = weights[:, run] != 0
        model = LogisticRegression(C=1 / 0.05, tol=1e-10, max_iter=5000).fit(
            examples[kept] / scale, weights[kept, run] > 0, sample_weight=np.abs(weights[kept, run])
        )
        expected = model.coef_[0] / np.linalg.norm(model.coef_[0])
        np.testing.assert_allclose(examples.T @ found.alpha[:, run], expected, atol=close)
        np.testing.assert_allclose(found.margins[:, run], model.decision_function(examples / scale), atol=5 * close)


@pytest.mark.parametrize("penalty", [1.0, 0.01, 1e-5])
def test_newton_ends_where_the_slope_is_zero_also_of_what_is_told_apart_perfectly(penalty):
    rng = np.random.default_rng(1)
    examples = rng.normal(size=(50, 200)) + 3 * np.repeat([[1.0], [0.0]], [20, 30], axis=0)
    gram = examples @ examples.T / 200
    weights = np.zeros((50, 7))
    for run in range(7):  # runs of different sizes, one example drawn several times
        np.add.at(weights[:, run], rng.integers(0, 20, 12 + run), 0.5 / (12 + run))
        weights[rng.choice(np.arange(20, 50), 9 + run, replace=False), run] = -0.5 / (9 + run)
    alpha, offset = newton(gram, weights, penalty)
    slope = -weights / (1 + np.exp(np.sign(weights) * (gram @ alpha + offset)))
    np.testing.assert_allclose(penalty * alpha, -slope, atol=1e-12)
    np.testing.assert_allclose(slope.sum(axis=0), 0, atol=1e-12)
    assert (alpha[weights == 0] == 0).all()
    in_axes, _ = newton(gram[::-1, ::-1], weights[::-1], penalty)
    np.testing.assert_allclose(in_axes[::-1], alpha, rtol=1e-6, atol=1e-9)


def test_mean_differences_by_definition():
    examples = np.random.default_rng(0).normal(size=(6, 4))
    weights = np.array([[0.25, 0.25, 0, -0.25, -0.25, 0]]).T
    found = mean_differences(examples @ examples.T, weights)
    v = examples[:2].mean(axis=0) - examples[3:5].mean(axis=0)
    np.testing.assert_allclose(examples.T @ found.alpha[:, 0], v / np.linalg.norm(v))
    middle = (examples[:2].mean(axis=0) + examples[3:5].mean(axis=0)) / 2
    np.testing.assert_allclose(found.margins[:, 0], (examples - middle) @ v)


@pytest.mark.parametrize(("layer", "pool"), [("0", "flatten"), ("4", "flatten"), ("4", "mean"), ("0", "mean")])
def test_slopes_are_what_a_small_step_at_the_layer_does(layer, pool):
    """An independent slow derivation: push the layer along the recorded direction and look at the score."""
    net, rng = cnn().double().eval(), np.random.default_rng(1)
    sets = {"c": rng.normal(size=(8, 2, 8, 8)) + 0.5}
    inputs = rng.normal(size=(3, 2, 8, 8))
    method = replace(MEAN, pool=pool)
    found = pc.concepts(net, sets, method, layer=layer, inputs=inputs, target=1, random=rng.normal(size=(16, 2, 8, 8)))
    slopes = np.zeros(3)
    pushed = torch.as_tensor(_mean_of_units(net, sets["c"], found, layer, pool))
    for sign in (1, -1):
        handle = net.get_submodule(layer).register_forward_hook(lambda m, i, o, s=sign: o + s * 1e-5 * pushed)
        with torch.no_grad():
            slopes += sign * net(torch.as_tensor(inputs))[:, 1].numpy() / 2e-5
        handle.remove()
    np.testing.assert_allclose(
        found.sensitivity[0, 0] / np.abs(found.sensitivity).max(), slopes / np.abs(slopes).max(), atol=1e-5
    )


def _mean_of_units(net, concept, found, layer, pool):
    """The recorded direction, laid out over the layer's places."""
    direction = found.directions[0][0]
    return direction[:, None, None] if pool == "mean" else direction


# --- planted concepts ------------------------------------------------------------------------------------------------

COLOURS = {"red": 0, "green": 1, "blue": 2}


class Reddish(nn.Module):
    """Says how red a picture is, through a layer that keeps all colours apart in channels of its own."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.colours = nn.Conv2d(3, 6, 1)
        with torch.no_grad():
            self.colours.weight[:, :, 0, 0] = torch.eye(3).repeat(2, 1) + 0.05 * torch.randn(6, 3)
        self.squash, self.head = nn.Tanh(), nn.Linear(6, 2, bias=False)
        with torch.no_grad():
            ones = torch.linalg.pinv(self.colours.weight[:, :, 0, 0]).T @ torch.tensor([1.0, 0.0, 0.0])
            self.head.weight[:] = torch.stack([-ones, ones])

    def forward(self, x):
        return self.head(self.squash(self.colours(x)).mean((2, 3)))


def pictures(n, rng, colour=None):
    """Noise, with one colour raised in a random quarter."""
    made = rng.normal(scale=0.3, size=(n, 3, 6, 6)).astype(np.float32)
    if colour is not None:
        for picture in made:
            top, left = rng.integers(0, 4, 2)
            picture[COLOURS[colour], top : top + 3, left : left + 3] += 1.0
    return made


@pytest.mark.parametrize(("cav", "seeds"), [("logistic", 2), ("mean-difference", 5)])
def test_the_planted_colour_is_found_at_every_seed_and_no_other(cav, seeds):
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        sets = {colour: pictures(30, rng, colour) for colour in COLOURS}
        sets["chance"] = pictures(30, rng)
        found = pc.concepts(
            Reddish(),
            sets,
            pc.TCAV(cav=cav, pool="mean", seed=seed, runs=400),
            layer=["colours", "squash"],
            inputs=pictures(20, rng),
            target=1,
            random=pictures(120, rng),
        )
        frame = found.to_frame().set_index(["concept", "layer"])
        for layer in found.layers:
            red = frame.loc[("red", layer)]
            assert red["score"] > 0.97 and red["significant"] and red["probe accuracy"] > 0.9
            for unused in ("green", "blue"):
                assert frame.loc[(unused, layer), "probe accuracy"] > 0.9  # the layer knows it
                assert not frame.loc[(unused, layer), "significant"]  # and the output does not use it
            assert not frame.loc[("chance", layer), "significant"]
        assert abs(found.reference.mean() - 0.5) < 0.1
        less = pc.concepts(
            Reddish(), {"red": sets["red"]}, replace(MEAN, pool="mean"), layer="squash", inputs=pictures(20, rng), target=0,
            random=pictures(60, rng),
        )  # fmt: skip
        assert less.scores[0, 0] < 0.03 and less.significant[0, 0]


@pytest.mark.slow
def test_random_concepts_are_hardly_ever_reported_and_never_significant():
    """The probe's guard keeps its level, and the score's own test does on top of it."""
    net, rng = mlp(20, 2).double(), np.random.default_rng(0)
    pool, inputs = rng.normal(size=(200, 20)), rng.normal(size=(50, 20))
    reported = significant = alone = 0
    for seed in range(200):
        chance = rng.normal(size=(30, 20))
        found = pc.concepts(
            net, {"c": chance}, replace(MEAN, runs=100, seed=seed), layer="1", inputs=inputs, target=1, random=pool
        )
        reported += int(found.reported[0, 0])
        significant += int(found.significant[0, 0])
        alone += two_sided(found.runs[0, 0]) <= 0.05
    assert reported <= 20 and alone <= 16 and significant <= 6


# --- how it is asked -------------------------------------------------------------------------------------------------


def case(rng=None, **more):
    rng = rng or np.random.default_rng(0)
    sets = {"high": rng.normal(size=(20, 4)) + 1, "low": rng.normal(size=(25, 4)) - 1}
    asked = {"layer": ["0", "1"], "inputs": rng.normal(size=(9, 4)), "target": 1, "random": rng.normal(size=(60, 4))}
    return pc.concepts(mlp().double(), sets, MEAN, **{**asked, **more})


def test_one_pass_over_everything():
    found = case()
    assert found.receipt.rows_forward == 20 + 25 + 60 + 9 and found.receipt.rows_backward == 9


def test_neither_company_nor_batches_matter():
    rng = np.random.default_rng(0)
    both, alone = case(), case(layer="1")
    np.testing.assert_allclose(alone.runs[:, 0], both.runs[:, 1])
    np.testing.assert_allclose(case(batch_size=4).sensitivity, both.sensitivity, atol=1e-12)
    sets = {"high": rng.normal(size=(20, 4)) + 1}
    rng.normal(size=(25, 4))
    asked = {"layer": ["0", "1"], "inputs": rng.normal(size=(9, 4)), "target": 1, "random": rng.normal(size=(60, 4))}
    only = pc.concepts(mlp().double(), sets, MEAN, **asked)
    np.testing.assert_allclose(only.runs[0], both.runs[0])


def test_several_random_sets_or_a_pool_or_the_other_concepts():
    rng = np.random.default_rng(3)
    sets = [rng.normal(size=(12, 4)) for _ in range(5)]
    lists, stacked = case(random=sets), case(random=np.stack(sets))
    np.testing.assert_array_equal(lists.runs, stacked.runs)
    np.testing.assert_array_equal(lists.runs, case(random={f"r{i}": one for i, one in enumerate(sets)}).runs)
    pool = case(random=np.concatenate(sets))
    assert not np.array_equal(lists.runs, pool.runs)
    assert any("5 random examples" in w or "60 random" in w for w in pool.receipt.warnings) is False
    relative = case(random=None)
    assert relative.reference is None and relative.receipt.notes[-1].startswith("each concept is told from the other")
    means = [rng.normal(size=(25, 4)) + shift for shift in (1.5, -1.5)]
    only = pc.concepts(mlp().double(), dict(zip("ab", means, strict=True)), MEAN, layer="0", inputs=means[0], target=1)
    gap = mlp().double()[0](torch.as_tensor(means[0].mean(0) - means[1].mean(0))) - mlp().double()[0].bias
    for sign, direction in zip((1, -1), only.directions[0], strict=True):
        assert sign * direction @ gap.detach().numpy() / gap.norm().item() > 0.97


def test_predicted_class_and_one_target_per_row():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(9, 4))
    net = mlp().double()
    predicted = net(torch.as_tensor(inputs)).argmax(1).tolist()
    usual, named = case(target=None, inputs=inputs, batch_size=4), case(target=predicted, inputs=inputs, batch_size=4)
    np.testing.assert_allclose(usual.sensitivity, named.sensitivity)
    with pytest.raises(pc.TargetError, match="8 targets for 9 rows"):
        case(target=predicted[:8], inputs=inputs)
    with pytest.raises(pc.TargetError, match="out of range"):
        case(target=7)
    margin = case(target=pc.Margin(1, 0), inputs=inputs)
    one, other = case(target=1, inputs=inputs), case(target=0, inputs=inputs)
    np.testing.assert_allclose(margin.sensitivity, one.sensitivity - other.sensitivity, atol=1e-12)


def test_the_record_says_and_keeps_what_was_found(tmp_path):
    rng = np.random.default_rng(0)
    sets = {"high": rng.normal(size=(20, 4)) + 1, "chance": rng.normal(size=(20, 4))}
    found = pc.concepts(
        mlp().double(), sets, MEAN, layer="0", inputs=rng.normal(size=(9, 4)), target=1, random=rng.normal(size=(60, 4))
    )
    assert found.reasons[0][0] == "" and "no better than chance" in found.reasons[1][0]
    assert np.isnan(found.scores[1, 0]) and np.isfinite(found.runs).all() and np.isnan(found.adjusted[1, 0])
    back = pc.load(found.save(tmp_path / "c.npz"))
    assert back.concepts == found.concepts and back.method == MEAN and back.reasons == found.reasons
    np.testing.assert_array_equal(back.directions[0], found.directions[0])
    second = found[1]
    assert second.concepts == ("chance",) and second.directions[0].shape == (1, 8) and len(second) == 1
    assert "not reported, because its probe" in found.words()[1]
    assert {"concept", "score", "p adjusted", "significant", "probe accuracy"} <= set(found.to_frame().columns)
    ax = pc.plot.show(found)
    words = " ".join(text.get_text() for text in ax.texts)
    assert "not reported: its probe is right" in words
    assert len(ax.patches) >= 3  # two bands of random sets and a bar
    assert (
        pc.plot.concepts(found[0]).get_title(loc="left") == "TCAV · class 1 (raw) · 0" and back.target == found.target
    )


def test_too_few_runs_for_so_many_tests_is_said():
    assert any("50 runs are too few" in said for said in case().receipt.warnings)
    wide = pc.concepts(
        mlp(300).double(),
        {"c": np.random.default_rng(0).normal(size=(10, 300)) + 1},
        MEAN,
        layer="0",
        inputs=np.zeros((2, 300)),
        target=0,
        random=np.random.default_rng(1).normal(size=(30, 300)),
    )
    assert any("concept 'c' has 10 examples" in said for said in wide.receipt.warnings)


def test_a_layer_with_more_numbers_than_examples_is_said():
    net = nn.Sequential(nn.Linear(4, 90), nn.Tanh(), nn.Linear(90, 2)).double()
    rng = np.random.default_rng(0)
    found = pc.concepts(
        net,
        {"c": rng.normal(size=(20, 4)) + 1},
        MEAN,
        layer="1",
        inputs=np.ones((2, 4)),
        random=rng.normal(size=(40, 4)),
    )
    assert any("1 has 90 numbers for 60 examples" in said for said in found.receipt.notes)


# --- texts -----------------------------------------------------------------------------------------------------------

PRAISE = ["a great film", "great fun !", "so great , so fun", "great , the end", "fun film ."]
BOREDOM = ["a boring film", "boring", "bored !", "so boring , the end", "not fun ."]
OTHERS = ["the end .", "a film", "film ends", "so , a film .", "the film !", "a , the .", "ends", "end ! !"]


@pytest.mark.parametrize("size", [16, 8192])
def test_concepts_in_texts_whatever_the_padding(monkeypatch, size):
    monkeypatch.setattr("pellucid.models.tokenized._TOKENS", size)
    model = pc.TextModel(bert(), tokenizer())
    sets = {"praise": PRAISE, "boredom": BOREDOM}
    asked = {"layer": ["bert.embeddings", "bert.encoder.layer.*"], "inputs": PRAISE[:2] + BOREDOM[:3], "target": "good"}
    found = pc.concepts(model, sets, MEAN, random=OTHERS, **asked)
    assert found.layers == ("bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1")
    assert found.directions[0].shape == (2, 16)
    expected = _slow(model.model, model.tokenizer, found, asked["inputs"])
    np.testing.assert_allclose(found.sensitivity[0, 1] / np.abs(found.sensitivity[0, 1]).max(), expected, atol=1e-4)


def _slow(net, tok, found, texts):
    """The slope along the recorded direction, every text alone: a step at all of its tokens."""
    net.eval()
    pushed, slopes = torch.as_tensor(found.directions[1][0], dtype=torch.float64), []
    net.double()
    for text in texts:
        ends = []
        for step in (1e-5, -1e-5):
            handle = net.bert.encoder.layer[0].register_forward_hook(lambda m, i, o, s=step: o + s * pushed)
            with torch.no_grad():
                ends.append(net(**tok([text], return_tensors="pt")).logits[0, 1].item())
            handle.remove()
        slopes.append((ends[0] - ends[1]) / 2e-5)
    net.float()
    return np.array(slopes) / np.abs(slopes).max()


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"concepts": {"c": np.zeros((0, 4))}}, r"concept 'c' is empty"),
        ({"concepts": {"c": np.ones((1, 4))}}, r"concept 'c' has a single example"),
        ({"concepts": {"c": np.ones((5, 3))}}, r"shape \(3,\), the inputs \(4,\)"),
        ({"concepts": {"c": ["a", "b"]}}, r"holds texts and the inputs are numbers"),
        ({"concepts": {}}, r"without entries"),
        ({"concepts": [np.ones((5, 4))]}, r"concepts is a list"),
        ({"random": None, "concepts": {"c": np.ones((5, 4))}}, r"nothing to tell it from"),
        ({"random": np.ones((3, 4))}, r"random holds 3 examples"),
        ({"inputs": np.ones((0, 4))}, r"inputs has shape \(0, 4\), which is empty"),
        ({"inputs": ["a text"]}, r"holds numbers and the inputs are texts"),
    ],
)
def test_bad_sets_are_named_with_a_remedy(given, says):
    sets = {"c": np.random.default_rng(0).normal(size=(5, 4))}
    asked = {"inputs": np.ones((2, 4)), "random": np.random.default_rng(1).normal(size=(9, 4)), **given}
    with pytest.raises(pc.InputError, match=says):
        pc.concepts(mlp().double(), asked.pop("concepts", sets), MEAN, layer="0", **asked)


def test_layers_and_models_that_will_not_do():
    with pytest.raises(pc.MethodError, match=r"no layer '7'"):
        case(layer="7")
    with pytest.raises(pc.MethodError, match=r"does not score concepts"):
        pc.concepts(mlp(), {"c": np.ones((5, 4))}, pc.Saliency(), layer="0", inputs=np.ones((2, 4)))
    same = {"c": np.ones((5, 4)), "d": np.ones((5, 4))}
    for cav in ("logistic", "mean-difference"):
        alike = pc.concepts(mlp(), same, pc.TCAV(cav=cav, runs=20), layer="0", inputs=np.ones((2, 4)), target=0)
        assert not alike.reported.any() and (alike.accuracy == 0.5).all() and (alike.runs == 0.5).all()
    whole = nn.Sequential(
        nn.Linear(4, 3), Formula(lambda a: a.argmax(1)), Formula(lambda a: a[:, None].float())
    ).float()
    rng = np.random.default_rng(0)
    sets, pool = {"c": rng.normal(size=(9, 4)) + 1}, rng.normal(size=(20, 4))
    with pytest.raises(pc.ModelError, match=r"whole numbers, which have no gradient"):
        pc.concepts(whole, sets, MEAN, layer="1", inputs=rng.normal(size=(3, 4)), random=pool)
    with pytest.raises(pc.ModelError, match=r"does not depend on layer '0' through differentiable"):
        pc.concepts(whole, sets, MEAN, layer="0", inputs=rng.normal(size=(3, 4)), random=pool)
    for wrong in ({"cav": "svm"}, {"pool": "max"}, {"runs": 5}, {"level": 0.0}, {"penalty": 0.0}):
        with pytest.raises(pc.MethodError, match=next(iter(wrong))):
            pc.TCAV(**wrong)


# --- beside captum ---------------------------------------------------------------------------------------------------


def test_captum_counts_the_same_from_the_same_vectors():
    """captum is handed our vectors as its classifiers' weights; its share of positive slopes is then ours."""
    concept_module = pytest.importorskip("captum.concept")
    from captum.concept._utils.classifier import Classifier

    net, rng = mlp(6, 3).eval(), np.random.default_rng(0)
    sets = {"a": rng.normal(size=(20, 6)) + 0.7, "b": rng.normal(size=(20, 6)) - 0.4}
    inputs, pool = rng.normal(size=(40, 6)), rng.normal(size=(60, 6))
    asked = {"layer": "1", "inputs": np.float32(inputs), "target": 2, "random": np.float32(pool)}
    found = pc.concepts(net, {name: np.float32(one) for name, one in sets.items()}, MEAN, **asked)

    class Given(Classifier):
        def __init__(self, vector):
            self.vector = vector

        def train_and_eval(self, dataloader, **more):
            return {"accs": 1.0}

        def weights(self):
            return torch.as_tensor(np.stack([self.vector, -self.vector]), dtype=torch.float32)

        def classes(self):
            return [0, 1]

    for i, name in enumerate(sets):
        loaders = [torch.utils.data.DataLoader(torch.tensor(np.float32(one)), 32) for one in (sets[name], pool)]
        pair = [concept_module.Concept(k, f"{name}{k}", loader) for k, loader in enumerate(loaders)]
        tcav = concept_module.TCAV(net, "1", classifier=Given(found.directions[0][i]), save_path=str(_empty()))
        theirs = tcav.interpret(torch.tensor(np.float32(inputs)), [pair], target=2)
        count = next(iter(theirs.values()))["1"]["sign_count"][0].item()
        assert count == pytest.approx((found.sensitivity[i, 0] > 0).mean())


def _empty():
    import tempfile

    return tempfile.mkdtemp()
