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
# # Explaining by examples
#
# People explain by examples: this is typical, that is an exception, it looks like one I have seen, I learned it from those. Four
# questions of that kind on handwritten digits: prototypes and criticisms, a network that reasons by parts it has seen, training
# examples that made a prediction, and rows that the model is likely to get wrong. For each: what it says, and whether it is so.
#
# Everything runs offline, on the digits that scikit-learn ships. With `PELLUCID_DATA` set they are MNIST's test images, and the
# same cells run. MNIST's are brought down to 7 x 7 blocks for linear models and to 14 x 14 for the network.

# %%
import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import handwriting
import pellucid as pc

torch.set_num_threads(1)
at = handwriting.digits()
print(f"{at.title}: {len(at.y)} pictures of {at.pictures.shape[1]} x {at.pictures.shape[2]} pixels")

# %% [markdown]
# ## Which digits stand for the others?
#
# MMD-critic (Kim, Khanna & Koyejo 2016) picks rows one by one, such that they are distributed like the data: that makes them
# **prototypes**. **Criticisms** are rows that the prototypes do not stand for. The record says how far apart the two distributions
# still are (MMD²), which only means something beside rows drawn at random.

# %%
picked = pc.prototypes(at.pictures, pc.MMDCritic(prototypes=20, criticisms=10), labels=at.y)
pc.plot.specimens(picked, at.pictures)[0, 0].figure

# %%
pc.plot.projection(picked, at.pictures)

# %% [markdown]
# Two principal components keep only the share of the variance that the axis names: a star in the middle of another
# digit's cloud may lie far from it in the other directions.
#
# Are they better than twenty rows at random? Same kernel, twenty draws:

# %%
points = at.pictures.reshape(len(at.y), -1)
gamma = pc.RBF().bind(points).gamma
K = pc.RBF(gamma).bind(points).columns(np.arange(len(points)))
draws = [np.random.default_rng(seed).choice(len(K), 20, replace=False) for seed in range(20)]
chance = [K.mean() - 2 * K[:, rows].mean() + K[np.ix_(rows, rows)].mean() for rows in draws]
pd.Series(
    {
        "MMD² of the prototypes": picked.curve[-1],
        "of the best of 20 random draws": min(chance),
        "mean of the random draws": np.mean(chance),
    }
).to_frame("").round(5)

# %%
seen = sorted(set(at.y[picked.indices].tolist()))
print(f"the 20 prototypes show the digits {seen}; the criticisms {sorted(set(at.y[picked.criticisms].tolist()))}")
print(f"mean similarity to all rows: prototypes {K[picked.indices].mean():.3f}, all {K.mean():.3f}, ", end="")
print(f"criticisms {K[picked.criticisms].mean():.3f}")

# %% [markdown]
# Criticisms maximise the sum of |witness|, how much prototypes miss or overdo a place, plus a determinant that keeps them
# apart. Beside twenty prototypes the determinant is the larger part, and picks the rows most unlike all others. Without it:

# %%
plain = pc.prototypes(at.pictures, pc.MMDCritic(prototypes=20, criticisms=10, regularize=False))
for name, record in {"with the determinant": picked, "without": plain}.items():
    size, over = np.abs(record.witness), int((record.witness[record.criticisms] < 0).sum())
    print(f"{name}: |witness| {size[record.criticisms].mean() / size.mean():.1f} times that of all rows, ", end="")
    print(f"{over} of 10 criticisms where prototypes are too dense")

# %% [markdown]
# ### Do prototypes know the digit? One nearest prototype
#
# If a few rows stand for the others, the label of the nearest one should be a fair guess. `per_class` lets rows of different
# digits count as unlike, so that every digit is represented. Accuracy is on all rows that are not prototypes themselves.

# %%
accuracy = {}
for m in (10, 30, 100):
    each = pc.prototypes(at.pictures, pc.MMDCritic(prototypes=m, criticisms=0, per_class=True), labels=at.y)
    rng = np.random.default_rng(0)
    by_chance = []
    for _ in range(10):
        rows = rng.choice(len(at.y), m, replace=False)
        rest = np.setdiff1d(np.arange(len(at.y)), rows)
        by_chance.append((at.y[rows][K[np.ix_(rest, rows)].argmax(axis=1)] == at.y[rest]).mean())
    accuracy[m] = {"prototypes per class": each.accuracy, "random rows, mean of 10 draws": np.mean(by_chance)}
pd.DataFrame(accuracy).T.rename_axis("how many").round(3)

