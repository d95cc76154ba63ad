# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Counterfactuals and recourse
#
# A bank refuses a loan. *What would have to be different?* This notebook asks for the nearest answer, finds that it is no
# advice, says what people can change, lets columns follow from each other, looks for whom there is nothing to do, and does
# the same with a text. The loans are generated, and how income, debt and the decision come about is known, so that answers
# can be judged.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import pellucid as pc

rng = np.random.default_rng(0)
n = 1500
loans = pd.DataFrame(
    {
        "age": rng.integers(20, 70, n),
        "region": rng.choice(["north", "south"], n),
        "education": rng.integers(8, 20, n),
        "hours": rng.integers(10, 60, n),
    }
)
# income rises with education, ever more, and with hours; in the south it is lower
loans["income"] = np.rint(
    60 * loans["education"] ** 2 + 250 * loans["hours"] - 4000 * (loans["region"] == "south") + rng.normal(0, 2000, n)
).astype(int)
loans["debt"] = np.rint(0.2 * loans["income"] + rng.normal(0, 1500, n)).clip(0).astype(int)
granted = loans["income"] - 2 * loans["debt"] + rng.normal(0, 800, n) > 10500
train, rest = loans[:1000], loans[1000:]
encode = make_column_transformer((OneHotEncoder(), ["region"]), remainder="passthrough")
model = make_pipeline(encode, GradientBoostingClassifier(n_estimators=60, random_state=0))
model.fit(train, np.where(granted[:1000], "granted", "refused"))
refused = rest[model.predict(rest) == "refused"][:40].reset_index(drop=True)
f"{model.score(rest, np.where(granted[1000:], 'granted', 'refused')):.1%} right, {len(refused)} refused people"

# %% [markdown]
# ## The nearest answer

# %%
nearest = pc.counterfactual(model, refused, target="granted", background=train)
pc.plot.show(nearest[:6])

# %% [markdown]
# Every answer was asked of the model once more. But some ask people to be of another age or to live elsewhere:

# %%
who = ["age", "region"]
touched = nearest.changed[:, [nearest.feature_names.index(name) for name in who]].any(axis=1)
f"{touched.mean():.0%} of the answers change age or region"

# %% [markdown]
# ## What can be changed
#
# Constraints are values, or comparisons of columns as text. An answer that breaks one is not handed back.

# %%
can = [
    pc.Immutable(("age", "region")),
    pc.Increasing("education"),
    pc.Range("hours", 0, 60),
    pc.Step("income", 100),
    "debt <= income",
]
possible = pc.counterfactual(model, refused, target="granted", background=train, constraints=can)
pc.plot.show(possible[:6])

# %% [markdown]
# The price of being held to what can be done, person by person: no answer can be nearer than the nearest of all.

# %%
both = nearest.valid & possible.valid
fig, ax = plt.subplots(figsize=(5, 5))
ax.scatter(nearest.cost[both], possible.cost[both], s=14, color="black")
ax.axline((0, 0), slope=1, color="grey", linewidth=0.8)
ax.set(xlabel="distance of the nearest answer", ylabel="distance of what can be done")
plt.show()

# %% [markdown]
# ## Where one thing follows from another
#
# Somebody who studies longer earns more without being asked to. We name what income and debt follow from, and splines are
# fitted to the training rows; the receipt says how well they foretell rows that they have not seen.

# %%
follows = {"income": ("education", "hours", "region"), "debt": ("income",)}
causal = pc.counterfactual(
    model,
    refused,
    pc.CausalCounterfactual(fit="splines"),
    target="granted",
    background=train,
    scm=follows,
    constraints=can[:3],
)
print(*causal.receipt.notes, sep="\n")
pc.plot.show(causal[:6])

# %% [markdown]
# ## For whom is there none?
#
# Suppose that all that people can do is work more or borrow less.

# %%
little = [pc.Actionable(("hours", "debt")), pc.Range("hours", 0, 50)]
asked = pc.counterfactual(model, refused, pc.Recourse(), target="granted", background=train, constraints=little)
summary = pc.summarize(asked, pc.CounterfactualSummary(k=4, by="region"))
pc.plot.show(summary)

# %%
summary.by_group()

# %% [markdown]
# The model was told the region, and even without it would know it by income. Groups differ in more than the column that they are
# split by: such a table is a question to the model's owner, and no verdict.

# %% [markdown]
# ## A text
#
# The smallest set of words without which the answer is another, and the fewest words that have to be others.

# %%
told = [
    "a boring film",
    "a dull, boring plot",
    "dull from end to end",
    "a fine film",
    "a great plot",
    "great, fine cast",
]
reader = make_pipeline(CountVectorizer(), LogisticRegression(C=10)).fit(
    told, ["bad", "bad", "bad", "good", "good", "good"]
)
review = ["A boring film with a dull end."]
less = pc.counterfactual(reader, review, pc.SEDC(), target="good")
other = pc.counterfactual(reader, review, pc.Substitution(), target="good", background=told)
print(less.sentence(), other.sentence(), other.values[0], sep="\n")
pc.plot.show(other)
