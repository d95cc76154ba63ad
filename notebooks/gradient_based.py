# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Where a network looks, and whether to believe the picture
#
# Five methods that use gradients: CAM, Grad-CAM, Grad-CAM++, integrated gradients and SmoothGrad, and one that should not be
# trusted, guided backpropagation. For each: what it shows, where it misleads, and the evidence beside the picture.
#
# Everything runs offline. The network is trained on the spot, on five photographs that scikit-image ships. With
# `PELLUCID_DATA` set it is ImageNet's MobileNetV2 instead, and the same cells run.

# %%
import numpy as np
import pandas as pd
import torch

import pellucid as pc
import scenes
from pellucid.metrics.similarity import rank_correlation

torch.set_num_threads(1)
at = scenes.scene()
n = len(at.x)


def explain(method, **more):
    return pc.explain(at.model, at.x, method, **{"target": at.targets, **more})


def alike(a, b):
    """Mean rank correlation of two records' maps, signs kept."""
    return float(np.nanmean(rank_correlation(*(r.collapse("sum").reshape(n, -1) for r in (a, b)))))


# %% [markdown]
# ## The pictures and the question
#
# Pixels lie in [-1, 1], as the network wants them: **0 is grey and -1 is black**. That will matter for baselines.
#
# In a collage four subjects share one picture. There it is known where each class is, so a map can be wrong and be found out:
# chance puts a quarter of the positive values into the right quarter.

# %%
with torch.no_grad():
    probabilities = at.model(torch.as_tensor(at.x)).softmax(1).numpy()
pd.DataFrame(
    {
        "picture": at.captions,
        "asked for": at.asked,
        "its probability": probabilities[np.arange(n), at.targets].round(3),
        "predicted": [at.words.get(int(k), f"class {k}") for k in probabilities.argmax(1)],
    }
)

# %% [markdown]
# ### How to read the line below each picture
#
# - **deletion, insertion**: how much better than random orders, in units of the score, with a 95 % interval over the pictures. An
#   interval that contains zero says: no better than random, as far as these few pictures tell.
# - **half / all weights anew**: rank correlation with the map of the same network with the upper half of its layers, or all of
#   them, drawn anew. Both should be near zero: a map of the network cannot stay when the network goes.
# - **in its quarter**: the share of positive values where the class really is. Chance gets 25 %.
# - **largest gap**: how far values are from adding up, for methods that promise it.

# %% [markdown]
# ## CAM and Grad-CAM
#
# CAM (Zhou et al. 2016) needs a network that ends in global average pooling and one linear layer. Then the class score is a
# mean over places, and the map says what each place adds. The paper does not rectify the map; many texts add a ReLU.

# %%
cam = explain(pc.CAM())
scenes.beside(at, cam)

# %% [markdown]
# The map is exact: its mean is the score less the bias of that class. Both columns must agree.

# %%
*_, last = (layer for layer in at.model.modules() if isinstance(layer, torch.nn.Linear))
bias = last.bias.detach().numpy()[at.targets]
pd.DataFrame({"mean of the map": cam.raw.mean(axis=(1, 2)), "score less bias": cam.scores - bias}).round(4)

# %% [markdown]
# Grad-CAM (Selvaraju et al. 2017) weighs each channel of a layer by its mean gradient. That gradient exists at an inner layer, not
# at a leaf of the graph, so it has to be asked for there; `loss.backward()` alone leaves `.grad` empty. On a network of CAM's kind
# both are the same map up to a factor, once Grad-CAM's ReLU is left out.

# %%
unrectified = explain(pc.GradCAM(relu=False))
print(f"rank correlation of CAM and Grad-CAM without ReLU: {alike(cam, unrectified):.3f}")
grad_cam = explain(pc.GradCAM())
scenes.beside(at, grad_cam)

# %% [markdown]
# ### It tells classes apart
#
# The same picture, asked for two classes. A map of the class must change with the class.

