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
# # What drives a risk score, group by group
#
# COMPAS gives defendants a score from 1 to 10 for the risk of a new offence. ProPublica (Angwin et al. 2016) published a table of
# people in Broward County with their score and whether they were charged again within two years. This notebook asks which columns
# of that table go with the score, in each group of people, and says what can be concluded from that and what cannot.
#
# With `PELLUCID_DATA` set it reads that table, without the selection of rows that some analyses make. Else the table is a
# generated one with the same columns, in which the groups have no names and **the score is made from record, age and charge
# only**; its numbers say nothing about any people.

# %%
import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

import pellucid as pc
import people

at = people.people()
X, held, score, given, again, truth = train_test_split(at.X, at.score, at.again, test_size=0.5, random_state=0)
first, second = at.X["race"].value_counts().index[:2]
print(f"{at.title}: {len(at.X)} people; the two largest groups are {first} and {second}")

# %% [markdown]
# ## What the groups look like
#
# Before any model: groups differ in mean score, and also in the columns that a score may use.

# %%
facts = at.X.assign(score=at.score, again=at.again).groupby("race", observed=True)
facts.agg(
    rows=("age", "size"),
    score=("score", "mean"),
    priors=("priors_count", "mean"),
    age=("age", "mean"),
    again=("again", "mean"),
).round(2)

# %% [markdown]
# ## A stand-in for the score
#
# COMPAS itself is not public, so it cannot be asked. What can be asked is a model that was trained to tell the score from these
# columns. It is a **stand-in**: what it says holds for the score as far as the two agree, and held-out R² says how far that is.

# %%
model = HistGradientBoostingRegressor(
    categorical_features="from_dtype", max_iter=60, min_samples_leaf=40, random_state=0
)
model.fit(X, score)
told = model.score(held, given)
print(f"held-out R² {told:.2f}: the rest, {1 - told:.0%} of the score's variance, is not told by these columns")

# %%
simple = pc.rivals(model, X, score, margin=0.03)
print(simple.verdict)
simple.to_frame().round(3)

# %% [markdown]
# ## What it goes by
#
# In everyone, and in each group by itself. `race` and `sex` are given to the stand-in on purpose: left out, other columns could
# carry them unseen.

# %%
shuffled = pc.PermutationImportance(repeats=10)
overall = pc.importance(model, held, given, shuffled)
pc.plot.importance(overall)

# %%
large = held["race"].isin([first, second]).to_numpy()
pairs = held[large].assign(race=held["race"][large].cat.remove_unused_categories())
named = pairs["race"].astype(str).to_numpy()
by_race = pc.cohorts(pc.importance, model, held[large], given[large], shuffled, by=named)
pc.plot.cohorts(by_race)

# %%
by_sex = pc.cohorts(pc.importance, model, held, given, shuffled, by=held["sex"].astype(str).to_numpy())
pc.plot.cohorts(by_sex)

# %%
pd.DataFrame(
    {name: one.mean for cohorts in (by_race, by_sex) for name, one in zip(cohorts.names, cohorts.records, strict=True)},
    index=overall.names,
).round(3)

# %% [markdown]
# The drop of R² is measured on each group's own spread: a column that varies little in a group cannot matter much there. Within a
# group of one race shuffling `race` changes nothing, so its importance there is zero by construction.

# %% [markdown]
# ## Does the same record weigh the same?
#
# The stand-in's score as one column goes along the same values in both groups, all other columns as they are. Parallel curves:
# the column is used alike. A distance between them comes from the other columns, race among them.

# %%
grid = [0, 1, 2, 3, 5, 8, 12]
priors = pc.cohorts(pc.effect, model, held[large], "priors_count", by=named, grid=grid)
pc.plot.cohorts(priors)

# %%
ages = pc.cohorts(pc.effect, model, held[large], "age", by=named, grid=[20, 25, 30, 35, 40, 50, 60])
pc.plot.cohorts(ages)

