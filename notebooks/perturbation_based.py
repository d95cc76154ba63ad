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
# # What a model of houses goes by
#
# Methods that only ask the model: permutation importance, curves of single rows and their mean, accumulated local effects, LIME
# and SHAP, side by side on one table. For each: what it answers, where it misleads, and the number that tells.
#
# Everything runs offline. With `PELLUCID_DATA` set, or where scikit-learn has fetched them before, the table is California
# Housing; else it is a generated one with the same columns, and the same cells run. There the price is made from nearness to a
# coast, `MedInc` and `AveOccup`; `AveRooms` goes with `MedInc` and does nothing by itself, `HouseAge` and `Population` do
# nothing.

# %%
import sys

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

import houses
import pellucid as pc

sys.path.append("../docs")
import lime_or_shap

at = houses.houses()
X, held, y, truth = train_test_split(at.X, at.y, test_size=0.3, random_state=0)
model = HistGradientBoostingRegressor(random_state=0).fit(X, y)
r2 = model.score(held, truth)
print(f"{at.title}: {len(X)} rows to learn from, {len(held)} held out; held-out R² {r2:.2f}")

# %% [markdown]
# ## First: would a simple model do?
#
# A model that can be read needs no explanation of this kind. So it is cross-validated beside the black box, on the same folds.

# %%
simple = pc.rivals(model, X, y, margin=0.02)
print(simple.verdict)
simple.to_frame().round(3)

# %% [markdown]
# ## Permutation importance
#
# How much larger is the error when one column is shuffled? On rows that the model has not seen: on its training rows a column
# that it overfits would look more important than it is. Larger is more important, though RMSE is a loss.

# %%
RMSE = "neg_root_mean_squared_error"
plain = pc.importance(model, held, truth, pc.PermutationImportance(repeats=10), metric=RMSE)
pc.plot.importance(plain)

# %%
print(f"RMSE on the untouched rows: {abs(plain.baseline):.3f}")
plain.to_frame().round(3)

# %% [markdown]
# The rank counts only columns that are more important beyond doubt, so ties stay ties. The intervals are about the shuffling, on
# these rows; other held-out rows would give somewhat other numbers.

# %% [markdown]
# ### Where it misleads: columns that go together
#
# A shuffled `Latitude` next to the old `Longitude` is a place in the sea or in the desert. The model was never asked there, and
# what it says counts. The record knows:

# %%
for said in plain.receipt.warnings:
    print(said)
together = held["Latitude"].corr(held["Longitude"])
print(f"correlation of Latitude and Longitude: {together:.2f}")

# %% [markdown]
# Two ways out, and they answer two questions. **A group** is shuffled as one: what is place worth, both numbers together?
# **Within leaves** shuffles among rows that are alike in the other columns: what does the column tell *beyond* them?

# %%
place = {"place": ["Latitude", "Longitude"]}
grouped = pc.importance(model, held, truth, pc.PermutationImportance(repeats=10), metric=RMSE, groups=place)
within = pc.importance(model, held, truth, pc.PermutationImportance(repeats=10, within="leaves"), metric=RMSE)
pc.plot.importance(grouped)

# %%
pd.DataFrame(
    {name: pd.Series(r.mean, r.names) for name, r in {"alone": plain, "within leaves": within}.items()}
).assign(kept=lambda t: t["within leaves"] / t["alone"]).sort_values("alone", ascending=False).head(4).round(3)

# %% [markdown]
# What is lost within leaves is what the other columns know too. And a column that goes with another can look *more* important
# than it is, not only less: `Latitude` alone costs more here than the whole place does. A place shuffled as one is at least
# some place; one of its numbers shuffled alone makes places that do not exist, and there the model errs most.

# %%
alone = plain.mean[[plain.names.index(name) for name in place["place"]]].sum()
one = grouped.mean[grouped.names.index("place")]
print(f"place as one: {one:.2f}; Latitude alone: {plain.top(1)[0][1]:.2f}; both alone, added up: {alone:.2f}")