# %%
first, second = (2, 3) if at.where is None else (2, 5)
both = [explain(pc.GradCAM(), target=int(at.targets[row])) for row in (first, second)]
panels = pc.plot.gallery(both, row=first)
for panel, row in zip(panels[1:], (first, second), strict=True):
    panel.set_title(f"asked for “{at.asked[row]}”", loc="left", fontsize=9)
panels[0]

# %%
pd.DataFrame(
    {
        "the class asked": [at.asked[row] for row in (first, second)],
        "the class's score on this picture": [r.scores[first] for r in both],
        "largest value of its map": [r.values[first].max() for r in both],
    }
).round(4)

# %% [markdown]
# ### Where it misleads
#
# - **Coarse.** The map has the size of the layer and is brought up to the picture's. Its edges are not edges of the object.
# - **The ReLU hides evidence against the class**, which is often the larger part. Compare the two columns below.
# - **Scaling each map to [0, 1] makes every map look equally sure.** A class that the network does not believe in gets a map all
#   the same. Pellucid keeps raw values, and a map of zeros is called degenerate instead of being stretched into noise.

# %%
print(
    f"size of the layer: {grad_cam.raw.shape[1:]}, size of the picture: {at.x.shape[2:]}, layer {grad_cam.receipt.layer!r}"
)
against = np.maximum(-unrectified.values, 0).sum((1, 2))
pd.DataFrame({"for the class": np.maximum(unrectified.values, 0).sum((1, 2)), "against it": against}).round(2)

# %%
second = int(np.argsort(-probabilities[0])[1])
unlikely = explain(pc.GradCAM(), target=second)
print(
    f"probability of the second class: {probabilities[0, second]:.2g}; its map goes up to {unlikely.values[0].max():.2g}"
)
pc.plot.gallery([grad_cam, unlikely], row=0)[0]

# %% [markdown]
# ## Grad-CAM++
#
# Grad-CAM++ (Chattopadhay et al. 2018) weighs places so that a class seen several times keeps all its places. Its weights need
# the second and third derivative of exp(score) along one activation. Calling `.sum().backward()` once more gives something
# else: sums over rows of the Hessian, which mix in every other activation. On a²b at (1, 2):

# %%
a = torch.tensor([1.0, 2.0], requires_grad=True)
(slope,) = torch.autograd.grad(a[0] ** 2 * a[1], a, create_graph=True)
(row_sums,) = torch.autograd.grad(slope.sum(), a, retain_graph=True)
diagonal = [torch.autograd.grad(slope[i], a, retain_graph=True)[0][i].item() for i in range(2)]
print(f"row sums of the Hessian: {row_sums.tolist()}, its diagonal: {diagonal}")

# %% [markdown]
# Where the network is piecewise linear above the layer, both derivatives are powers of the first one, and no second pass is needed.

# %%
plus = explain(pc.GradCAMPlusPlus())
scenes.beside(at, plus)

# %% [markdown]
# **Where it misleads.** Its weights are never negative, so a channel that speaks against the class cannot be told from one that is
# silent, and the map spreads. Where the truth is known, compare the share inside the right quarter with Grad-CAM's above.

# %% [markdown]
# ## Plain gradients, and saturation
#
# Saliency (Simonyan et al. 2013) is the derivative of the score. For its classic picture take the largest magnitude over the
# *channel* axis, axis 1 of a batch: `collapse("max")`.

# %%
saliency = explain(pc.Saliency())
scenes.beside(at, saliency)

# %% [markdown]
# A derivative answers "what if this changed a little?", not "what did this contribute?". The smallest example is
# f(x) = 1 - ReLU(1 - x) at x = 2. The input moved f from 0 to 1, and the derivative there is 0.


# %%
class Saturated(torch.nn.Module):
    def forward(self, x):
        return 1 - torch.relu(1 - x)