# %%
pd.DataFrame(
    {
        "from no prior to 12": [one.mean[-1] - one.mean[0] for one in priors.records],
        "from 20 years to 60": [one.mean[-1] - one.mean[0] for one in ages.records],
    },
    index=priors.names,
).round(2)

# %% [markdown]
# And `race` itself: everyone, all other columns as they are, put into each group in turn.

# %%
race = pc.effect(model, held, "race", grid=[first, second])
pc.plot.effect(race)

# %%
moved = race.mean[0] - race.mean[1]
print(f"{first} less {second}, all else as it is: {moved:+.2f} points of 10")

# %% [markdown]
# ## Where the gap between the groups comes from
#
# SHAP's values add up to the stand-in's score, row by row. So their means over a group add up too, and the difference of two
# groups' mean scores is shared out among the columns without a remainder.

# %%
some = held[large]
record = pc.explain(model, some, pc.TreeShap(), background=X.sample(100, random_state=0))
halves = [record.values[named == name] for name in (first, second)]
shares = pd.DataFrame(
    {
        "share of the gap": halves[0].mean(0) - halves[1].mean(0),
        "standard error": np.sqrt(sum(half.var(0, ddof=1) / len(half) for half in halves)),
    },
    index=record.feature_names,
).sort_values("share of the gap", ascending=False)
gap = record.scores[named == first].mean() - record.scores[named == second].mean()
print(f"gap of the stand-in's mean scores {gap:+.3f}, shares add up to {shares['share of the gap'].sum():+.3f}")
shares.round(3)

# %%
pc.plot.beeswarm(record)

# %% [markdown]
# The standard error is that of these rows for this one stand-in. Another, trained on other rows, would share a little
# differently, above all between columns that go together. In the generated table `race` does nothing to the score, and still
# its share is a few standard errors from zero: the stand-in has learned some noise. A share that small is no finding.

# %% [markdown]
# ## Errors by group
#
# The published score itself, no model: who is called "medium or high" (5 and more) among those who were *not* charged again,
# who is called "low" among those who were, and how many of those with a high score were charged again. With 95 % intervals.

# %%
high = at.score >= 5
lines = {}
for name in (first, second):
    own = at.X["race"] == name
    lines[name, "called high, not charged again"] = people.rate(high[own & (at.again == 0)])
    lines[name, "called low, charged again"] = people.rate(~high[own & (at.again == 1)])
    lines[name, "charged again, of those called high"] = people.rate(at.again[own & high])
pd.DataFrame(lines).T.swaplevel().sort_index().round(3)

# %% [markdown]
# Where groups are charged again at different rates, a score that means the same in each (an equal third rate) cannot have both
# of the first two equal, unless it is perfect (Chouldechova 2017; Kleinberg, Mullainathan & Raghavan 2016). Which of the rates
# should be equal is a question of what is fair, and no explanation answers it.

# %% [markdown]
# ## What can be concluded, and what cannot
#
# **It can be said**, of this table and this stand-in, with the numbers above:
#
# 1. how much of the score these columns tell, and which of them the stand-in goes by, in each group;
# 2. whether a column is used alike in two groups;
# 3. how the gap between two groups' mean scores is shared out among columns, without a remainder;
# 4. at which rates the published score was wrong in either direction, in each group.
#
# **It cannot be said:**
#
# - *That COMPAS uses race, or that it does not.* The stand-in has other inputs than the score. An effect of `race` here may
#   stand for answers that are not in the table; a missing one may hide in columns that go with it.
# - *That priors are a neutral measure.* They count arrests and charges, not offences. If one group is policed more, its record is
#   longer for the same conduct, and a model that "only" uses the record carries that on.
# - *That people offend again at these rates.* `two_year_recid` is a new charge within two years, seen by the same police and
#   courts.
# - *What would happen under another score.* That is a question about the world, and this table has no experiment in it.

# %%
print(record.receipt.to_json())