# %% [markdown]
# **Where it misleads.** Pixels are compared with pixels: a shifted digit is far from itself. On a network's embeddings alike means
# alike to the network. And the prototypes explain the *data*: no model was asked.

# %% [markdown]
# ## A network that says "this looks like that"
#
# ProtoPNet (Chen et al. 2019) compares patches of a picture with patches of training pictures, and its answer is a weighted sum
# of those similarities. Three digits, at most two parts each (those that stand for no digit are dropped), trained here.

# %%
digits = at.y < 3
small, few = handwriting.small(at)[digits], at.y[digits]
pool = [nn.MaxPool2d(2)] * (2 if small.shape[-1] > 8 else 1)
torch.manual_seed(0)
backbone = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), *pool)
net = pc.ProtoPNet(backbone, channels=24, classes=3, per_class=2, depth=8)
losses = pc.ProtoTraining(warm=3, joint=25, last=30, rate=1e-2, backbone_rate=5e-3).fit(net, small[:300], few[:300])
new, truth = small[300:], few[300:]
told = net.reasons(new)
right = told.logits.argmax(axis=1) == truth
print(f"right on {right.mean():.1%} of {len(truth)} pictures that it was not trained on")

# %% [markdown]
# Its reasons, in words and as a picture. The sentence's numbers are what each look-alike adds to the class's score.

# %%
of = [int(np.flatnonzero(right & (truth == digit))[0]) for digit in range(3)]
for row in of:
    print(told.sentence(row, k=2))

# %%
pc.plot.reasons(told, new, small[:300], row=of[2], k=2)[0, 0].figure

# %% [markdown]
# Unlike a saliency map this is the computation itself. Two checks: the evidence of all parts adds up to the logits that the network
# gives, and each prototype is a patch of a training picture of its class.

# %%
with torch.no_grad():
    own = net(torch.as_tensor(new)).numpy()
summed = np.array([[told.evidence(row, c).sum() for c in range(3)] for row in range(len(new))])
source = net.reasons(small[:300])
print(f"evidence less logits, largest: {np.abs(summed - own).max():.1e}")
print(f"digit of the prototypes' pictures: {few[told.source].tolist()}, their class: {told.classes.tolist()}")
print(
    f"similarity of each prototype to its own picture: {source.similarity[told.source, np.arange(6)].round(2).tolist()}"
)

# %% [markdown]
# log(1 / 0.0001) = 9.21 is the largest similarity there is: the patch *is* the prototype.
#
# **Where it misleads.** The box marks the cell of the map that matched. Each cell sees a wider neighbourhood than its box, and
# "looks like" is the network's own idea of alike. It is not said why two patches look alike, only that they do.

# %% [markdown]
# ## Which training examples made it say so?
#
# Softmax regression with a penalty, a convex loss with one minimum. `influence` says by how much the loss of a query would rise if
# training had left an example out: **positive means that training on it lowers the query's loss** (a proponent), negative
# that it raises it (an opponent). The textbook's formula, the change when the example is given *more* weight, has the other sign.

# %%
n, l2 = 500, 0.01
train, query = (at.rows[:n], at.y[:n]), (at.rows[n : n + 100], at.y[n : n + 100])
model = handwriting.regression(*train, l2)
made = pc.influence(model, train, query, pc.InfluenceFunctions(l2=l2))
with torch.no_grad():
    said = model(torch.tensor(query[0])).argmax(1).numpy()
asked = int(made.losses.argmax())  # the query that is predicted worst
print(f"query {asked} is a {query[1][asked]}, and the model says {said[asked]} with a loss of {made.losses[asked]:.2f}")
pc.plot.influence(made, asked, names=[f"a {digit} (row {i})" for i, digit in enumerate(train[1])])

# %%
helped, harmed = made.proponents(4, asked), made.opponents(4, asked)
pictures = [at.pictures[n + asked], *(at.pictures[i] for i, _ in helped + harmed)]
titles = [f"asked: a {query[1][asked]}", *(f"{score:+.3f}\na {train[1][i]}" for i, score in helped + harmed)]
handwriting.shown(np.array(pictures), titles)

# %% [markdown]
# Is it so? Train again without each of these eight rows, and without eight at random, and look at the loss.

# %%
rows = [i for i, _ in helped + harmed]
rows += [int(i) for i in np.random.default_rng(0).choice(np.setdiff1d(np.arange(n), rows), 8, replace=False)]