two = np.array([[2.0]])
for method in (pc.Saliency(), pc.InputXGradient(), pc.IntegratedGradients(steps=2), pc.IntegratedGradients(steps=50)):
    record = pc.explain(Saturated(), two, method)
    print(f"{method!r:<50} {record.values[0, 0]:.4f}   gap {record.gap[0]:.4f}")

# %% [markdown]
# Many texts give the right-endpoint sum for the integral, which is off by (g(1) - g(0)) / (2 steps). With 50 steps x² between 0
# and 1 comes out as 1.02, and the example above as 0.96. An even number of Gauss-Legendre points gets both right.

# %%
steps = 50
ends = np.arange(1, steps + 1) / steps
print(
    f"right endpoints: x² gives {np.mean(2 * ends):.2f} instead of 1, the example {2 * np.mean(2 * ends < 1):.2f} instead of 1"
)

# %% [markdown]
# The same on a picture: the more certain the network, the smaller the gradient of its *probability*. Ask for the raw score.

# %%
rows = []
for row in range(min(n, 4)):
    k = int(probabilities[row].argmax())
    sizes = [
        np.abs(pc.explain(at.model, at.x[row : row + 1], pc.Saliency(), target=pc.Class(k, scale=scale)).values).sum()
        for scale in ("raw", "probability")
    ]
    rows.append(
        {"probability": probabilities[row, k], "gradient of the score": sizes[0], "of the probability": sizes[1]}
    )
pd.DataFrame(rows).round(4)

# %% [markdown]
# ## Integrated gradients, and the choice of a baseline
#
# Integrated gradients (Sundararajan et al. 2017) average the gradient on the way from a baseline to the picture. Values add up
# to the difference of the two scores, and the gap says how nearly.

# %%
integrated = explain(pc.IntegratedGradients())
scenes.beside(at, integrated)

# %% [markdown]
# ### Where it misleads: compared with what?
#
# A pixel that equals the baseline gets nothing, whatever it means to the network. With pixels in [-1, 1], zero is a grey pixel and
# not an absent one; with a black baseline, black fur and night skies cannot matter. So look at several baselines:

# %%
baselines = {"grey (zeros)": "zeros", "black": -1.0, "white": 1.0, "blurred": "blur"}
made = {name: explain(pc.IntegratedGradients(baseline=value)) for name, value in baselines.items()}
brightness = at.x.mean(1).reshape(n, -1)
dark = brightness <= np.quantile(brightness, 0.1, axis=1, keepdims=True)
bright = brightness >= np.quantile(brightness, 0.9, axis=1, keepdims=True)


def share(record, where):
    size = np.abs(record.collapse("sum").reshape(n, -1))
    return float(((size * where).sum(1) / size.sum(1)).mean())


pd.DataFrame(
    {
        name: {
            "share of the darkest tenth": share(record, dark),
            "share of the brightest tenth": share(record, bright),
            "rank correlation with black": alike(record, made["black"]),
            "largest gap": np.abs(record.gap).max(),
        }
        for name, record in made.items()
    }
).round(3)

# %%
panels = pc.plot.gallery(list(made.values()), row=0)
for panel, name in zip(panels[1:], made, strict=True):
    panel.set_title(name, loc="left", fontsize=9)
panels[0]

# %% [markdown]
# Same network, same picture, same method, and rankings that have little in common. None is wrong; they answer different
# questions. A published map without its baseline cannot be read.
#
# More steps close the gap, and the gap is on every record:

# %%
gaps = {steps: np.abs(explain(pc.IntegratedGradients(steps=steps, baseline=-1.0)).gap).max() for steps in (8, 32, 128)}
pd.Series(gaps, name="largest gap").rename_axis("steps").to_frame().round(4)

# %% [markdown]
# ## SmoothGrad
#
# SmoothGrad (Smilkov et al. 2017) averages a method over noisy copies. The noise is a share of the picture's own range, 10 to 20 %
# in the paper. Here every value has a standard error, so it is known when enough copies were drawn.

# %%
smooth = explain(pc.SmoothGrad(samples=25))
scenes.beside(at, smooth)