# %% [markdown]
# ## What performance rests on, and what moves the score
#
# Permutation importance speaks of the error, SHAP importance of the score: the mean size of a column's values. No truth is
# needed for the second, so a column that the model overfits counts there in full. Each is drawn on its own scale, and columns
# on which they disagree beyond their intervals are named.

# %%
sizes = pc.importance(model, held, method=pc.ShapImportance())
pc.plot.beside([plain, sizes])

# %%
both = pd.DataFrame({r.metric: pd.Series(r.mean / r.mean.max(), r.names) for r in (plain, sizes)})
print(f"rank correlation of the two: {both.corr(method='spearman').iloc[0, 1]:.2f}")
both.round(3)

# %% [markdown]
# ## How the price moves with income
#
# One grey curve per row (ICE): this row with its income changed and all else as it is. The mean of all curves is the partial
# dependence. Only some rows are drawn; the mean is over all.

# %%
income = pc.effect(model, held, "MedInc")
pc.plot.effect(income)

# %%
rising = (income.curves[:, -1] > income.curves[:, 0]).mean()
print(f"mean at the two ends: {income.mean[0]:.2f} and {income.mean[-1]:.2f}; rising in {rising:.0%} of the rows")

# %% [markdown]
# Do all rows gain alike? Rows start at different heights, which says nothing of income. Centred at the first grid point, parallel
# curves fall together, and the variance that is left is interaction.

# %%
centred = income.centred()
houses.pair(income, centred, ("as they are", "as changes from the first point"))