def loss_without(row):
    """The query's loss when all else counts as before: the penalty stays what it was beside n examples."""
    kept = np.delete(np.arange(n), row)
    again = handwriting.regression(train[0][kept], train[1][kept], l2 * n / len(kept))
    with torch.no_grad():
        logits = again(torch.tensor(query[0][asked][None]))
    return float(nn.functional.cross_entropy(logits, torch.tensor(query[1][asked][None])))


rise = np.array([loss_without(row) for row in rows]) - made.losses[asked]
foretold = made.scores[asked, rows]
print(f"correlation of what was foretold with what happened: {np.corrcoef(foretold, rise)[0, 1]:.4f}; ", end="")
print(f"same sign for {int((np.sign(foretold) == np.sign(rise)).sum())} of {len(rows)} rows")
pd.DataFrame({"row": rows, "digit": train[1][rows], "foretold": foretold, "the loss rose by": rise}).head(8).round(4)

# %% [markdown]
# **When to believe it.** Here the loss is convex, the minimum was reached, and the curvature is exact. A deep network has neither
# one minimum nor a curvature that can be inverted without damping: there `EKFAC` and `TracIn` rank examples, and their unit is
# rough.

# %% [markdown]
# ## Finding wrong labels
#
# One label in ten is changed to another digit. A wrong label is taught by nothing else in the data, so the model's answer for that
# row rests on the row alone: its **self-influence** is large. The simplest rival is the loss itself, which costs one pass.

# %%
noisy, wrong = handwriting.wrongly_labelled(at.y[:n], 0.1)
spoiled = handwriting.regression(at.rows[:n], noisy, l2)
traced = pc.influence(spoiled, (at.rows[:n], noisy), (at.rows[:n], noisy), pc.InfluenceFunctions(l2=l2))
rankings = {"self-influence": traced.self_influence, "loss": traced.losses}
handwriting.precision(wrong, rankings)

# %%
found = {}
for name, score in rankings.items():
    order = np.argsort(-score, kind="stable")
    found[name] = {
        f"right among the first {wrong.sum()}": wrong[order[: wrong.sum()]].mean(),
        "found in the first 25 %": wrong[order[: n // 4]].sum() / wrong.sum(),
    }
first, second = (next(iter(found[name].values())) for name in ("self-influence", "loss"))
ahead = "the loss alone is as good or better here" if second >= first else "self-influence is ahead of the loss here"
print(f"{ahead}: {first:.0%} by self-influence, {second:.0%} by loss, {wrong.mean():.0%} by chance")
pd.DataFrame(found).T.round(3)

# %%
suspects = np.argsort(-traced.self_influence, kind="stable")[:8]
handwriting.shown(at.pictures[suspects], [f"labelled {noisy[i]}\n{'wrong' if wrong[i] else 'right'}" for i in suspects])

# %% [markdown]
# ## Which rows will it get wrong?
#
# `hardest` ranks rows that were not trained on by how likely the model is to be wrong, without their labels. Afterwards labels
# say how good the ranking was: 0.5 is chance, and the interval says how much a few errors can tell.

# %%
forest = RandomForestClassifier(60, random_state=0).fit(*train)
held, labels = at.rows[n:], at.y[n:]
methods = (pc.SmallestMargin(), pc.Disagreement(), pc.FarFromPrototypes())
hard = [pc.hardest(forest, held, method, y=labels, background=train[0]) for method in methods]
lines = {}
for record in hard:
    area, low, high = record.auroc()
    lines[type(record.method).__name__] = {
        "a wrong row above a right one": area,
        "from": low,
        "to": high,
        "errors in the hardest tenth": record.found(0.1),
    }
print(f"{int(hard[0].wrong.sum())} of {len(labels)} rows are wrong")
pd.DataFrame(lines).T.round(3)

# %%
pc.plot.difficulty(hard[0])

# %%
first = hard[0].order[:8]
handwriting.shown(at.pictures[n:][first], [f"is {labels[i]}\nsays {hard[0].predicted[i]}" for i in first])

# %% [markdown]
# **What to take home.**
#
# 1. Examples are easy to look at and easy to over-read. Ask for the number beside them: MMD² and random rows, accuracy of the
#    nearest prototype, retraining without the row, the errors that were found.
# 2. Prototypes explain data. Prototypical parts, influence and hard rows explain a model.
# 3. Say the sign: positive influence helped. Say the loss, the penalty and the damping, or the number cannot be read.
# 4. Influence is exact to first order where the loss is convex and trained to its end. Elsewhere it ranks, at best.

# %%
print(made.receipt.to_json())