# %%
errors = {}
for samples in (6, 24, 96):
    record = pc.explain(at.model, at.x[:1], pc.SmoothGrad(samples=samples), target=int(at.targets[0]))
    errors[samples] = {"mean |value|": np.abs(record.values).mean(), "mean standard error": record.stderr.mean()}
pd.DataFrame(errors).T.rename_axis("samples")

# %% [markdown]
# ### Where it misleads: axioms do not survive averaging
#
# It is often said that SmoothGrad around a complete method stays complete. It does not: the values add up to the *mean* score
# of the noisy copies less the baseline's. On x² at x = 1 with noise 0.5 that is 1 + 0.25.


# %%
class Square(torch.nn.Module):
    def forward(self, x):
        return x**2


wrapped = pc.SmoothGrad(method=pc.IntegratedGradients(steps=4), samples=4000, noise=0.5, relative=False)
record = pc.explain(Square(), np.array([[1.0]]), wrapped)
print(
    f"sum {record.values.sum():.3f} with standard error {record.stderr.max():.3f}; the score is {record.scores[0]:.0f}"
)
print(f"the record's own gap: {record.gap[0]:.3f}")

# %% [markdown]
# And the noise level is a choice, like the baseline:

# %%
levels = {noise: explain(pc.SmoothGrad(samples=16, noise=noise)) for noise in (0.05, 0.15, 0.5)}
pd.DataFrame({f"noise {a}": {f"noise {b}": alike(levels[a], levels[b]) for b in levels} for a in levels}).round(2)

# %% [markdown]
# ## Guided backpropagation and the sanity check
#
# Guided backpropagation (Springenberg et al. 2014) is known for sharp pictures. Adebayo et al. (2018) asked a simple question: does
# the map change when the network is destroyed? Layers get new random weights, from the output inwards.

# %%
guided = explain(pc.GuidedBackprop())
scenes.beside(at, guided)

# %%
curves = {}
for record in (guided, saliency, explain(pc.GradCAM(relu=False)), explain(pc.IntegratedGradients(steps=8))):
    curve = pc.evaluate(at.model, record, pc.ModelRandomization(stages=5, draws=1)).curves[0]
    depths = [label.partition(":")[0] for label in curve.labels]
    curves[type(record.method).__name__] = dict(zip(depths, np.nanmean(curve.detail["by_depth"], axis=0), strict=True))
pd.DataFrame(curves).rename_axis("layers drawn anew, from the output").round(2)

# %% [markdown]
# One line per depth. A map of the network loses its pattern within a few layers from the output. Where guided backpropagation
# keeps its own until the first layers go, it shows edges that the lower layers see, whatever the network does with them.
#
# The second question: does the map change with the class? Beside guided backpropagation stands Grad-CAM.

# %%
others = (at.targets + 1) % probabilities.shape[1]
pd.Series(
    {
        type(method).__name__: alike(explain(method), explain(method, target=others))
        for method in (pc.GuidedBackprop(), pc.Saliency(), pc.GradCAM(relu=False))
    },
    name="rank correlation between the maps of two classes",
).to_frame().round(2)

# %% [markdown]
# Passing the check is necessary and not sufficient: noise passes it.

# %% [markdown]
# ## All together

# %%
records = [cam, grad_cam, plus, saliency, integrated, smooth, guided]
pd.DataFrame({type(r.method).__name__: scenes.evidence(at, r) for r in records}).T.fillna("")

# %%
pc.plot.gallery(records, row=2)[0]

# %% [markdown]
# **What to take home.**
#
# 1. Look at the evidence first. Sharp pictures can be no better than random orders, and coarse ones can be.
# 2. Say the baseline, the layer, the noise and the scale of the target, or the map cannot be read. The receipt says them.
# 3. A gradient is not a contribution. Where contributions are wanted, take a method whose values add up, and read the gap.
# 4. Ask for a second class, and for a network with random weights. A map that does not change explains the picture.

# %%
print(integrated.receipt.to_json())