# %%
spread = pd.DataFrame({"as they are": income.variance, "centred": centred.variance}, index=income.grid.round(2))
spread.iloc[[0, len(spread) // 2, -1]].rename_axis("MedInc").round(3)

# %% [markdown]
# ### Where it misleads: points off the data
#
# Partial dependence puts every row at every grid point. Where columns go together, many of these rows cannot exist. The record
# measures how many:

# %%
latitude = pc.effect(model, held, "Latitude")
for said in latitude.receipt.warnings:
    print(said)

# %% [markdown]
# **Accumulated local effects** move a row only to the edges of its own bin, and add up the steps. Both curves start at zero here.

# %%
local = pc.effect(model, held, "Latitude", pc.AccumulatedLocalEffects())
houses.over(latitude, local)

# %%
reach = {name: np.ptp(record.mean) for name, record in {"partial dependence": latitude, "accumulated": local}.items()}
pd.Series(reach, name="largest less smallest value of the curve, Latitude").to_frame().round(2)

# %% [markdown]
# Read its slope, not its height: at every latitude it says what a small step north does to the houses that are *there*, with
# their longitude as it is. On a slanting coast such a step leads inland, so the steps go down, and no single house makes them
# all: the fall from end to end can be larger than any price. Partial dependence flattens it with places where there are no
# houses. Neither is a price along the coast; that is a question about both columns. Where columns do not go together, the two
# curves agree:

# %%
occupants, near = (
    pc.effect(model, held, "AveOccup", m) for m in (pc.PartialDependence(), pc.AccumulatedLocalEffects())
)
inside = (near.grid > occupants.grid[0]) & (near.grid < occupants.grid[-1])
follow = np.interp(near.grid[inside].astype(float), occupants.grid.astype(float), occupants.mean)
print(f"AveOccup: correlation of the two curves {np.corrcoef(follow, near.mean[inside])[0, 1]:.3f}")

# %% [markdown]
# ## LIME and SHAP, side by side
#
# Both give a number per column of one row. **LIME**: how does the price move when the column moves near this row? **SHAP**: how
# far did this row's value take the price away from the average? A slope, and a contribution.

# %%
found = lime_or_shap.answers(model, X, held.head(lime_or_shap.ROWS), r2)
shap, lime, above = found.column("MedInc")
row = int(np.argmin(above))  # the poorest of the explained rows
print(f"row {row}: price {found.shap.scores[row]:.2f}, mean of the background {found.shap.base_values[row]:.2f}")
pc.plot.waterfall(found.shap, row=row)

# %%
pc.plot.bar(found.lime, row=row)

# %%
columns = {name: [part[row] for part in found.column(name)] for name in held.columns}
one = pd.DataFrame(columns, index=["SHAP", "LIME", "above the mean, in deviations"]).T
one.assign(**{"LIME × distance": one["LIME"] * one["above the mean, in deviations"]}).round(2)

# %% [markdown]
# ### Why the sign of `MedInc` differs
#
# This row's income lies below the average. SHAP: compared with the others', it holds the price down, so the value is negative.
# LIME: a little more of it would raise the price, so the coefficient is positive. Both are right. A slope times the distance
# from the mean is a contribution, and that product has SHAP's sign. Over all rows that were explained:

# %%
poor = above < 0
signs = {
    "rows with MedInc below the mean": poor.sum(),
    "of them SHAP negative": (shap[poor] < 0).sum(),
    "of them LIME positive": (lime[poor] > 0).sum(),
    "of them opposite signs": (shap[poor] * lime[poor] < 0).sum(),
    f"LIME × distance has SHAP's sign, of {len(shap)}": (np.sign(lime * above) == np.sign(shap)).sum(),
}
print(f"rank correlation of LIME × distance and SHAP: {pd.Series(lime * above).corr(pd.Series(shap), 'spearman'):.2f}")
pd.Series(signs, name="rows").to_frame()

# %% [markdown]
# Evidence beside both: SHAP's values add up, and the gap says how nearly. LIME does not promise it.

# %%
print(f"largest gap of SHAP: {np.abs(found.shap.gap).max():.1g}")
pc.plot.beeswarm(found.shap)

# %% [markdown]
# ## Does it hold everywhere?
#
# One number for all rows can hide that regions differ. Any question can be asked of each group by itself.

# %%
where = houses.region(held)
regions = pc.cohorts(
    pc.importance, model, held, truth, pc.PermutationImportance(repeats=10), by=where, metric=RMSE, groups=place
)
pc.plot.cohorts(regions)

# %%
curves = pc.cohorts(
    pc.effect, model, held, "MedInc", by=where, grid=np.quantile(held["MedInc"], np.linspace(0.05, 0.95, 20))
)
pc.plot.cohorts(curves)

# %%
pd.DataFrame(
    {
        "rows": regions.rows,
        "leads": [one.top(1)[0][0] for one in regions.records],
        "rise of MedInc's curve": [one.mean[-1] - one.mean[0] for one in curves.records],
    },
    index=regions.names,
).round(2)

# %% [markdown]
# Within a region places differ less, so shuffling them there costs less: an importance is always one of these rows. Numbers of
# regions of different spread are no proof that the model works differently there; curves on the same grid come closer to that.

# %% [markdown]
# ## The questions, answered by numbers

# %%
least = max(plain.mean[plain.names.index(name)] for name in ("HouseAge", "Population")) / plain.mean.max()
pd.DataFrame(
    [
        ("Which columns lead?", ", ".join(name for name, _ in plain.top(3))),
        ("What do HouseAge and Population add?", f"at most {least:.1%} of the leading column's importance"),
        ("Does the price rise with income?", f"by {income.mean[-1] - income.mean[0]:.2f}, in {rising:.0%} of the rows"),
        ("Do columns go together?", f"Latitude and Longitude, {together:.2f}"),
        (
            "Do LIME and SHAP contradict each other?",
            f"no: opposite signs in {signs['of them opposite signs']} rows, two questions",
        ),
        ("Would a simple model do?", simple.best or "no"),
    ],
    columns=["question", "answer"],
).set_index("question")

# %% [markdown]
# **What to take home.**
#
# 1. Try a simple model first, and say the margin.
# 2. Importance on held-out rows, with its interval; with columns that go together, as groups and within leaves.
# 3. A mean curve hides its rows: look at some, centred. Where the warning says that points lie off the data, take local effects.
# 4. A coefficient is not a contribution. Two methods that answer two questions may differ in sign and both be right.
# 5. All of this is about the model. That a column moves the price in the model does not say that it would in the world.

# %%
print(plain.receipt.to_json())
